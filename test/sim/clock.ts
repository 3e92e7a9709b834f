/**
 * Virtual time. Nothing happens until a test lets time pass; then timers and events (arrivals on the network, mostly) run in the order of their
 * moments, those of one moment in the order they were made. What falls on one moment is cut into turns of random length, and each turn ends as the
 * loop's does: first the promises, then what asked for `endOfTurn`.
 */
import type { Clock, Random, Timer } from "../../src/platform/index.ts";

/** Turns in one `settle` before it is taken for an endless exchange. */
const TURNS_MAX = 2_000_000;
/** Most events in one turn, as several sockets may be ready at once. */
const EVENTS_PER_TURN = 4;
/** Depth of promise chains that are sure to be done at the end of an event. */
const PROMISE_DEPTH = 8;

interface Entry {
  readonly atMs: number;
  readonly order: number;
  action: (() => void) | undefined;
  readonly isTimer: boolean;
}

export class VirtualClock implements Clock {
  /** Wall clock at the start: 2026-01-02 03:04:05 UTC. */
  readonly startMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  #nowMs = 0;
  #order = 0;
  readonly #heap: Entry[] = [];
  #timers = 0;
  #events = 0;
  #turnEnds: (() => void)[] = [];

  constructor(private readonly random: Random) {}

  nowMs(): number {
    return this.startMs + this.#nowMs;
  }

  nowNs(): bigint {
    return BigInt(this.startMs) * 1_000_000n + BigInt(Math.round(this.#nowMs * 1e6));
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  zoneOffsetMinutes(): number {
    return 0;
  }

  after(delayMs: number, action: () => void): Timer {
    const entry = this.#add(delayMs, action, true);
    return { cancel: () => this.#cancel(entry) };
  }

  every(intervalMs: number, action: () => void): Timer {
    let timer = this.after(intervalMs, fire);
    const clock = this;
    function fire(): void {
      timer = clock.after(intervalMs, fire);
      action();
    }
    return { cancel: () => timer.cancel() };
  }

  endOfTurn(action: () => void): void {
    this.#turnEnds.push(action);
  }

  /** Something that happens outside the server after `delayMs`: not a timer, so `settle` waits for it. */
  event(delayMs: number, action: () => void): void {
    this.#add(delayMs, action, false);
  }

  /** Timers that were set and neither fired nor were cancelled. */
  get pendingTimers(): number {
    return this.#timers;
  }

  /** Lets `ms` pass; everything due by then has run when it resolves. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.#endTurn();
    for (let next = this.#next(); next !== undefined && next.atMs <= untilMs; next = this.#next()) await this.#turn(untilMs);
    this.#nowMs = untilMs;
  }

  /** Lets just as much time pass as everything under way takes to arrive; timers run when their moment comes on the way. */
  async settle(): Promise<void> {
    await this.#endTurn();
    for (let turns = 0; this.#events > 0; turns++) {
      if (turns > TURNS_MAX) throw new Error("the simulation does not come to rest");
      await this.#turn(Number.POSITIVE_INFINITY);
    }
  }

  async #turn(untilMs: number): Promise<void> {
    const first = this.#next();
    if (first === undefined) return;
    for (let left = 1 + this.random.integer(EVENTS_PER_TURN); left > 0; left--) {
      const entry = this.#next();
      if (entry === undefined || entry.atMs > Math.min(untilMs, first.atMs)) break;
      this.#pop();
      this.#nowMs = Math.max(this.#nowMs, entry.atMs);
      const { action } = entry;
      this.#retire(entry);
      action?.();
      await drainPromises();
    }
    await this.#endTurn();
  }

  async #endTurn(): Promise<void> {
    await drainPromises();
    while (this.#turnEnds.length > 0) {
      const actions = this.#turnEnds;
      this.#turnEnds = [];
      for (const action of actions) action();
      await drainPromises();
    }
  }

  #add(delayMs: number, action: () => void, isTimer: boolean): Entry {
    if (Number.isNaN(delayMs)) throw new Error("a delay is a number");
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, action, isTimer };
    if (isTimer) this.#timers++;
    else this.#events++;
    this.#push(entry);
    return entry;
  }

  #cancel(entry: Entry): void {
    if (entry.action !== undefined) this.#retire(entry);
  }

  #retire(entry: Entry): void {
    entry.action = undefined;
    if (entry.isTimer) this.#timers--;
    else this.#events--;
  }

  /** The next entry that was not cancelled. */
  #next(): Entry | undefined {
    while (this.#heap.length > 0 && this.#heap[0].action === undefined) this.#pop();
    return this.#heap[0];
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

async function drainPromises(): Promise<void> {
  for (let i = 0; i < PROMISE_DEPTH; i++) await undefined;
}

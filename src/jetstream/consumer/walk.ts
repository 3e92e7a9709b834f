/**
 * A consumer's way through the stream: which message is next for a first delivery, and how many still wait for one. The number is exact at every moment, but while it
 * is being counted (`recount`), when nothing is delivered; zero means that there is no need to look into the store at all, and a message that comes then is known to
 * be the next. Spec: consumers, sections 5 and 7.6.
 */
import type { Sliced } from "../slices.ts";
import type { Counting, MessageStore, StoredMessage } from "../store/index.ts";
import type { Frozen } from "./start.ts";
import type { ConsumerState } from "./state.ts";

/** Entries of the list that are looked up in one go. */
const STEP_LISTED = 1024;

/** No message waits, or the next one is not committed yet. */
export const NOTHING = 0;
export const UNCOMMITTED = -1;
/** The next message was not found yet: it is looked for in steps. */
export const SEARCHING = -2;

/** Messages that a step looks at. */
const STEP_LOOKED = 8192;

/** What is being counted: entries of the list before `listed`, and what `ahead` has looked at. */
interface Recount {
  listed: number;
  readonly ahead: Counting | undefined;
}

export class Walk {
  /** Byte strings; none: everything. */
  filters: readonly string[];
  /** Messages that wait for their first delivery; while they are counted, those that were. */
  numPending = 0;
  readonly #store: MessageStore;
  readonly #state: ConsumerState;
  /** Nothing before this waits, if it is beyond `next`. */
  #searchFrom = 0;
  /** Sequences to deliver first, ascending, and the place of the next of them. */
  #frozen: readonly number[] | undefined;
  #frozenAt = 0;
  /** Last sequence of the stream when the list was made: deliveries go on behind it. */
  readonly #frozenEnd: number;
  /** The list was just made, and all of it is there. */
  #isFresh: boolean;
  #recount: Recount | undefined;

  constructor(store: MessageStore, state: ConsumerState, filters: readonly string[], frozen: Frozen | undefined) {
    this.#store = store;
    this.#state = state;
    this.filters = filters;
    this.#frozen = frozen?.sequences;
    this.#frozenEnd = frozen?.end ?? 0;
    this.#isFresh = frozen !== undefined;
  }

  get isCounting(): boolean {
    return this.#recount !== undefined;
  }

  /** The next message, which `into` then holds. It stays the next one until `delivered`. Not while the messages are being counted. */
  look(into: StoredMessage): number {
    return this.#frozen === undefined ? this.#lookAhead(into) : this.#lookFrozen(this.#frozen, into);
  }

  #lookAhead(into: StoredMessage): number {
    const state = this.#state;
    const store = this.#store;
    const committed = store.committedSeq;
    if (this.numPending <= 0) {
      if (state.next <= committed) state.next = committed + 1;
      return NOTHING;
    }
    const seq = store.nextWithin(this.filters, Math.max(state.next, this.#searchFrom), STEP_LOOKED, into);
    if (seq < 0) {
      this.#searchFrom = -seq;
      return SEARCHING;
    }
    if (seq === 0) {
      // Records that cannot be read any more were counted.
      this.numPending = 0;
      return NOTHING;
    }
    return seq > committed ? UNCOMMITTED : seq;
  }

  #lookFrozen(frozen: readonly number[], into: StoredMessage): number {
    const store = this.#store;
    for (; this.#frozenAt < frozen.length; this.#frozenAt++) {
      const seq = frozen[this.#frozenAt];
      if (seq < this.#state.next || !store.load(seq, into)) continue;
      return seq > store.committedSeq ? UNCOMMITTED : seq;
    }
    this.#frozen = undefined;
    this.#state.next = Math.max(this.#state.next, this.#frozenEnd + 1);
    return this.#lookAhead(into);
  }

  /** The message that `look` found was delivered. */
  delivered(): void {
    this.numPending--;
    if (this.#frozen !== undefined) this.#frozenAt++;
  }

  /** A matching message was appended. */
  stored(seq: number): void {
    if (seq < this.#state.next) return;
    if (this.numPending === 0 && this.#frozen === undefined && this.#recount === undefined) this.#searchFrom = seq;
    this.numPending++;
  }

  /** A matching message left the stream. */
  removed(seq: number): void {
    if (seq >= this.#state.next && this.#isCounted(seq)) this.numPending = Math.max(0, this.numPending - 1);
  }

  /** Whether a message at or after `next` is among those that `numPending` tells of. */
  #isCounted(seq: number): boolean {
    const frozen = this.#frozen;
    const counting = this.#recount;
    if (frozen === undefined || seq > this.#frozenEnd) {
      const ahead = counting?.ahead;
      return ahead === undefined || seq < ahead.cursor || seq > ahead.end;
    }
    let low = this.#frozenAt;
    let high = counting === undefined ? frozen.length : counting.listed;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (frozen[middle] < seq) low = middle + 1;
      else high = middle;
    }
    return low < (counting?.listed ?? frozen.length) && frozen[low] === seq;
  }

  /** Goes on from where the state says, with other filters or after a reset: without the list. */
  restart(filters: readonly string[]): Sliced<void> | undefined {
    this.filters = filters;
    this.#frozen = undefined;
    return this.recount();
  }

  /** Counts anew: at once if that is quick, else by what is returned, which the caller goes on with in slices. */
  recount(): Sliced<void> | undefined {
    const { next } = this.#state;
    const frozen = this.#frozen;
    const ahead = this.#store.count(this.filters, frozen === undefined ? next : Math.max(next, this.#frozenEnd + 1));
    this.#searchFrom = 0;
    this.numPending = typeof ahead === "number" ? ahead : 0;
    this.#recount = undefined;
    if (this.#isFresh) this.numPending += frozen?.length ?? 0;
    const toList = this.#isFresh ? 0 : (frozen?.length ?? 0) - this.#frozenAt;
    this.#isFresh = false;
    if (typeof ahead === "number" && toList <= STEP_LISTED) {
      this.numPending += this.#countListed(this.#frozenAt, this.#frozenAt + toList);
      return undefined;
    }
    const recount: Recount = { listed: (frozen?.length ?? 0) - toList, ahead: typeof ahead === "number" ? undefined : ahead };
    this.#recount = recount;
    return this.#countInSteps(recount);
  }

  *#countInSteps(recount: Recount): Sliced<void> {
    try {
      // Another count may have begun meanwhile.
      while (this.#recount === recount && this.#countMore(recount)) yield;
    } finally {
      if (this.#recount === recount) this.#recount = undefined;
    }
  }

  /** One step; says whether another is needed. */
  #countMore(recount: Recount): boolean {
    const { ahead, listed } = recount;
    const listedEnd = this.#frozen?.length ?? 0;
    if (listed < listedEnd) {
      recount.listed = Math.min(listedEnd, listed + STEP_LISTED);
      this.numPending += this.#countListed(listed, recount.listed);
      return recount.listed < listedEnd || ahead !== undefined;
    }
    if (ahead === undefined) return false;
    const before = ahead.sum;
    const isDone = ahead.step();
    this.numPending += ahead.sum - before;
    return !isDone;
  }

  #countListed(from: number, to: number): number {
    const frozen = this.#frozen ?? [];
    const { next } = this.#state;
    let listed = 0;
    for (let at = from; at < to; at++) if (frozen[at] >= next && this.#store.has(frozen[at])) listed++;
    return listed;
  }
}

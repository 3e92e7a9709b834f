/**
 * Pull requests that wait for messages, in the order in which they are served: first come, first served, one message each in turn; with priorities, lower
 * numbers first. Spec: consumers, sections 8.3 and 10.3.
 */
import type { PullOptions } from "./pull-request.ts";

export class WaitingRequest {
  /** Messages still wanted; as asked for, so not above 0 for a request that named no number: it gets one all the same. */
  wanted: number;
  /** Bytes left of the budget; meaningless without one. */
  bytesLeft: number;
  delivered = 0;
  /** Milliseconds since the Unix epoch; infinite when there is none. */
  readonly expiresAtMs: number;
  heartbeatAtMs: number;
  /** Whether it holds the pin of its group. */
  pin: string;
  closed = false;

  constructor(
    /** Byte string. */
    readonly reply: string,
    readonly options: PullOptions,
    nowMs: number,
  ) {
    this.wanted = options.batch;
    this.bytesLeft = options.maxBytes;
    this.expiresAtMs = options.expiresMs !== 0 ? nowMs + options.expiresMs : Number.POSITIVE_INFINITY;
    this.heartbeatAtMs = options.heartbeatMs > 0 ? nowMs + options.heartbeatMs : Number.POSITIVE_INFINITY;
    this.pin = options.id;
  }

  get hasBudget(): boolean {
    return this.options.maxBytes > 0;
  }

  /** Whether it ends as soon as there is nothing more to deliver. */
  get endsWhenDrained(): boolean {
    return this.options.noWait && (this.options.expiresMs === 0 || this.delivered > 0);
  }

  /** When something has to be sent for it at the latest. */
  get nextEventMs(): number {
    return Math.min(this.expiresAtMs, this.heartbeatAtMs);
  }
}

export class WaitingRequests {
  #queue: WaitingRequest[] = [];
  #head = 0;

  /** With `byPriority` the queue is ordered by priority first. */
  constructor(public byPriority: boolean) {}

  get size(): number {
    return this.#queue.length - this.#head;
  }

  /** The request whose turn it is. */
  peek(): WaitingRequest | undefined {
    return this.#queue[this.#head];
  }

  add(request: WaitingRequest): void {
    if (!this.byPriority) {
      if (this.#head > 64 && this.#head * 2 > this.#queue.length) this.#compact();
      this.#queue.push(request);
      return;
    }
    let at = this.#queue.length;
    while (at > this.#head && this.#queue[at - 1].options.priority > request.options.priority) at--;
    this.#queue.splice(at, 0, request);
  }

  /** Takes out the first. */
  shift(): WaitingRequest | undefined {
    if (this.#head >= this.#queue.length) return undefined;
    const request = this.#queue[this.#head++];
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    }
    return request;
  }

  /** The first goes to the end of the queue, or of those with its priority. */
  rotate(): void {
    if (this.size < 2) return;
    const request = this.shift();
    if (request !== undefined) this.add(request);
  }

  remove(request: WaitingRequest): void {
    if (this.peek() === request) {
      this.shift();
      return;
    }
    const at = this.#queue.indexOf(request, this.#head);
    if (at >= 0) this.#queue.splice(at, 1);
  }

  /** Takes out those for which `keep` says no. */
  prune(keep: (request: WaitingRequest) => boolean): void {
    this.#queue = this.#queue.slice(this.#head).filter(keep);
    this.#head = 0;
  }

  values(): readonly WaitingRequest[] {
    this.#compact();
    return this.#queue;
  }

  /** Messages that all of them still want. */
  get wanted(): number {
    let sum = 0;
    for (let at = this.#head; at < this.#queue.length; at++) sum += this.#queue[at].wanted;
    return sum;
  }

  #compact(): void {
    if (this.#head === 0) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }
}

/**
 * A consumer's way through the stream: which message is next for a first delivery, and how many still wait for one. The number is exact at every moment; zero
 * means that there is no need to look into the store at all, and a message that comes then is known to be the next. Spec: consumers, sections 5 and 7.6.
 */
import type { MessageStore, StoredMessage } from "../store/index.ts";
import type { ConsumerState } from "./state.ts";

/** No message waits, or the next one is not committed yet. */
export const NOTHING = 0;
export const UNCOMMITTED = -1;

export class Walk {
  /** Byte strings; none: everything. */
  filters: readonly string[];
  /** Messages that wait for their first delivery. */
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

  constructor(store: MessageStore, state: ConsumerState, filters: readonly string[], frozen: readonly number[] | undefined) {
    this.#store = store;
    this.#state = state;
    this.filters = filters;
    this.#frozen = frozen;
    this.#frozenEnd = frozen === undefined ? 0 : store.state.lastSeq;
  }

  /** The next message, which `into` then holds. It stays the next one until `delivered`. */
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
    const seq = store.next(this.filters, Math.max(state.next, this.#searchFrom), into);
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
    if (this.numPending === 0 && this.#frozen === undefined) this.#searchFrom = seq;
    this.numPending++;
  }

  /** A matching message left the stream. */
  removed(seq: number): void {
    if (seq >= this.#state.next && this.#counts(seq)) this.numPending = Math.max(0, this.numPending - 1);
  }

  /** Whether a message at or after `next` is among those that wait. */
  #counts(seq: number): boolean {
    const frozen = this.#frozen;
    if (frozen === undefined || seq > this.#frozenEnd) return true;
    let low = this.#frozenAt;
    let high = frozen.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (frozen[middle] < seq) low = middle + 1;
      else high = middle;
    }
    return frozen[low] === seq;
  }

  /** Goes on from where the state says, with other filters or after a reset: without the list. */
  restart(filters: readonly string[]): void {
    this.filters = filters;
    this.#frozen = undefined;
    this.recount();
  }

  /** Counts anew. */
  recount(): void {
    const { next } = this.#state;
    this.#searchFrom = 0;
    const frozen = this.#frozen;
    if (frozen === undefined) {
      this.numPending = this.#store.countPending(this.filters, next, false);
      return;
    }
    let listed = 0;
    for (let at = this.#frozenAt; at < frozen.length; at++) if (frozen[at] >= next && this.#store.next(EVERYTHING, frozen[at], undefined) === frozen[at]) listed++;
    this.numPending = listed + this.#store.countPending(this.filters, Math.max(next, this.#frozenEnd + 1), false);
  }
}

const EVERYTHING: readonly string[] = [];

/**
 * Removing many messages at once, oldest first, in slices (`sweep.ts`). What is to go is decided when it begins: messages that come meanwhile stay.
 * Spec: streams, section 2.6.
 */
import type { Filters } from "../store/index.ts";
import type { Stream } from "./stream.ts";
import type { Sweep } from "./sweep.ts";
import { ALL } from "./trim.ts";

/** Sequences that are given up in one go. */
const COMPACT_SEQUENCES = 8_192;

export interface PurgeRequest {
  /** Byte string; undefined: all subjects. */
  readonly filter: string | undefined;
  /** Messages below this go; 0: not asked for. */
  readonly seq: number;
  /** So many of the newest stay; 0: not asked for. */
  readonly keep: number;
}

export class Purger {
  /** Whether the sequences begin somewhere: where a first one was asked for, or after everything was to go, also when there was nothing. */
  hasBegun: boolean;

  constructor(private readonly stream: Stream) {
    this.hasBegun = stream.config.first_seq !== undefined;
  }

  /** Carries a request out; tells how many messages went. */
  purge({ filter, seq, keep }: PurgeRequest): number | Promise<number> {
    const purgesAll = filter === undefined || filter === ">";
    if (purgesAll && seq === 0 && keep === 0) return this.#clear();
    const filters = purgesAll ? ALL : [filter];
    const { store, sweeps, lastSeq } = this.stream;
    if (keep === 0) return sweeps.run("purge", this.#purgeBelow(seq > 0 ? seq : lastSeq + 1, filters), store.state.messages);
    const total = store.countPending(filters, 0, false);
    return sweeps.run("purge", this.#keep(filters, keep, total), Math.max(0, total - keep));
  }

  /** Messages below `seq` that match go; without a filter all. */
  removeBelow(seq: number, filter: string | undefined): void {
    void this.stream.sweeps.run("purge", this.#removeBelow(seq, filter === undefined ? ALL : [filter]));
  }

  #clear(): number {
    this.hasBegun = true;
    const { messages } = this.stream.store.clear();
    // Nothing is left to be counted.
    for (const _ of this.#told(this.stream.lastSeq + 1, undefined)) continue;
    return messages;
  }

  *#keep(filters: Filters, keep: number, total: number): Sweep {
    return keep >= total ? 0 : yield* this.#purgeBelow(yield* this.#keepFrom(filters, keep, total), filters);
  }

  /** Who asks for everything below a sequence moves consumers there, also when nothing has to go. */
  *#purgeBelow(below: number, filters: Filters): Sweep {
    if (filters.length > 0) return yield* this.#removeBelow(below, filters);
    if (below <= 1) return 0;
    const removed = yield* this.#compact(below);
    for (const _ of this.#told(below, undefined)) yield removed;
    return removed;
  }

  *#removeBelow(below: number, filters: Filters): Sweep {
    const [filter] = filters;
    const removed = filter === undefined ? yield* this.#compact(below) : yield* this.#removeMatching(below, filters);
    if (removed > 0) for (const _ of this.#told(below, filter)) yield removed;
    return removed;
  }

  *#compact(below: number): Sweep {
    const { store } = this.stream;
    let removed = 0;
    for (let at = store.state.firstSeq + COMPACT_SEQUENCES; at < below && store.state.messages > 0; at = store.state.firstSeq + COMPACT_SEQUENCES) {
      removed += store.compact(at).messages;
      yield removed;
    }
    return removed + store.compact(below).messages;
  }

  *#removeMatching(below: number, filters: Filters): Sweep {
    const { store } = this.stream;
    let removed = 0;
    for (let seq = store.next(filters, 1, undefined); seq > 0 && seq < below; seq = store.next(filters, seq + 1, undefined)) {
      if (store.remove(seq, false) !== undefined) removed++;
      yield removed;
    }
    return removed;
  }

  /** Sequence of the oldest message that stays, from whichever end is nearer. */
  *#keepFrom(filters: Filters, keep: number, total: number): Sweep {
    const { store, lastSeq } = this.stream;
    let at = 0;
    if (keep > total - keep) {
      for (let left = total - keep; left >= 0; left--) {
        at = store.next(filters, at + 1, undefined);
        yield 0;
      }
      return at;
    }
    at = lastSeq + 1;
    for (let left = keep; left > 0; left--) {
      at = store.previous(filters, at - 1, undefined);
      yield 0;
    }
    return at;
  }

  *#told(below: number, filter: string | undefined): Iterable<void> {
    const { stream } = this;
    // A purge of what is still to come moves the end.
    stream.movedTo(stream.store.state.lastSeq);
    stream.countUsage();
    stream.schedules.purged();
    yield* stream.consumers.purged({ below, filter });
    stream.touch();
  }
}

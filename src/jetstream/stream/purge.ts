/**
 * Removing many messages at once in slices (`sweep.ts`): oldest first, or subject by subject where few match. What is to go is decided when it begins: messages
 * that come meanwhile stay.
 * Spec: streams, section 2.6.
 */
import { hasWildcard } from "../../routing/index.ts";
import type { PurgeNotice } from "../seams.ts";
import type { Filters } from "../store/index.ts";
import type { Stream } from "./stream.ts";
import type { Sweep } from "./sweep.ts";
import { ALL } from "./trim.ts";

/** Sequences that are given up in one go. */
const COMPACT_SEQUENCES = 8_192;
/** Messages that are looked at in one step. */
const LOOKS = 4_096;
/** To find a message by its subject costs as much as to look at so many. */
const LOOKS_PER_FOUND = 8;
/** So many sequences are sorted in less than a slice. */
const SORTED_MOST = 65_536;

export interface PurgeRequest {
  /** Byte string; undefined: all subjects. */
  readonly filter: string | undefined;
  /** Messages below this go; 0: not asked for. */
  readonly seq: number;
  /** So many of the newest stay; 0: not asked for. */
  readonly keep: number;
}

/** What a sweep removed of messages that were picked by their subject: the sequence of the latest. */
interface Picked {
  last: number;
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
    const { messages } = store.state;
    if (keep === 0) return sweeps.run("purge", this.#purgeBelow(seq > 0 ? seq : lastSeq + 1, filters), messages);
    return sweeps.run("purge", this.#keep(filters, keep, lastSeq + 1), Math.max(0, messages - keep));
  }

  /** Messages below `seq` that match go; without a filter all. */
  removeBelow(seq: number, filter: string | undefined): void {
    void this.stream.sweeps.run("purge", this.#removeBelow(seq, filter === undefined ? ALL : [filter]));
  }

  #clear(): number {
    this.hasBegun = true;
    const { messages } = this.stream.store.clear();
    // Nothing is left to be counted.
    for (const _ of this.#told({ below: this.stream.lastSeq + 1, filter: undefined })) continue;
    return messages;
  }

  /** The newest messages below `end` stay, so many of them. */
  *#keep(filters: Filters, keep: number, end: number): Sweep {
    const total = yield* this.#count(filters);
    if (keep >= total) {
      for (const _ of this.#told({ below: 0, filter: filters[0] })) yield 0;
      return 0;
    }
    if (filters.length > 0 && total <= SORTED_MOST && this.#isFew(total, end)) {
      const sequences = yield* this.#sequences(filters, end);
      const going = sequences.length - keep;
      return going <= 0 ? 0 : yield* this.#removeThese(sequences.subarray(0, going), sequences[going], filters);
    }
    const at = yield* this.#keepFrom(filters, keep, total, end);
    return at === 0 ? 0 : yield* this.#purgeBelow(at, filters, total - keep === 1 && filters.length === 0 ? this.stream.store.state.firstSeq : undefined);
  }

  /** Who asks for everything below a sequence moves consumers there, also when nothing has to go. */
  *#purgeBelow(below: number, filters: Filters, only?: number): Sweep {
    if (filters.length === 0 && below <= 1) return 0;
    const picked: Picked = { last: 0 };
    const removed = filters.length > 0 ? yield* this.#removeMatching(below, filters, picked) : yield* this.#compact(below);
    for (const _ of this.#told({ below, filter: filters[0], ...single(removed, picked.last > 0 ? picked.last : only) })) yield removed;
    return removed;
  }

  *#removeBelow(below: number, filters: Filters): Sweep {
    const picked: Picked = { last: filters.length > 0 ? 0 : this.stream.store.state.firstSeq };
    const removed = filters.length > 0 ? yield* this.#removeMatching(below, filters, picked) : yield* this.#compact(below);
    if (removed > 0) for (const _ of this.#told({ below, filter: filters[0], ...single(removed, picked.last) })) yield removed;
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

  *#removeMatching(below: number, filters: Filters, picked: Picked): Sweep {
    const isOne = filters.length === 1 && !hasWildcard(filters[0]);
    return !isOne && this.#isFew(yield* this.#count(filters), below) ? yield* this.#removeBySubject(below, filters, picked) : yield* this.#removeInOrder(below, filters, picked);
  }

  /** Whether so many messages that match are found sooner by their subjects than among all below a sequence. */
  #isFew(total: number, below: number): boolean {
    const { firstSeq, messages } = this.stream.store.state;
    return total * LOOKS_PER_FOUND < Math.min(messages, below - firstSeq);
  }

  *#count(filters: Filters): Sweep {
    const count = this.stream.store.countMatching(filters);
    for (let step = count.next(); ; step = count.next()) {
      if (step.done === true) return step.value;
      yield 0;
    }
  }

  *#removeInOrder(below: number, filters: Filters, picked: Picked): Sweep {
    const { store } = this.stream;
    let removed = 0;
    for (let seq = store.nextWithin(filters, 1, LOOKS); seq !== 0 && Math.abs(seq) < below; seq = store.nextWithin(filters, seq < 0 ? -seq : seq + 1, LOOKS)) {
      if (seq > 0 && store.remove(seq, false) !== undefined) {
        removed++;
        picked.last = seq;
      }
      yield removed;
    }
    return removed;
  }

  *#removeBySubject(below: number, filters: Filters, picked: Picked): Sweep {
    let removed = 0;
    for (const subject of this.stream.store.subjects(filters)) {
      if (subject === undefined) yield removed;
      else {
        const before = removed;
        for (const more of this.#removeInOrder(below, [subject], picked)) yield (removed = before + more);
      }
    }
    return removed;
  }

  *#removeThese(sequences: Float64Array, below: number, filters: Filters): Sweep {
    const { store } = this.stream;
    let removed = 0;
    for (const seq of sequences) {
      if (store.remove(seq, false) !== undefined) removed++;
      yield removed;
    }
    for (const _ of this.#told({ below, filter: filters[0], ...single(removed, sequences[0]) })) yield removed;
    return removed;
  }

  /** Sequences below `end` of the messages that match, sorted. */
  *#sequences(filters: Filters, end: number): Generator<number, Float64Array, void> {
    const { store } = this.stream;
    const found: number[] = [];
    for (const subject of store.subjects(filters)) {
      yield 0;
      if (subject === undefined) continue;
      const own = [subject];
      for (let seq = store.nextWithin(own, 1, LOOKS); seq !== 0 && Math.abs(seq) < end; seq = store.nextWithin(own, seq < 0 ? -seq : seq + 1, LOOKS)) {
        if (seq > 0) found.push(seq);
        yield 0;
      }
    }
    return Float64Array.from(found).sort();
  }

  /** Sequence of the oldest message that stays, from whichever end is nearer; 0 when all of them do. */
  *#keepFrom(filters: Filters, keep: number, total: number, end: number): Sweep {
    const { store, lastSeq } = this.stream;
    // Counted together with newer ones the messages do not tell how many of them go.
    if (keep > total - keep && lastSeq < end) {
      let at = 0;
      for (let left = total - keep; left >= 0; yield 0) {
        const seq = store.nextWithin(filters, at + 1, LOOKS);
        if (seq === 0) return 0;
        at = seq > 0 ? seq : -seq - 1;
        if (seq > 0) left--;
      }
      return Math.min(at, end);
    }
    let at = end;
    for (let left = keep; left > 0; yield 0) {
      const seq = store.previousWithin(filters, at - 1, LOOKS);
      if (seq === 0) return 0;
      at = seq > 0 ? seq : 1 - seq;
      if (seq > 0) left--;
    }
    return at;
  }

  *#told(notice: PurgeNotice): Iterable<void> {
    const { stream } = this;
    // A purge of what is still to come moves the end.
    stream.movedTo(stream.store.state.lastSeq);
    stream.countUsage();
    stream.schedules.purged();
    yield* stream.consumers.purged(notice);
    stream.touch();
  }
}

/** Which message went, when it was one among others. */
function single(removed: number, picked: number | undefined): { readonly only?: number } {
  return removed === 1 && picked !== undefined ? { only: picked } : {};
}

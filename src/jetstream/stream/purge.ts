/** Removing many messages at once. Spec: streams, section 2.6. */
import { hasWildcard, subjectMatches } from "../../routing/index.ts";
import type { Stream } from "./stream.ts";
import { ALL } from "./trim.ts";

export interface PurgeRequest {
  /** Byte string; undefined: all subjects. */
  readonly filter: string | undefined;
  /** Messages below this go; 0: not asked for. */
  readonly seq: number;
  /** So many of the newest stay; 0: not asked for. */
  readonly keep: number;
}

export class Purger {
  constructor(private readonly stream: Stream) {}

  /** Carries a request out; returns how many messages went. */
  purge({ filter, seq, keep }: PurgeRequest): number {
    const { store } = this.stream;
    const purgesAll = filter === undefined || filter === ">";
    if (purgesAll && seq === 0 && keep === 0) return this.clear();
    const filters = purgesAll ? ALL : [filter];
    const below = keep > 0 ? this.#keepFrom(filters, keep) : seq > 0 ? seq : this.stream.lastSeq + 1;
    if (below <= 1) return 0;
    if (!purgesAll) return this.removeBelow(below, filter);
    const { messages } = store.compact(below);
    this.#told(below, undefined);
    return messages;
  }

  clear(): number {
    const { messages } = this.stream.store.clear();
    this.#told(this.stream.lastSeq + 1, undefined);
    return messages;
  }

  /** Removes messages below `seq` that match; without a filter all. Returns how many. */
  removeBelow(seq: number, filter: string | undefined): number {
    const { store } = this.stream;
    if (filter === undefined) {
      const { messages } = store.compact(seq);
      if (messages > 0) this.#told(seq, undefined);
      return messages;
    }
    let removed = 0;
    if (!hasWildcard(filter)) removed = this.#removeSubject(filter, seq);
    else {
      const subjects = [...store.subjects([filter])].map(([subject]) => subject).filter((subject) => subjectMatches(subject, filter));
      for (const subject of subjects) removed += this.#removeSubject(subject, seq);
    }
    if (removed > 0) this.#told(seq, filter);
    return removed;
  }

  #removeSubject(subject: string, below: number): number {
    const { store } = this.stream;
    let removed = 0;
    for (let state = store.subjectState(subject); state !== undefined && state.first < below; state = store.subjectState(subject)) {
      if (store.remove(state.first, false) === undefined) break;
      removed++;
    }
    return removed;
  }

  /** Sequence of the oldest message that stays; 0 when all do. */
  #keepFrom(filters: readonly string[], keep: number): number {
    const { store } = this.stream;
    const total = store.countPending(filters, 0, false);
    if (keep >= total) return 0;
    // From whichever end is nearer.
    if (keep <= total - keep) {
      let at = this.stream.lastSeq + 1;
      for (let left = keep; left > 0; left--) at = store.previous(filters, at - 1, undefined);
      return at;
    }
    let at = 0;
    for (let left = total - keep; left >= 0; left--) at = store.next(filters, at + 1, undefined);
    return at;
  }

  #told(below: number, filter: string | undefined): void {
    const { stream } = this;
    stream.countUsage();
    stream.consumers.purged({ below, filter });
    stream.schedules.purged();
    stream.touch();
  }
}

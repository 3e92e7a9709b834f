/**
 * Going through the messages of a store in steps, because a million of them would hold the loop: messages may come and go between two steps. A scan ends at what was
 * the last sequence when it began. Whoever runs it hears of messages that leave, and sets right what was found before.
 *
 * Numbers of subjects stay good for so long: a message that was there when the scan began, and still is, keeps its subject from being freed.
 */
import type { Counting, Listing, Scanning } from "../message-store.ts";
import type { CompiledFilter } from "./filter.ts";
import type { Search } from "./search.ts";
import type { Segment } from "./segment.ts";
import type { SegmentIndex } from "./segment-index.ts";
import { NO_SUBJECT } from "./subjects.ts";

/** Messages that a step looks at: well below a millisecond when the index is at hand. */
const STEP_MESSAGES = 4096;
/** To look for the last message of a subject costs as much as to look at so many. */
const SEARCH_MESSAGES = 64;

abstract class Scan<S extends Segment> implements Scanning {
  cursor: number;
  readonly end: number;

  constructor(
    protected readonly search: Search<S>,
    from: number,
  ) {
    const { first, lastSeq } = search.state;
    this.cursor = Math.max(from, first);
    this.end = lastSeq;
  }

  step(): boolean {
    const { list } = this.search;
    const { segments } = list;
    for (let i = list.place(this.cursor), left = STEP_MESSAGES; i < segments.length && segments[i].first <= this.end; i++) {
      const segment = segments[i];
      if (segment.live === 0 || segment.last < this.cursor) continue;
      if (left <= 0) return false;
      const index = list.indexOf(segment);
      const from = index.slotFrom(this.cursor);
      const last = index.slotFrom(this.end + 1);
      const to = this.look(index, from, last, left);
      left -= to - from;
      this.cursor = to < last ? index.seqOf(to) : segment.last + 1;
      if (to < last) return false;
    }
    this.cursor = this.end + 1;
    return true;
  }

  /** Looks at the slots `[from, to)`, about `most` of them and at least one; returns the first that is left. */
  protected abstract look(index: SegmentIndex, from: number, to: number, most: number): number;
}

/** Which subjects match, found out once for each. */
class Verdicts<S extends Segment> {
  readonly #known: Uint8Array;

  constructor(
    private readonly search: Search<S>,
    private readonly filter: CompiledFilter,
  ) {
    this.#known = new Uint8Array(search.subjects.capacity);
  }

  has(id: number): boolean {
    if (this.#known[id] === 0) this.#known[id] = this.search.matches(this.filter, id) ? 2 : 1;
    return this.#known[id] === 2;
  }
}

/** Counts messages that match. */
export class CountScan<S extends Segment> extends Scan<S> implements Counting {
  sum = 0;
  readonly #verdicts: Verdicts<S> | undefined;

  constructor(
    search: Search<S>,
    filter: CompiledFilter,
    from: number,
    /** All subjects that match, when they are few: then segments are asked for each of them. */
    private readonly ids: readonly number[] | undefined,
  ) {
    super(search, from);
    this.#verdicts = ids === undefined ? new Verdicts(search, filter) : undefined;
  }

  protected look(index: SegmentIndex, from: number, to: number, most: number): number {
    const verdicts = this.#verdicts;
    if (verdicts === undefined) {
      for (const id of this.ids ?? []) this.sum += index.countOf(id, from, to);
      return to;
    }
    const { ids } = index;
    const end = Math.min(to, from + most);
    for (let slot = from; slot < end; slot++) if (ids[slot] !== NO_SUBJECT && verdicts.has(ids[slot])) this.sum++;
    return end;
  }
}

/** Lists the last message of each subject that matches, those that come meanwhile aside. */
export class LastScan<S extends Segment> extends Scan<S> implements Listing {
  readonly found: number[] = [];
  readonly #verdicts: Verdicts<S>;
  /** The last message up to the end, of subjects that have later ones by now. */
  readonly #lasts = new Map<number, number>();

  constructor(search: Search<S>, filter: CompiledFilter) {
    super(search, 0);
    this.#verdicts = new Verdicts(search, filter);
  }

  protected look(index: SegmentIndex, from: number, to: number, most: number): number {
    const { subjects } = this.search;
    const { ids } = index;
    let slot = from;
    for (let left = most; slot < to && left > 0; slot++, left--) {
      const id = ids[slot];
      if (id === NO_SUBJECT || !this.#verdicts.has(id)) continue;
      const seq = index.seqOf(slot);
      if (subjects.lastIsStale(id)) left -= SEARCH_MESSAGES;
      let last = this.search.lastOf(id);
      if (last > this.end) {
        left -= SEARCH_MESSAGES;
        last = this.#lastUpToEnd(id);
      }
      if (last === seq) this.found.push(seq);
    }
    return slot;
  }

  #lastUpToEnd(id: number): number {
    const known = this.#lasts.get(id);
    if (known !== undefined) return known;
    const last = this.search.previousOf(id, this.end, 0);
    this.#lasts.set(id, last);
    return last;
  }

  removed(seq: number): void {
    if (seq > this.end) return;
    // What was the last may not be it any more.
    this.#lasts.clear();
    const { found } = this;
    let low = 0;
    let high = found.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (found[middle] < seq) low = middle + 1;
      else high = middle;
    }
    if (found[low] === seq) found.splice(low, 1);
  }
}

/**
 * Questions to the indexes of a store: which message comes next, how many match, where are the gaps. Nothing here reads a record. A hit leaves its place in
 * `segment` and `slot`.
 *
 * A filter with wildcards is answered in one of two ways: by the subjects that match, when they are few, each of which is quick to find in a segment; or by
 * going through the messages and judging the subject of each.
 */
import type { Counting, Listing, SubjectState } from "../message-store.ts";
import type { CompiledFilter, Pattern } from "./filter.ts";
import type { LiveState } from "./live-state.ts";
import { CountScan, LastScan } from "./scans.ts";
import type { Segment, SegmentList } from "./segment.ts";
import { NO_SUBJECT, type SubjectTable } from "./subjects.ts";

/** So many subjects are few. */
const FEW_SUBJECTS = 64;
/** Messages that are looked at one by one before the subjects are asked. */
const LOOK_MESSAGES = 256;
/** Places in the tree of subjects that are looked at in one go: about a millisecond. */
const LOOK_SUBJECTS = 16_384;
/** Messages that are counted in one go: 40 ns each at worst. */
const AT_ONCE_MESSAGES = 100_000;

export class Search<S extends Segment> {
  /** Place of the latest hit. */
  segment: S | undefined;
  slot = 0;
  /** How often messages were taken back: then sequences come again with other subjects. */
  takenBack = 0;

  constructor(
    readonly list: SegmentList<S>,
    readonly subjects: SubjectTable,
    readonly state: LiveState,
  ) {}

  matches(filter: CompiledFilter, id: number): boolean {
    if (filter.verdictId === id && filter.verdictEpoch === this.subjects.epoch) return filter.verdict;
    let verdict = filter.all;
    for (let i = 0; !verdict && i < filter.patterns.length; i++) verdict = this.subjects.matches(id, filter.patterns[i]);
    filter.verdictId = id;
    filter.verdictEpoch = this.subjects.epoch;
    return (filter.verdict = verdict);
  }

  #hit(segment: S, slot: number): number {
    this.segment = segment;
    this.slot = slot;
    return this.list.indexOf(segment).seqOf(slot);
  }

  // Forward

  next(filter: CompiledFilter, from: number): number {
    if (from < this.state.first) from = this.state.first;
    if (from > this.state.lastSeq) return 0;
    if (filter.all) return this.nextAny(from);
    if (filter.literal !== undefined) {
      const id = this.subjects.find(filter.literal);
      return id === NO_SUBJECT ? 0 : this.nextOf(id, from, Number.POSITIVE_INFINITY);
    }
    return this.#nextMatching(filter, from);
  }

  nextAny(from: number): number {
    const { segments } = this.list;
    for (let i = this.list.place(from); i < segments.length; i++) {
      const segment = segments[i];
      if (segment.live === 0 || segment.last < from) continue;
      const index = this.list.indexOf(segment);
      const slot = index.nextLive(index.slotFrom(from));
      if (slot >= 0) return this.#hit(segment, slot);
    }
    return 0;
  }

  /** The first message of a subject at or after `from`, if it is below `below`. */
  nextOf(id: number, from: number, below: number): number {
    from = Math.max(from, this.subjects.first(id));
    const to = Math.min(this.subjects.last(id), below - 1);
    if (from > to) return 0;
    const { segments } = this.list;
    for (let i = this.list.place(from); i < segments.length && segments[i].first <= to; i++) {
      const segment = segments[i];
      if (segment.live === 0 || segment.last < from) continue;
      const index = this.list.indexOf(segment);
      const slot = index.nextOf(id, index.slotFrom(from));
      if (slot < 0) continue;
      return index.seqOf(slot) < below ? this.#hit(segment, slot) : 0;
    }
    return 0;
  }

  #nextMatching(filter: CompiledFilter, from: number): number {
    if (filter.barrenEpoch === this.takenBack && from >= filter.barrenFrom && from < filter.barrenTo) from = filter.barrenTo;
    const start = from;
    const { segments } = this.list;
    let looked = 0;
    for (let i = this.list.place(from); i < segments.length; i++) {
      const segment = segments[i];
      if (segment.live === 0 || segment.last < from) continue;
      const index = this.list.indexOf(segment);
      for (let slot = index.slotFrom(from); slot < index.count; slot++) {
        const id = index.ids[slot];
        if (id === NO_SUBJECT) continue;
        if (this.matches(filter, id)) {
          this.#barren(filter, start, index.seqOf(slot));
          return this.#hit(segment, slot);
        }
        if (++looked !== LOOK_MESSAGES) continue;
        const few = this.#few(filter);
        if (few === undefined) continue;
        const seq = this.#firstOfFew(few, start);
        this.#barren(filter, start, seq === 0 ? this.state.lastSeq + 1 : seq);
        return seq;
      }
    }
    this.#barren(filter, start, this.state.lastSeq + 1);
    return 0;
  }

  #barren(filter: CompiledFilter, from: number, to: number): void {
    if (filter.barrenEpoch === this.takenBack && from <= filter.barrenTo && from >= filter.barrenFrom) filter.barrenTo = Math.max(filter.barrenTo, to);
    else {
      filter.barrenEpoch = this.takenBack;
      filter.barrenFrom = from;
      filter.barrenTo = to;
    }
  }

  #firstOfFew(ids: readonly number[], from: number): number {
    let best = 0;
    for (const id of ids) {
      const seq = this.nextOf(id, from, best === 0 ? Number.POSITIVE_INFINITY : best);
      if (seq !== 0) best = seq;
    }
    // Leaves the cursor at the winner, which need not be the last hit.
    return best === 0 ? 0 : this.nextAny(best);
  }

  // Backward

  previous(filter: CompiledFilter, from: number): number {
    if (from > this.state.lastSeq) from = this.state.lastSeq;
    if (from < this.state.first || this.state.messages === 0) return 0;
    if (filter.literal !== undefined) {
      const id = this.subjects.find(filter.literal);
      return id === NO_SUBJECT ? 0 : this.previousOf(id, from, 0);
    }
    return this.#previousMatching(filter, from);
  }

  /** The last message of a subject at or before `from`, if it is above `above`. */
  previousOf(id: number, from: number, above: number): number {
    from = Math.min(from, this.subjects.last(id));
    const to = Math.max(this.subjects.first(id), above + 1);
    if (from < to) return 0;
    const { segments } = this.list;
    for (let i = this.list.place(from); i >= 0 && segments[i].last >= to; i--) {
      const segment = segments[i];
      if (segment.live === 0 || segment.first > from) continue;
      const index = this.list.indexOf(segment);
      const slot = index.previousOf(id, index.slotFrom(from + 1) - 1);
      if (slot < 0) continue;
      return index.seqOf(slot) > above ? this.#hit(segment, slot) : 0;
    }
    return 0;
  }

  #previousMatching(filter: CompiledFilter, from: number): number {
    const { segments } = this.list;
    let looked = 0;
    for (let i = this.list.place(from); i >= 0; i--) {
      const segment = segments[i];
      if (segment.live === 0 || segment.first > from) continue;
      const index = this.list.indexOf(segment);
      for (let slot = index.slotFrom(from + 1) - 1; slot >= 0; slot--) {
        const id = index.ids[slot];
        if (id === NO_SUBJECT) continue;
        if (filter.all || this.matches(filter, id)) return this.#hit(segment, slot);
        if (++looked !== LOOK_MESSAGES) continue;
        const few = this.#few(filter);
        if (few === undefined) continue;
        let best = 0;
        for (const fewId of few) best = this.previousOf(fewId, from, best) || best;
        return best === 0 ? 0 : this.nextAny(best);
      }
    }
    return 0;
  }

  // Subjects

  /** Calls `visit` for each subject that matches until it returns false; returns whether it never did. Looks at `nodes` places per pattern at most, else returns false. */
  eachSubject(filter: CompiledFilter, visit: (id: number) => boolean, nodes = Number.POSITIVE_INFINITY): boolean {
    const { patterns } = filter;
    if (filter.all) return this.subjects.each(EVERYTHING, visit, nodes);
    if (filter.areApart) return patterns.every((pattern) => this.subjects.each(pattern, visit, nodes));
    for (let i = 0; i < patterns.length; i++) {
      const seenBefore = (id: number): boolean => patterns.slice(0, i).some((pattern) => this.subjects.matches(id, pattern));
      if (!this.subjects.each(patterns[i], (id) => seenBefore(id) || visit(id), nodes)) return false;
    }
    return true;
  }

  /** Subjects that match, if they are few. */
  #few(filter: CompiledFilter): number[] | undefined {
    const ids: number[] = [];
    return this.eachSubject(filter, (id) => ids.push(id) <= FEW_SUBJECTS, LOOK_SUBJECTS) ? ids : undefined;
  }

  firstOf(id: number): number {
    if (this.subjects.firstIsStale(id)) this.subjects.setFirst(id, this.nextOf(id, 0, Number.POSITIVE_INFINITY), false);
    return this.subjects.first(id);
  }

  lastOf(id: number): number {
    if (this.subjects.lastIsStale(id)) this.subjects.setLast(id, this.previousOf(id, this.state.lastSeq, 0), false);
    return this.subjects.last(id);
  }

  subjectState(id: number): SubjectState {
    return { messages: this.subjects.messages(id), first: this.firstOf(id), last: this.lastOf(id) };
  }

  // Counting

  /** What there is of patterns that are apart; undefined when too many subjects have to be looked at. */
  total({ patterns }: CompiledFilter): { readonly messages: number; readonly subjects: number } | undefined {
    let messages = 0;
    let subjects = 0;
    for (const pattern of patterns) {
      const total = this.subjects.total(pattern, LOOK_SUBJECTS);
      if (total === undefined) return undefined;
      messages += total.messages;
      subjects += total.subjects;
    }
    return { messages, subjects };
  }

  /** Messages at or after `from` that match: a number where it is found soon. */
  count(filter: CompiledFilter, from: number): number | Counting {
    const { first, lastSeq, messages } = this.state;
    if (from > lastSeq || messages === 0) return 0;
    if (filter.all) return this.#countAny(from);
    const total = filter.areApart ? this.total(filter) : undefined;
    if (total !== undefined) {
      if (from <= first || total.messages === 0) return total.messages;
      if (total.messages === messages) return this.#countAny(from);
    }
    const few = this.#few(filter);
    if (few !== undefined) return this.#countFew(filter, few, from);
    // Whichever is the least to look at: the subjects, the messages from there on, or those before.
    const ahead = lastSeq - from + 1;
    const behind = total === undefined ? Number.POSITIVE_INFINITY : from - first;
    if (total !== undefined && total.subjects * 4 < Math.min(behind, ahead) && total.subjects <= LOOK_SUBJECTS) {
      const sum = this.#countBySubjects(filter, from);
      if (sum !== undefined) return sum;
    }
    if (total !== undefined && behind < ahead && behind <= AT_ONCE_MESSAGES) return total.messages - this.#countMatching(filter, first, from - 1);
    return ahead <= AT_ONCE_MESSAGES ? this.#countMatching(filter, from, lastSeq) : new CountScan(this, filter, from, undefined);
  }

  /** Subjects whose first message is at or after `from` are counted, the others are looked for. */
  #countFew(filter: CompiledFilter, few: readonly number[], from: number): number | Counting {
    let sum = 0;
    const partly: number[] = [];
    for (const id of few) {
      if (from <= this.subjects.first(id)) sum += this.subjects.messages(id);
      else if (from <= this.subjects.last(id)) partly.push(id);
    }
    if (partly.length > 0 && this.state.lastSeq - from >= AT_ONCE_MESSAGES) return new CountScan(this, filter, from, few);
    for (const id of partly) sum += this.#countOf(id, from);
    return sum;
  }

  #countAny(from: number): number {
    if (from <= this.state.first) return this.state.messages;
    const { segments } = this.list;
    let sum = 0;
    for (let i = this.list.place(from); i < segments.length; i++) {
      const segment = segments[i];
      if (segment.live === 0 || segment.last < from) continue;
      if (segment.first >= from) sum += segment.live;
      else {
        const index = this.list.indexOf(segment);
        sum += index.countLive(index.slotFrom(from), index.count);
      }
    }
    return sum;
  }

  #countOf(id: number, from: number): number {
    const to = this.subjects.last(id);
    const { segments } = this.list;
    let sum = 0;
    for (let i = this.list.place(from); i < segments.length && segments[i].first <= to; i++) {
      const segment = segments[i];
      if (segment.live === 0 || segment.last < from) continue;
      const index = this.list.indexOf(segment);
      sum += index.countOf(id, index.slotFrom(from), index.count);
    }
    return sum;
  }

  /** Undefined when too many subjects have messages on both sides. */
  #countBySubjects(filter: CompiledFilter, from: number): number | undefined {
    let sum = 0;
    const partly: number[] = [];
    const isComplete = this.eachSubject(filter, (id) => {
      if (from <= this.subjects.first(id)) sum += this.subjects.messages(id);
      else if (from <= this.subjects.last(id)) partly.push(id);
      return partly.length <= FEW_SUBJECTS;
    });
    if (!isComplete) return undefined;
    for (const id of partly) sum += this.#countOf(id, from);
    return sum;
  }

  #countMatching(filter: CompiledFilter, from: number, to: number): number {
    const verdicts = new Uint8Array(this.subjects.capacity);
    const { segments } = this.list;
    let sum = 0;
    for (let i = this.list.place(from); i < segments.length && segments[i].first <= to; i++) {
      const segment = segments[i];
      if (segment.live === 0 || segment.last < from) continue;
      const index = this.list.indexOf(segment);
      const end = index.slotFrom(to + 1);
      for (let slot = index.slotFrom(from); slot < end; slot++) {
        const id = index.ids[slot];
        if (id === NO_SUBJECT) continue;
        if (verdicts[id] === 0) verdicts[id] = this.matches(filter, id) ? 2 : 1;
        sum += verdicts[id] >>> 1;
      }
    }
    return sum;
  }

  // Others

  nextMarked(mask: number, from: number): number {
    if (from < this.state.first) from = this.state.first;
    const { segments } = this.list;
    for (let i = this.list.place(from); i < segments.length; i++) {
      const segment = segments[i];
      if (segment.live === 0 || segment.last < from || (segment.marksUnion & mask) === 0) continue;
      const index = this.list.indexOf(segment);
      const { marks, ids, count } = index;
      if (marks === undefined) continue;
      for (let slot = index.slotFrom(from); slot < count; slot++) if ((marks[slot] & mask) !== 0 && ids[slot] !== 0) return this.#hit(segment, slot);
    }
    return 0;
  }

  lastPerSubject(filter: CompiledFilter, upTo: number, max: number): number[] | undefined {
    const found: number[] = [];
    const complete = this.eachSubject(filter, (id) => {
      const last = this.lastOf(id);
      const seq = last <= upTo ? last : this.previousOf(id, upTo, 0);
      return seq === 0 || found.push(seq) <= max;
    });
    return complete ? found.sort((a, b) => a - b) : undefined;
  }

  listLast(filter: CompiledFilter): number[] | Listing {
    const subjects = filter.all ? this.subjects.count : filter.areApart ? this.total(filter)?.subjects : undefined;
    if (subjects !== undefined && subjects <= LOOK_SUBJECTS) return this.lastPerSubject(filter, this.state.lastSeq, subjects) ?? [];
    return new LastScan(this, filter);
  }

  deletedRanges(): [number, number][] {
    const ranges: [number, number][] = [];
    let expected = this.state.first;
    for (const segment of this.list.segments) {
      if (segment.live === 0) continue;
      const index = this.list.indexOf(segment);
      for (let slot = index.nextLive(index.slotFrom(expected)); slot >= 0; slot = index.nextLive(slot + 1)) {
        const seq = index.seqOf(slot);
        if (seq > expected) ranges.push([expected, seq - 1]);
        expected = seq + 1;
      }
    }
    if (this.state.messages > 0 && expected <= this.state.lastSeq) ranges.push([expected, this.state.lastSeq]);
    return ranges;
  }
}

const EVERYTHING: Pattern = { tokens: [">"], isOpen: true };

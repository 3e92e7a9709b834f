/**
 * Questions to the indexes of a store: which message comes next, how many match, where are the gaps. Nothing here reads a record. A hit leaves its place in
 * `segment` and `slot`.
 *
 * A filter with wildcards is answered in one of two ways: by the subjects that match, when they are few, each of which is quick to find in a segment; or by
 * going through the messages and judging the subject of each.
 */
import type { Counting, Listing, SubjectState } from "../message-store.ts";
import { ASK_AFTER_MESSAGES, type CompiledFilter, type Pattern, STAR } from "./filter.ts";
import type { LiveState } from "./live-state.ts";
import { CountScan, LastScan } from "./scans.ts";
import type { Segment, SegmentList } from "./segment.ts";
import { NOT_YET } from "./subject-walk.ts";
import { NO_SUBJECT, type SubjectTable } from "./subjects.ts";

/** So many subjects are few. */
const FEW_SUBJECTS = 64;
/** Messages that are looked at one by one before the subjects are asked. */
const LOOK_MESSAGES = 256;
/** Places in the tree of subjects that are looked at in one go: about a millisecond. */
const LOOK_SUBJECTS = 16_384;
/** Messages that are counted in one go: 40 ns each at worst. */
const AT_ONCE_MESSAGES = 100_000;
/** Nodes of the tree of subjects that are looked at in one step, and slots of an index. */
const STEP_NODES = 512;
const STEP_SLOTS = 4096;
/** To find out whether the subjects are few, so many nodes are looked at. */
const FEW_NODES = 4096;
/** A bounded search asks that at least once in so many messages. */
const ASK_AFTER_MOST = 1 << 16;

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
    return this.#nextMatching(filter, from, Number.POSITIVE_INFINITY);
  }

  /** As `next`, but looks at no more than `most` messages, or one segment for one subject; then returns minus the sequence to go on from. */
  nextWithin(filter: CompiledFilter, from: number, most: number): number {
    if (from < this.state.first) from = this.state.first;
    if (from > this.state.lastSeq) return 0;
    if (filter.all) return this.nextAny(from);
    if (filter.literal === undefined) return this.#nextMatching(filter, from, most);
    const id = this.subjects.find(filter.literal);
    if (id === NO_SUBJECT) return 0;
    from = Math.max(from, this.subjects.first(id));
    const { segments } = this.list;
    let place = this.list.place(from);
    while (place < segments.length && (segments[place].live === 0 || segments[place].last < from)) place++;
    if (place >= segments.length || segments[place].first > this.subjects.last(id)) return 0;
    const end = segments[place].last + 1;
    return this.nextOf(id, from, end) || -end;
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
      if (segment.live === 0 || segment.last < from || segment.members?.has(id) === false) continue;
      const index = this.list.indexOf(segment);
      const slot = index.nextOf(id, index.slotFrom(from));
      if (slot < 0) continue;
      return index.seqOf(slot) < below ? this.#hit(segment, slot) : 0;
    }
    return 0;
  }

  #nextMatching(filter: CompiledFilter, from: number, most: number): number {
    if (filter.barrenEpoch === this.takenBack && from >= filter.barrenFrom && from < filter.barrenTo) from = filter.barrenTo;
    const start = from;
    const { segments } = this.list;
    const isBounded = most < Number.POSITIVE_INFINITY;
    const askAfter = isBounded ? filter.askAfter : LOOK_MESSAGES;
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
        if (++looked === most) {
          const seq = index.seqOf(slot) + 1;
          this.#barren(filter, start, seq);
          return -seq;
        }
        if (looked !== askAfter) continue;
        const few = this.#few(filter);
        if (few === undefined) {
          filter.askAfter = Math.min(askAfter * 2, ASK_AFTER_MOST);
          continue;
        }
        filter.askAfter = ASK_AFTER_MESSAGES;
        const seq = this.#firstOfFew(few, start);
        this.#barren(filter, start, seq === 0 ? this.state.lastSeq + 1 : seq);
        return seq;
      }
      // Indexes of a part of the segments have to be made first.
      if (isBounded && segment.last < this.state.lastSeq) {
        this.#barren(filter, start, segment.last + 1);
        return -(segment.last + 1);
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
    return this.#previousMatching(filter, from, Number.POSITIVE_INFINITY);
  }

  /** As `previous`, but looks at no more than `most` messages, or one segment for one subject; then returns minus the sequence to go on from. */
  previousWithin(filter: CompiledFilter, from: number, most: number): number {
    if (from > this.state.lastSeq) from = this.state.lastSeq;
    if (from < this.state.first || this.state.messages === 0) return 0;
    if (filter.literal === undefined) return this.#previousMatching(filter, from, most);
    const id = this.subjects.find(filter.literal);
    if (id === NO_SUBJECT) return 0;
    from = Math.min(from, this.subjects.last(id));
    const { segments } = this.list;
    let place = this.list.place(from);
    while (place >= 0 && (segments[place].live === 0 || segments[place].first > from)) place--;
    if (place < 0 || segments[place].last < this.subjects.first(id)) return 0;
    const { first } = segments[place];
    return this.previousOf(id, from, first - 1) || goOnBelow(first);
  }

  /** The last message of a subject at or before `from`, if it is above `above`. */
  previousOf(id: number, from: number, above: number): number {
    from = Math.min(from, this.subjects.last(id));
    const to = Math.max(this.subjects.first(id), above + 1);
    if (from < to) return 0;
    const { segments } = this.list;
    for (let i = this.list.place(from); i >= 0 && segments[i].last >= to; i--) {
      const segment = segments[i];
      if (segment.live === 0 || segment.first > from || segment.members?.has(id) === false) continue;
      const index = this.list.indexOf(segment);
      const slot = index.previousOf(id, index.slotFrom(from + 1) - 1);
      if (slot < 0) continue;
      return index.seqOf(slot) > above ? this.#hit(segment, slot) : 0;
    }
    return 0;
  }

  #previousMatching(filter: CompiledFilter, from: number, most: number): number {
    const { segments } = this.list;
    const isBounded = most < Number.POSITIVE_INFINITY;
    let looked = 0;
    for (let i = this.list.place(from); i >= 0; i--) {
      const segment = segments[i];
      if (segment.live === 0 || segment.first > from) continue;
      const index = this.list.indexOf(segment);
      for (let slot = index.slotFrom(from + 1) - 1; slot >= 0; slot--) {
        const id = index.ids[slot];
        if (id === NO_SUBJECT) continue;
        if (filter.all || this.matches(filter, id)) return this.#hit(segment, slot);
        if (++looked === most) return goOnBelow(index.seqOf(slot));
        if (looked !== LOOK_MESSAGES || isBounded) continue;
        const few = this.#few(filter);
        if (few === undefined) continue;
        let best = 0;
        for (const fewId of few) best = this.previousOf(fewId, from, best) || best;
        return best === 0 ? 0 : this.nextAny(best);
      }
      if (isBounded) return goOnBelow(segment.first);
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

  /** As `eachSubject`, in steps between which messages may come and go: `NOT_YET` is where a caller may pause. */
  *walkSubjects(filter: CompiledFilter): Generator<number, void, void> {
    const patterns = filter.all ? [EVERYTHING] : filter.patterns;
    for (let i = 0; i < patterns.length; i++) {
      const before = filter.areApart ? [] : patterns.slice(0, i);
      const walk = this.subjects.walk(patterns[i]);
      try {
        for (let id = walk.next(STEP_NODES); id !== 0; id = walk.next(STEP_NODES)) {
          if (id === NOT_YET || !before.some((pattern) => this.subjects.matches(id, pattern))) yield id;
        }
      } finally {
        walk.close();
      }
    }
  }

  /** Subjects that match, if they are few. */
  #few(filter: CompiledFilter): number[] | undefined {
    const ids: number[] = [];
    return this.eachSubject(filter, (id) => ids.push(id) <= FEW_SUBJECTS, FEW_NODES) ? ids : undefined;
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

  /** The last message at or below `upTo` of each subject that matches, in steps between which messages may come and go; undefined when there are more than `max`. */
  *lastOfEach(filter: CompiledFilter, upTo: number, max: number): Generator<void, number[] | undefined, void> {
    const found: number[] = [];
    for (const id of this.walkSubjects(filter)) {
      if (id === NOT_YET) {
        yield;
        continue;
      }
      const isKnown = !this.subjects.lastIsStale(id) && this.subjects.last(id) <= upTo;
      const seq = isKnown ? this.subjects.last(id) : this.previousOf(id, upTo, 0);
      if (seq !== 0 && found.push(seq) > max) return undefined;
      if (!isKnown || found.length % STEP_NODES === 0) yield;
    }
    return found.sort((a, b) => a - b);
  }

  // Counting

  /** Messages that match, in steps between which messages may come and go. */
  *countMatching(filter: CompiledFilter): Generator<void, number, void> {
    if (filter.all) return this.state.messages;
    let sum = 0;
    if (filter.areApart) for (const pattern of filter.patterns) sum += yield* this.#countPattern(pattern);
    else {
      for (const id of this.walkSubjects(filter)) {
        if (id === NOT_YET) yield;
        else sum += this.subjects.messages(id);
      }
    }
    return sum;
  }

  *#countPattern({ tokens, isOpen }: Pattern): Generator<void, number, void> {
    const { subjects } = this;
    // A last wildcard stands for what every node knows of those below it.
    const before = tokens.slice(0, -1);
    const knows = isOpen ? (node: number) => subjects.messagesBelow(node) : tokens[before.length] === STAR ? (node: number) => subjects.messagesOfChildren(node) : undefined;
    if (knows !== undefined && before.length === 0) return knows(subjects.root);
    const walk = knows === undefined ? subjects.walk({ tokens, isOpen }) : subjects.walk({ tokens: before, isOpen: false }, subjects.root, "nodes");
    let sum = 0;
    try {
      for (let looked = 0, node = walk.next(STEP_NODES); node !== 0; node = walk.next(STEP_NODES)) {
        if (node !== NOT_YET) sum += knows?.(node) ?? subjects.messages(node);
        if (node === NOT_YET || ++looked % STEP_NODES === 0) yield;
      }
    } finally {
      walk.close();
    }
    return sum;
  }

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

  listLast(filter: CompiledFilter): number[] | Listing {
    const subjects = filter.all ? this.subjects.count : filter.areApart ? this.total(filter)?.subjects : undefined;
    if (subjects === undefined || subjects > LOOK_SUBJECTS) return new LastScan(this, filter);
    const found: number[] = [];
    this.eachSubject(filter, (id) => found.push(this.lastOf(id)) > 0);
    return found.sort((a, b) => a - b);
  }

  *deletedRanges(): Generator<readonly [number, number] | undefined, void, void> {
    const { state, list } = this;
    let expected = state.first;
    // Found again for each step: meanwhile segments may come and go.
    for (let at = expected; at <= state.lastSeq; ) {
      const { segments } = list;
      let place = list.place(at);
      while (place < segments.length && (segments[place].live === 0 || segments[place].last < at)) place++;
      if (place >= segments.length) break;
      const segment = segments[place];
      const found: [number, number][] = [];
      const index = list.indexOf(segment);
      const from = index.slotFrom(at);
      const to = Math.min(index.count, from + STEP_SLOTS);
      for (let slot = index.nextLive(from); slot >= 0 && slot < to; slot = index.nextLive(slot + 1)) {
        const seq = index.seqOf(slot);
        if (seq > expected) found.push([expected, seq - 1]);
        expected = seq + 1;
      }
      at = to < index.count ? index.seqOf(to) : segment.last + 1;
      yield* found;
      yield undefined;
    }
    if (state.messages > 0 && expected <= state.lastSeq) yield [expected, state.lastSeq];
  }
}

/** Never zero, which says that there is none: from 0 on downwards there is none either. */
function goOnBelow(seq: number): number {
  return seq <= 1 ? 0 : 1 - seq;
}

const EVERYTHING: Pattern = { tokens: [">"], isOpen: true };

/**
 * What both stores have in common: a log cut into segments, an index for each, the subjects, and the state. Where the bytes of a segment are, and what has to
 * be written down about a removal, is theirs.
 */
import {
  type Counting,
  type Filters,
  type Listing,
  type MessageStore,
  type NewMessage,
  type RemovedMessage,
  StoredMessage,
  type StoreOptions,
  type SubjectPage,
  type SubjectState,
} from "../message-store.ts";
import { CompiledFilter } from "./filter.ts";
import { LiveState } from "./live-state.ts";
import { listSubjects } from "./listing.ts";
import { headerLengthAt, nanosAt, payloadLengthAt, RECORD_HEADER_BYTES, secondsAt, subjectLengthAt } from "./record.ts";
import { Search } from "./search.ts";
import { type Segment, SegmentList } from "./segment.ts";
import type { SegmentIndex } from "./segment-index.ts";
import { NO_SUBJECT, SubjectTable } from "./subjects.ts";
import { NOT_YET } from "./subject-walk.ts";
import type { ByteWindow } from "./window.ts";

export abstract class SegmentedStore<S extends Segment> implements MessageStore {
  abstract readonly kind: "file" | "memory";
  abstract readonly committedSeq: number;
  abstract readonly uncommittedBytes: number;

  readonly state: LiveState;
  readonly subjectTable = new SubjectTable();
  protected readonly list: SegmentList<S>;
  protected readonly search: Search<S>;
  /** Where the record that was located last begins: a window and a byte of its buffer. */
  protected view: ByteWindow | undefined;
  protected viewAt = 0;
  /** Why `locate` failed: the record was erased, which is no damage. */
  protected isErased = false;
  #lastFilters: Filters | undefined;
  #lastCompiled = ALL;
  readonly #compiled = new WeakMap<Filters, CompiledFilter>();
  #firstTimeOf = 0;
  readonly #firstTime = { seconds: 0, nanos: 0 };

  constructor(firstSeq: number) {
    this.state = new LiveState(firstSeq, { firstTime: () => this.#readFirstTime(), subjects: () => this.subjectTable.count });
    this.list = new SegmentList<S>((segment) => this.loadIndex(segment));
    this.search = new Search(this.list, this.subjectTable, this.state);
  }

  // What the stores do differently

  protected abstract loadIndex(segment: S): SegmentIndex;
  /** Finds the record of a slot and leaves it in `view` and `viewAt`; false when it is damaged. */
  protected abstract locate(segment: S, slot: number): boolean;
  /** A segment with room for one more record of so many bytes, for sequence `seq`. */
  protected abstract segmentFor(recordBytes: number, seq: number): S;
  /** Copies the message; returns its place in the segment. */
  protected abstract write(segment: S, seq: number, message: NewMessage): number;
  /** A message was removed, not by moving the floor. `segment` may have become empty. */
  protected abstract onRemoved(segment: S, slot: number, seq: number, erase: boolean): void;
  /** The first sequence moved up; segments before it are empty. */
  protected abstract onFloor(): void;
  protected abstract onDamaged(segment: S, slot: number, seq: number): void;
  protected abstract onSkipped(fromSeq: number): void;
  /** All messages are gone: starts a new segment at `lastSeq + 1` and drops the others. */
  protected abstract onCleared(): void;

  abstract sizeOf(subjectLength: number, headerLength: number, payloadLength: number): number;
  abstract flush(): void;
  abstract sync(): Promise<void>;
  abstract configure(options: StoreOptions): void;
  abstract close(): void;
  abstract destroy(): void;

  // Writing

  append(message: NewMessage): number {
    const { state } = this;
    const seq = state.lastSeq + 1;
    const { subject } = message;
    const headerLength = message.headerEnd - message.headerStart;
    const payloadLength = message.bodyEnd - message.bodyStart;
    const segment = this.segmentFor((RECORD_HEADER_BYTES + subject.length + headerLength + payloadLength + 7) & ~7, seq);
    const offset = this.write(segment, seq, message);
    const size = this.sizeOf(subject.length, headerLength, payloadLength);
    const id = this.subjectTable.intern(subject);
    this.list.indexOf(segment).push(seq, id, offset, size, message.marks);
    this.subjectTable.add(id, seq);
    if (segment.live++ === 0 && segment.last < segment.first) {
      segment.firstSeconds = message.seconds;
      segment.firstNanos = message.nanos;
    }
    segment.liveBytes += size;
    segment.last = seq;
    segment.marksUnion |= message.marks;
    segment.lastSeconds = state.lastSeconds = message.seconds;
    segment.lastNanos = state.lastNanos = message.nanos;
    if (state.messages++ === 0) state.first = seq;
    state.bytes += size;
    state.lastSeq = seq;
    return seq;
  }

  skip(lastSeq: number, seconds: number, nanos: number): void {
    const { state } = this;
    if (lastSeq <= state.lastSeq) return;
    const from = state.lastSeq + 1;
    state.lastSeq = lastSeq;
    state.lastSeconds = seconds;
    state.lastNanos = nanos;
    if (state.messages === 0) state.first = lastSeq + 1;
    this.onSkipped(from);
  }

  // Reading

  load(seq: number, into: StoredMessage): boolean {
    const { segments } = this.list;
    if (seq < this.state.first || seq > this.state.lastSeq || segments.length === 0) return false;
    const segment = segments[this.list.place(seq)];
    const index = this.list.indexOf(segment);
    const slot = index.slotOf(seq);
    return slot >= 0 && this.#fill(segment, slot, seq, into);
  }

  next(filters: Filters, from: number, into: StoredMessage | undefined): number {
    const filter = this.#compile(filters);
    for (;;) {
      const seq = this.search.next(filter, from);
      if (seq === 0 || into === undefined || this.#fillHit(seq, into)) return seq;
    }
  }

  previous(filters: Filters, from: number, into: StoredMessage | undefined): number {
    const filter = this.#compile(filters);
    for (;;) {
      const seq = this.search.previous(filter, from);
      if (seq === 0 || into === undefined || this.#fillHit(seq, into)) return seq;
    }
  }

  nextWithin(filters: Filters, from: number, most: number, into?: StoredMessage): number {
    const filter = this.#compile(filters);
    for (;;) {
      const seq = this.search.nextWithin(filter, from, most);
      if (seq <= 0 || into === undefined || this.#fillHit(seq, into)) return seq;
    }
  }

  previousWithin(filters: Filters, from: number, most: number): number {
    return this.search.previousWithin(this.#compile(filters), from, most);
  }

  nextMarked(mask: number, from: number): number {
    return this.search.nextMarked(mask, from);
  }

  #fillHit(seq: number, into: StoredMessage): boolean {
    const { segment, slot } = this.search;
    return segment !== undefined && this.#fill(segment, slot, seq, into);
  }

  #fill(segment: S, slot: number, seq: number, into: StoredMessage): boolean {
    const id = this.list.indexOf(segment).ids[slot];
    if (!this.locate(segment, slot)) {
      this.#lose(segment, slot, seq);
      return false;
    }
    const { view, viewAt } = this;
    if (view === undefined) return false;
    into.seq = seq;
    into.seconds = secondsAt(view, viewAt);
    into.nanos = nanosAt(view, viewAt);
    into.subject = this.subjectTable.name(id);
    into.buffer = view.buffer;
    into.headerStart = viewAt + RECORD_HEADER_BYTES + subjectLengthAt(view, viewAt);
    into.bodyStart = into.headerStart + headerLengthAt(view, viewAt);
    into.end = into.bodyStart + payloadLengthAt(view, viewAt);
    into.marks = view.words[(viewAt >>> 2) + 3] >>> 24;
    return true;
  }

  #lose(segment: S, slot: number, seq: number): void {
    if (!this.isErased) this.state.lose(seq, this.list.indexOf(segment).sizes[slot]);
    this.onDamaged(segment, slot, seq);
    this.takeOut(segment, slot, seq);
    this.#moveFirst(seq);
  }

  seqAtTime(seconds: number, nanos: number): number {
    const { segments } = this.list;
    const before = (s: number, n: number): boolean => s < seconds || (s === seconds && n < nanos);
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const segment = segments[middle];
      if (before(segment.lastSeconds, segment.lastNanos)) low = middle + 1;
      else high = middle;
    }
    for (; low < segments.length; low++) {
      const segment = segments[low];
      if (segment.live === 0) continue;
      const seq = this.#seqAtTimeIn(segment, before);
      if (seq !== 0) return seq;
    }
    return this.state.lastSeq + 1;
  }

  #seqAtTimeIn(segment: S, before: (seconds: number, nanos: number) => boolean): number {
    const index = this.list.indexOf(segment);
    let low = 0;
    let high = index.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const slot = index.nextLive(middle);
      if (slot < 0 || slot >= high) {
        high = middle;
        continue;
      }
      // Where a record cannot be read its neighbours have to tell.
      if (!this.locate(segment, slot)) {
        this.#lose(segment, slot, index.seqOf(slot));
        continue;
      }
      const { view, viewAt } = this;
      if (view !== undefined && before(secondsAt(view, viewAt), nanosAt(view, viewAt))) low = slot + 1;
      else high = middle;
    }
    const slot = index.nextLive(low);
    return slot < 0 ? 0 : Math.max(index.seqOf(slot), 0);
  }

  #readFirstTime(): { readonly seconds: number; readonly nanos: number } {
    const { first } = this.state;
    while (this.#firstTimeOf !== this.state.first && this.state.messages > 0) {
      const at = this.state.first;
      if (!this.load(at, SCRATCH)) continue;
      this.#firstTime.seconds = SCRATCH.seconds;
      this.#firstTime.nanos = SCRATCH.nanos;
      this.#firstTimeOf = at;
    }
    if (first !== this.state.first && this.state.messages === 0) this.#firstTime.seconds = this.#firstTime.nanos = 0;
    return this.#firstTime;
  }

  // Subjects

  has(seq: number): boolean {
    return this.#subjectIdOf(seq) !== NO_SUBJECT;
  }

  subjectOf(seq: number): string | undefined {
    const id = this.#subjectIdOf(seq);
    return id === NO_SUBJECT ? undefined : this.subjectTable.name(id);
  }

  crowdOf(seq: number): number {
    const id = this.#subjectIdOf(seq);
    return id === NO_SUBJECT ? 0 : this.subjectTable.messages(id);
  }

  #subjectIdOf(seq: number): number {
    const { segments } = this.list;
    if (seq < this.state.first || seq > this.state.lastSeq || segments.length === 0) return NO_SUBJECT;
    const index = this.list.indexOf(segments[this.list.place(seq)]);
    const slot = index.slotOf(seq);
    return slot < 0 ? NO_SUBJECT : index.ids[slot];
  }

  messagesOf(subject: string): number {
    const id = this.subjectTable.find(subject);
    return id === NO_SUBJECT ? 0 : this.subjectTable.messages(id);
  }

  subjectState(subject: string): SubjectState | undefined {
    const id = this.subjectTable.find(subject);
    return id === NO_SUBJECT || this.subjectTable.messages(id) === 0 ? undefined : this.search.subjectState(id);
  }

  *subjects(filters: Filters): Iterable<string | undefined> {
    for (const id of this.search.walkSubjects(this.#compile(filters))) yield id === NOT_YET ? undefined : this.subjectTable.name(id);
  }

  listSubjects(filter: string, page: SubjectPage): Generator<void, number, void> {
    return listSubjects(this.subjectTable, this.#compile([filter]).patterns[0], page);
  }

  count(filters: Filters, from: number): number | Counting {
    return this.search.count(this.#compile(filters), from);
  }

  countMatching(filters: Filters): Generator<void, number, void> {
    return this.search.countMatching(this.#compile(filters));
  }

  listLast(filters: Filters): number[] | Listing {
    return this.search.listLast(this.#compile(filters));
  }

  lastOfEach(filters: Filters, upTo: number, max: number): Generator<void, number[] | undefined, void> {
    return this.search.lastOfEach(this.#compile(filters), upTo, max);
  }

  deletedRanges(): Iterable<readonly [number, number] | undefined> {
    return this.search.deletedRanges();
  }

  /** Callers keep their filters, so an array is taken apart once. */
  #compile(filters: Filters): CompiledFilter {
    if (filters === this.#lastFilters) return this.#lastCompiled;
    let compiled = this.#compiled.get(filters);
    if (compiled === undefined) {
      compiled = new CompiledFilter(filters);
      this.#compiled.set(filters, compiled);
    }
    this.#lastFilters = filters;
    return (this.#lastCompiled = compiled);
  }

  // Removing

  remove(seq: number, erase: boolean): RemovedMessage | undefined {
    const { segments } = this.list;
    if (seq < this.state.first || seq > this.state.lastSeq || segments.length === 0) return undefined;
    const segment = segments[this.list.place(seq)];
    const index = this.list.indexOf(segment);
    const slot = index.slotOf(seq);
    if (slot < 0) return undefined;
    const removed = { seq, subject: this.subjectTable.name(index.ids[slot]), bytes: index.sizes[slot] };
    this.takeOut(segment, slot, seq);
    this.#moveFirst(seq);
    this.onRemoved(segment, slot, seq, erase);
    return removed;
  }

  /** Takes one message out of index, subjects and state. */
  protected takeOut(segment: S, slot: number, seq: number): void {
    const index = this.list.indexOf(segment);
    const size = index.sizes[slot];
    this.subjectTable.subtract(index.ids[slot], seq);
    index.ids[slot] = NO_SUBJECT;
    segment.live--;
    segment.liveBytes -= size;
    this.state.messages--;
    this.state.bytes -= size;
  }

  #moveFirst(removed: number): void {
    const { state } = this;
    if (state.messages === 0) state.first = state.lastSeq + 1;
    else if (removed === state.first) state.first = this.search.nextAny(removed + 1);
  }

  /** Forgets the messages from `firstSeq` on, as if they had never been appended. Segments keep their places. */
  protected takeBack(firstSeq: number, seconds: number, nanos: number): void {
    const { state } = this;
    const { segments } = this.list;
    for (let i = segments.length - 1; i >= 0 && segments[i].last >= firstSeq; i--) {
      const segment = segments[i];
      const index = this.list.indexOf(segment);
      while (index.count > 0 && index.seqOf(index.count - 1) >= firstSeq) {
        const slot = index.count - 1;
        if (index.ids[slot] !== NO_SUBJECT) this.takeOut(segment, slot, index.seqOf(slot));
        index.pop();
      }
      segment.last = Math.max(firstSeq, segment.first) - 1;
    }
    state.lastSeq = firstSeq - 1;
    state.lastSeconds = seconds;
    state.lastNanos = nanos;
    if (state.messages === 0) state.first = firstSeq;
    this.#firstTimeOf = 0;
    this.search.takenBack++;
  }

  compact(seq: number): { readonly messages: number; readonly bytes: number } {
    const { state } = this;
    const { messages, bytes } = state;
    if (seq > state.lastSeq) {
      this.clear();
      if (seq > state.lastSeq + 1) this.skip(seq - 1, state.lastSeconds, state.lastNanos);
      return { messages, bytes };
    }
    if (seq <= state.first) return { messages: 0, bytes: 0 };
    const { segments } = this.list;
    for (let i = 0; i < segments.length && segments[i].first < seq; i++) {
      const segment = segments[i];
      if (segment.live === 0) continue;
      const index = this.list.indexOf(segment);
      const end = index.slotFrom(seq);
      for (let slot = index.nextLive(0); slot >= 0 && slot < end; slot = index.nextLive(slot + 1)) this.takeOut(segment, slot, index.seqOf(slot));
    }
    state.first = state.messages === 0 ? state.lastSeq + 1 : this.search.nextAny(seq);
    this.onFloor();
    return { messages: messages - state.messages, bytes: bytes - state.bytes };
  }

  clear(): { readonly messages: number; readonly bytes: number } {
    const { state } = this;
    const { messages, bytes } = state;
    if (messages === 0) return { messages, bytes };
    this.subjectTable.clear();
    state.messages = 0;
    state.bytes = 0;
    state.first = state.lastSeq + 1;
    this.onCleared();
    return { messages, bytes };
  }
}

const ALL = new CompiledFilter([]);
const SCRATCH = new StoredMessage();

/**
 * Where the messages of one stream are kept. The interface is synchronous: what was appended can be read at once, and `flush`, called once at the end of
 * each turn, hands all of it to the kernel in one write. Only then (or, with `sync: "always"`, once it is on the device) are messages *committed*, which is
 * when the stream acknowledges them and consumers may see them.
 *
 * The store knows sequences, subjects, times and bytes. It knows no limits, no retention and no headers: those are the stream's. A stream that is replicated
 * later drives it through the same calls.
 *
 * Subjects are byte strings; filters are subjects that may hold wildcards. Times are whole seconds and nanoseconds since the Unix epoch. Sizes follow the
 * accounting that users see (file: 30 + subject + payload, + 4 + headers when there are any; memory: 16 + subject + headers + payload).
 */

/** One stored message: a view that the next call to the store may overwrite. */
export class StoredMessage {
  seq = 0;
  seconds = 0;
  nanos = 0;
  /** Byte string. */
  subject = "";
  /** Holds the header block in `[headerStart, bodyStart)` and the payload in `[bodyStart, end)`. */
  buffer: Buffer = EMPTY;
  headerStart = 0;
  bodyStart = 0;
  end = 0;
  /** What the stream gave at `append`. */
  marks = 0;
}

const EMPTY = Buffer.alloc(0);

/** What is stored. The bytes are copied before `append` returns. */
export interface NewMessage {
  /** Byte string. */
  readonly subject: string;
  readonly seconds: number;
  readonly nanos: number;
  /** Holds the header block, possibly empty, in `[headerStart, headerEnd)` and the payload in `[bodyStart, bodyEnd)`. */
  readonly headerBytes: Uint8Array;
  readonly headerStart: number;
  readonly headerEnd: number;
  readonly bodyBytes: Uint8Array;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  /** Eight bits of the stream's own (see `nextMarked`), kept in the index. */
  readonly marks: number;
}

export interface StoreState {
  readonly messages: number;
  readonly bytes: number;
  /** First stored message; `lastSeq + 1` when there is none, except in a new store: 0. */
  readonly firstSeq: number;
  /** Zero seconds and nanoseconds when there is no message. */
  readonly firstSeconds: number;
  readonly firstNanos: number;
  /** Highest sequence that was ever given out or skipped. */
  readonly lastSeq: number;
  readonly lastSeconds: number;
  readonly lastNanos: number;
  readonly subjects: number;
  /** Sequences between first and last that are not there. */
  readonly deleted: number;
  /** Records that could not be read back; they count as deleted. */
  readonly lost: { readonly sequences: readonly number[]; readonly bytes: number } | undefined;
}

export interface SubjectState {
  readonly messages: number;
  readonly first: number;
  readonly last: number;
}

/** A part of a sorted list of subjects. */
export interface SubjectPage {
  readonly offset: number;
  readonly limit: number;
  show(subject: string, messages: number): void;
}

/** What a removed message was. */
export interface RemovedMessage {
  readonly seq: number;
  readonly subject: string;
  readonly bytes: number;
}

export interface StoreEvents {
  /** Everything up to `seq` (messages, removals) is as safe as the sync policy asks for. Called during `flush`, or later. */
  onCommitted(seq: number): void;
  /**
   * A write failed (disk full, I/O error): messages from `firstSeq` to the present last were taken back as if they had never been appended; the next one appended gets
   * `firstSeq` again. Removals that were not written are kept in memory and written with the next flush.
   */
  onFailed(firstSeq: number, error: Error): void;
}

/** A question to a store that takes long to answer. Messages may come and go between two steps; what is taken back (`StoreEvents`) or cleared makes it worthless. */
export interface Scanning {
  /** All messages below were looked at. */
  readonly cursor: number;
  /** The last sequence when it began; later messages are not looked at. */
  readonly end: number;
  /** Goes on for less than a millisecond; says whether it is done. */
  step(): boolean;
}

export interface Counting extends Scanning {
  /** So many messages were found that match. Those that left since are still in it. */
  readonly sum: number;
}

export interface Listing extends Scanning {
  /** Sequences that were found, ascending. */
  readonly found: number[];
  /** A message left the store. */
  removed(seq: number): void;
}

/** A filter over subjects: no entry means every subject; several are alternatives, and a message that matches more than one counts once. */
export type Filters = readonly string[];

export interface MessageStore {
  readonly kind: "file" | "memory";
  readonly state: StoreState;
  /** Highest committed sequence. */
  readonly committedSeq: number;
  /** Appended bytes that are not committed yet. */
  readonly uncommittedBytes: number;

  /** Bytes that a message counts for. */
  sizeOf(subjectLength: number, headerLength: number, payloadLength: number): number;
  /** Stores under `lastSeq + 1`, which is returned. The caller sees to it that times do not decrease. */
  append(message: NewMessage): number;
  /** Uses up sequences up to and including `lastSeq` without storing (a mirror's gaps, a message nobody is interested in). The last time becomes this one. */
  skip(lastSeq: number, seconds: number, nanos: number): void;

  /** Fills `into`; false when there is no such message. A damaged record is reported to the log, counted in `lost`, and is not there from then on. */
  load(seq: number, into: StoredMessage): boolean;
  /** The first message at or after `from` that matches; returns its sequence, 0 when there is none. With `into`, fills it. */
  next(filters: Filters, from: number, into: StoredMessage | undefined): number;
  /** The last message at or before `from` that matches; 0 when there is none. */
  previous(filters: Filters, from: number, into: StoredMessage | undefined): number;
  /** As `next`, but looks at no more than about `most` messages: then it returns minus the sequence to go on from. */
  nextWithin(filters: Filters, from: number, most: number, into?: StoredMessage): number;
  previousWithin(filters: Filters, from: number, most: number): number;
  /** The first message at or after `from` that was stored with one of the bits of `mask`; 0 when there is none. Reads no record. */
  nextMarked(mask: number, from: number): number;
  /** First sequence whose time is at or after the given one; `lastSeq + 1` when there is none. */
  seqAtTime(seconds: number, nanos: number): number;

  /** Whether there is such a message, without reading it. */
  has(seq: number): boolean;
  /** Subject of a message, without reading it; undefined when it is not there. */
  subjectOf(seq: number): string | undefined;
  /** How many messages the subject of a message has, without reading it; 0 when it is not there. */
  crowdOf(seq: number): number;
  /** How many messages a subject has. Quick: where its first and last are need not be known. */
  messagesOf(subject: string): number;
  /** Undefined when nothing is stored under the subject. */
  subjectState(subject: string): SubjectState | undefined;
  /**
   * Subjects that match, in no particular order and in steps: `undefined` is where a caller may pause. Messages may come and go between two of them: what is there all
   * the time is told once. A caller that does not go through to the end ends the iteration (as `for of` does).
   */
  subjects(filters: Filters): Iterable<string | undefined>;
  /** Shows a page of the subjects that match in order of their bytes, in steps; returns how many match. */
  listSubjects(filter: string, page: SubjectPage): Generator<void, number, void>;
  /** Messages that match, counted in steps. */
  countMatching(filters: Filters): Generator<void, number, void>;
  /** Messages at or after `from` that match: the number where that is known soon, else what counts them in steps. Never reads records. */
  count(filters: Filters, from: number): number | Counting;
  /** Sequences, ascending, of the last message of each subject that matches: the list where that is found soon, else what finds it in steps. */
  listLast(filters: Filters): number[] | Listing;
  /** The same of messages at or below `upTo`, in steps between which messages may come and go; undefined when there are more than `max`. */
  lastOfEach(filters: Filters, upTo: number, max: number): Generator<void, number[] | undefined, void>;
  /** Gaps between first and last as `[first, last]` pairs, ascending, in steps: `undefined` is where a caller may pause. */
  deletedRanges(): Iterable<readonly [number, number] | undefined>;

  /** Removes one message; undefined when it is not there. `erase` overwrites its bytes. */
  remove(seq: number, erase: boolean): RemovedMessage | undefined;
  /** Removes all messages below `seq`; with `seq` beyond `lastSeq + 1` the sequence moves there. Returns what was removed. Cheap for whole segments. */
  compact(seq: number): { readonly messages: number; readonly bytes: number };
  /** Removes every message; sequences go on. */
  clear(): { readonly messages: number; readonly bytes: number };

  /** Hands what was appended and removed to the kernel, and commits it (see `StoreEvents`). Call once per turn when something was. */
  flush(): void;
  /** Resolves when everything so far is on the device. */
  sync(): Promise<void>;
  /** Takes up changed options (compression, sync). */
  configure(options: StoreOptions): void;
  /** Flushes, writes the state for a quick start, and closes. */
  close(): void;
  /** Closes and removes every file. */
  destroy(): void;
}

/** What a stream may choose. Memory stores ignore all of it. */
export interface StoreOptions {
  readonly compression: "none" | "s2";
  /** `always`: committed means on the device; otherwise it means with the kernel, and a sync follows within so many milliseconds. */
  readonly syncIntervalMs: number | "always";
  /** Acknowledge before the write (`persist_mode: async`). */
  readonly async: boolean;
}

/**
 * The end of the log: the segment that is being written, those before it that are full and not written yet, and their tails. Records are put into the tail, and handed
 * to the kernel in one write per segment.
 */
import { putMessage, putNote, RECORD_HEADER_BYTES, sealRecord } from "../log/record.ts";
import type { LiveState } from "../log/live-state.ts";
import type { SegmentList } from "../log/segment.ts";
import { SegmentIndex } from "../log/segment-index.ts";
import type { ByteWindow } from "../log/window.ts";
import type { NewMessage } from "../message-store.ts";
import type { Commits } from "./commits.ts";
import { FileSegment } from "./file-segment.ts";
import { SEGMENT_HEADER_BYTES } from "./format.ts";
import type { StoreFolder } from "./store-folder.ts";
import { Tails } from "./tails.ts";

export const SEGMENT_RECORDS_MAX = 65_536;
/** From the first sequence of a segment to its last. */
const SEGMENT_SPAN_MAX = 2 ** 31;
/** An empty active segment of this size makes way for a new one. */
const ROLL_EMPTY_BYTES = 1024 * 1024;
/** With `always`, smaller writes go to where the file was written before (`SegmentFile.blank`); for larger ones that would cost more than it saves. */
const BLANKING_BYTES_MAX = 16 * 1024;

/** What the writer has to do with. */
export interface LogWriterHost {
  readonly folder: StoreFolder;
  readonly state: LiveState;
  readonly list: SegmentList<FileSegment>;
  readonly commits: Commits;
  readonly syncs: { wrote(segment: FileSegment, bytes: number): void; folderChanged(): void };
  /** Publishers wait for the device. */
  readonly waitsForDevice: () => boolean;
  /** A segment is full and written. */
  readonly onFull: (segment: FileSegment) => void;
  /** A segment is full, and nothing in it is left. */
  readonly onEmpty: (segment: FileSegment) => void;
}

export class LogWriter {
  readonly tails: Tails;
  readonly #host: LogWriterHost;
  #active: FileSegment;
  #nextId: number;
  /** Segments with unwritten bytes, ascending; the active one is always the last. */
  #unwritten: FileSegment[] = [];

  /** Goes on with the segment `last`, or begins one. */
  constructor(
    host: LogWriterHost,
    readonly segmentBytes: number,
    nextId: number,
    last: FileSegment | undefined,
  ) {
    this.#host = host;
    this.#nextId = nextId;
    this.tails = new Tails(segmentBytes);
    this.#active = last ?? this.#make(host.state.lastSeq + 1);
    this.#unwritten.push(this.#active);
  }

  get active(): FileSegment {
    return this.#active;
  }

  get unwritten(): readonly FileSegment[] {
    return this.#unwritten;
  }

  /** Begins a segment. */
  start(first: number): FileSegment {
    this.#active = this.#make(first);
    this.#unwritten.push(this.#active);
    return this.#active;
  }

  #make(first: number): FileSegment {
    const { state, folder, list } = this.#host;
    const file = folder.newFile({ id: this.#nextId++, compressed: false, rewritten: false, first, last: 0, floor: state.first, seconds: state.lastSeconds, nanos: state.lastNanos });
    const segment = new FileSegment(first, file);
    segment.lastSeconds = state.lastSeconds;
    segment.lastNanos = state.lastNanos;
    list.segments.push(segment);
    return segment;
  }

  /** Begins another segment: the active one is full. */
  roll(first: number): FileSegment {
    const full = this.#active;
    full.isSealed = true;
    full.index?.trim();
    this.start(first).index = new SegmentIndex(first, Math.max(1, full.slots >>> 1));
    if (full.live === 0) this.#host.onEmpty(full);
    return this.#active;
  }

  /** Begins another segment if nothing is left in the active one, and that is large. */
  rollEmpty(): void {
    if (this.#active.live === 0 && this.#active.end > ROLL_EMPTY_BYTES) this.roll(this.#host.state.lastSeq + 1);
  }

  /** A segment with room for one more record of so many bytes, for sequence `seq`. */
  segmentFor(recordBytes: number, seq: number): FileSegment {
    let segment = this.#active;
    if (segment.end > 0 && (segment.end + recordBytes > this.segmentBytes || segment.slots >= SEGMENT_RECORDS_MAX || seq - segment.first > SEGMENT_SPAN_MAX)) segment = this.roll(seq);
    this.#room(segment, recordBytes);
    return segment;
  }

  /** Whether a sequence is too far from the first one of the active segment. */
  isBeyond(seq: number): boolean {
    return seq - this.#active.first > SEGMENT_SPAN_MAX;
  }

  #room(segment: FileSegment, bytes: number): ByteWindow {
    let { tail } = segment;
    if (tail === undefined) return this.tails.begin(segment, bytes);
    if (this.tails.isFull(tail, bytes)) tail = this.#writeEarly(segment, tail);
    tail.reserve(bytes);
    return tail;
  }

  /** In the middle of a turn that brings much: a full tail is handed to the kernel, so that it need not grow. When that fails, the flush will say so. */
  #writeEarly(segment: FileSegment, tail: ByteWindow): ByteWindow {
    try {
      for (const one of this.#unwritten) this.#writeTail(one);
    } catch {
      return tail;
    }
    this.tails.turn(segment, tail, this.#active);
    return segment.tail ?? tail;
  }

  /** Copies a message; returns its place in the segment. */
  write(segment: FileSegment, seq: number, message: NewMessage): number {
    const tail = segment.tail ?? this.#room(segment, 0);
    const at = tail.length;
    const length = putMessage(tail, at, seq, message);
    sealRecord(tail, at);
    tail.length = at + length;
    const offset = segment.end;
    segment.end = offset + length;
    segment.slots++;
    this.#host.commits.appended(length);
    return offset;
  }

  putNote(kind: number, seq: number, sequences: readonly number[]): void {
    const { state, commits } = this.#host;
    const segment = this.#active;
    const tail = this.#room(segment, RECORD_HEADER_BYTES + sequences.length * 8);
    const length = putNote(tail, tail.length, kind, seq, state.lastSeconds, state.lastNanos, sequences);
    tail.length += length;
    segment.end += length;
    commits.appended(length);
  }

  /** Hands everything to the kernel. Throws when that fails; any part may have been written then. */
  writeAll(): void {
    for (const segment of this.#unwritten) this.#writeTail(segment);
  }

  /** After `writeAll`: full segments are done with, and a tail that is half full makes way. */
  turn(): void {
    if (this.#unwritten.length > 1) {
      for (const segment of this.#unwritten) if (segment !== this.#active) this.#settle(segment);
      this.#unwritten = [this.#active];
    }
    const { tail } = this.#active;
    if (tail !== undefined && this.tails.isHalfFull(tail)) this.tails.turn(this.#active, tail, this.#active);
  }

  #writeTail(segment: FileSegment): void {
    const { syncs, commits, waitsForDevice } = this.#host;
    if (!segment.isCreated) {
      segment.file.create();
      segment.isCreated = true;
      syncs.folderChanged();
      syncs.wrote(segment, 0);
    }
    const { tail } = segment;
    if (tail === undefined || segment.writtenEnd === segment.end) return;
    const bytes = segment.end - segment.writtenEnd;
    segment.file.append(tail, segment.writtenEnd, undefined);
    if (bytes <= BLANKING_BYTES_MAX && waitsForDevice()) segment.file.blank(SEGMENT_HEADER_BYTES + this.segmentBytes);
    syncs.wrote(segment, bytes);
    segment.writtenEnd = segment.end;
    commits.wrote(segment);
  }

  #settle(segment: FileSegment): void {
    const { tail } = segment;
    if (tail !== undefined) this.tails.turn(segment, tail, this.#active);
    segment.tail = undefined;
    this.#host.onFull(segment);
  }

  /** A segment is not part of the log any more. */
  forget(segment: FileSegment): void {
    this.#unwritten = this.#unwritten.filter((one) => one !== segment);
  }

  /** All segments are gone; begins a new one. */
  restart(): void {
    this.#unwritten = [];
    this.start(this.#host.state.lastSeq + 1);
  }

  /** The log was cut, and `firstSeq` is next: goes on with its last segment, or begins one when that is full. */
  goBack(firstSeq: number): void {
    const last = this.#host.list.segments.at(-1);
    if (last === undefined || last.isSealed) this.start(firstSeq);
    else this.#active = last;
  }
}

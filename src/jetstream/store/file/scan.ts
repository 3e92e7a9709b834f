/**
 * Reading a segment from its records, where there is no index of it: after a kill (the last segment only) or when an index file was damaged or lost.
 *
 * What is not intact is stepped over to the next whole record, or frame, that continues the log; the sequences in between are lost. Behind the last whole record
 * of the last segment that is a torn write, which ends the log.
 */
import {
  headerLengthAt,
  isIntact,
  KIND_FLOOR,
  KIND_MESSAGE,
  KIND_REMOVED,
  KIND_SKIP,
  kindAt,
  lengthAt,
  marksAt,
  nanosAt,
  payloadLengthAt,
  removedAt,
  secondsAt,
  seqAt,
  subjectAt,
  subjectLengthAt,
} from "../log/record.ts";
import { SegmentIndex } from "../log/segment-index.ts";
import { ByteWindow } from "../log/window.ts";
import { DictionaryWriter } from "./dictionary.ts";
import { decodeFrameHeader, FRAME_HEADER_BYTES, frameBytes, SEGMENT_HEADER_BYTES } from "./format.ts";
import type { LocalIndex } from "./index-file.ts";
import type { FrameTable, SegmentFile } from "./segment-file.ts";

/** Room of the smallest record, to bound how many can have been in a gap. */
const RECORD_BYTES_MIN = 40;

/** A run of bytes that could not be read. */
export interface Damage {
  /** Place in the file. */
  readonly at: number;
  readonly bytes: number;
  /** Sequences that were in it, as far as can be known. */
  readonly sequences: readonly number[];
}

export interface Scan {
  readonly local: LocalIndex;
  readonly damages: readonly Damage[];
  /** Bytes behind the last whole record, and how many zeros follow these to the end of the file: those were written ahead. */
  readonly tornBytes: number;
  readonly blankBytes: number;
}

/** What a message counts for in a file store. */
export function fileSize(subjectLength: number, headerLength: number, payloadLength: number): number {
  return 30 + subjectLength + payloadLength + (headerLength > 0 ? 4 + headerLength : 0);
}

/** Zeros at the end of the window, `most` at most. */
function blanksAtEnd({ buffer, length }: ByteWindow, most: number): number {
  let blanks = 0;
  while (blanks < most && buffer[length - 1 - blanks] === 0) blanks++;
  return blanks;
}

export function scanSegment(file: SegmentFile): Scan {
  return new Scanner(file).scan();
}

class Scanner {
  readonly #index: SegmentIndex;
  readonly #subjects = new DictionaryWriter();
  readonly #numbers = new Map<string, number>();
  readonly #removed: number[] = [];
  readonly #damages: Damage[] = [];
  readonly #frames: FrameTable = { starts: [], places: [] };
  #last: number;
  #floor: number;
  #firstSeconds = 0;
  #firstNanos = 0;
  #lastSeconds: number;
  #lastNanos: number;
  #marksUnion = 0;
  /** Bytes that could not be read since the last record. */
  #badBytes = 0;
  #badAt = 0;
  /** Sequences of the latest damage, while the next message has not told how many they are; and how many there can be. */
  #open: number[] | undefined;
  #openMost = 0;

  constructor(private readonly file: SegmentFile) {
    const { header } = file;
    this.#index = new SegmentIndex(header.first);
    this.#last = header.first - 1;
    this.#floor = header.floor;
    this.#lastSeconds = header.seconds;
    this.#lastNanos = header.nanos;
  }

  scan(): Scan {
    const { header, fileBytes } = this.file;
    const bytes = Math.max(0, fileBytes - SEGMENT_HEADER_BYTES);
    const window = new ByteWindow(bytes + 8);
    window.length = bytes === 0 ? 0 : this.file.handle.read(window.buffer, 0, bytes, SEGMENT_HEADER_BYTES);
    const end = this.file.isPlain ? this.#scanRecords(window, 0, window.length, 0, true) : this.#scanFrames(window);
    const blankBytes = blanksAtEnd(window, this.#badBytes);
    const tornBytes = this.#badBytes - blankBytes;
    for (const seq of this.#removed) this.#takeOut(seq);
    const gone = new Set(this.#removed);
    const damages = this.#damages.map((damage) => ({ ...damage, sequences: damage.sequences.filter((seq) => seq >= this.#floor && !gone.has(seq)) }));
    const last = Math.max(this.#last, header.rewritten ? header.last : 0);
    return {
      local: {
        id: header.id,
        salt: header.salt,
        fileBytes: fileBytes - this.#badBytes,
        end,
        first: header.first,
        last,
        floor: this.#floor,
        firstSeconds: this.#firstSeconds,
        firstNanos: this.#firstNanos,
        lastSeconds: this.#lastSeconds,
        lastNanos: this.#lastNanos,
        marksUnion: this.#marksUnion,
        index: this.#index,
        subjects: this.#subjects.finish(),
        removed: this.#removed.filter((seq) => seq < header.first),
        frames: this.#frames,
      },
      damages,
      tornBytes,
      blankBytes,
    };
  }

  #takeOut(seq: number): void {
    const slot = this.#index.slotOf(seq);
    if (slot >= 0) this.#index.ids[slot] = 0;
  }

  /** Reads the records in `[from, to)` of the buffer, whose first byte is at `place` of the plain segment. Returns the place behind the last whole one. */
  #scanRecords(window: ByteWindow, from: number, to: number, place: number, isFile: boolean): number {
    let end = place + from;
    for (let at = from; at < to; ) {
      if (isIntact(window, at, to) && this.#take(window, at, place + at)) {
        at += lengthAt(window, at);
        end = place + at;
        continue;
      }
      if (this.#badBytes === 0) this.#badAt = (isFile ? SEGMENT_HEADER_BYTES : 0) + place + at;
      // The file may end in the middle of a step.
      const step = Math.min(8, to - at);
      this.#badBytes += step;
      at += step;
    }
    return end;
  }

  #scanFrames(window: ByteWindow): number {
    let end = 0;
    for (let at = 0; at < window.length; ) {
      const header = at + FRAME_HEADER_BYTES <= window.length ? decodeFrameHeader(window.words, at >>> 2) : undefined;
      const bytes = header === undefined ? 8 : frameBytes(header.storedBytes);
      const whole = header !== undefined && header.start >= end && at + bytes <= window.length;
      const plain = whole ? this.file.openFrame(window.buffer, at) : undefined;
      if (header === undefined || plain === undefined) {
        if (this.#badBytes === 0) this.#badAt = SEGMENT_HEADER_BYTES + at;
        const step = Math.min(whole ? bytes : 8, window.length - at);
        this.#badBytes += step;
        at += step;
        continue;
      }
      const inner = new ByteWindow(plain.length);
      inner.buffer.set(plain, 0);
      this.#frames.starts.push(header.start);
      this.#frames.places.push(SEGMENT_HEADER_BYTES + at);
      this.#scanRecords(inner, 0, plain.length, header.start, false);
      end = header.start + plain.length;
      at += bytes;
    }
    return end;
  }

  /** False when the record does not continue the log: then it is an old one, or none. */
  #take(window: ByteWindow, at: number, place: number): boolean {
    const kind = kindAt(window, at);
    const seq = seqAt(window, at);
    if (kind === KIND_FLOOR) this.#floor = Math.max(this.#floor, seq);
    else if (kind === KIND_REMOVED) for (const removed of removedAt(window, at)) this.#removed.push(removed);
    else if (seq <= this.#last) return false;
    this.#endDamage();
    if (kind === KIND_FLOOR) return true;
    if (kind === KIND_REMOVED) {
      // Its sequence is the last one that there was.
      this.#lose(seq + 1);
      this.#last = Math.max(this.#last, seq);
      return true;
    }
    this.#lose(kind === KIND_SKIP ? this.#last + 1 : seq);
    if (kind !== KIND_SKIP) this.#takeMessage(window, at, place, seq, kind === KIND_MESSAGE);
    this.#last = seq;
    this.#lastSeconds = secondsAt(window, at);
    this.#lastNanos = nanosAt(window, at);
    return true;
  }

  #takeMessage(window: ByteWindow, at: number, place: number, seq: number, isThere: boolean): void {
    let number = 0;
    let size = 0;
    if (isThere) {
      const subject = subjectAt(window, at);
      number = this.#numbers.get(subject) ?? 0;
      if (number === 0) {
        number = this.#subjects.add(subject);
        this.#numbers.set(subject, number);
      }
      size = fileSize(subjectLengthAt(window, at), headerLengthAt(window, at), payloadLengthAt(window, at));
    }
    const marks = marksAt(window, at);
    if (this.#index.count === 0) {
      this.#firstSeconds = secondsAt(window, at);
      this.#firstNanos = nanosAt(window, at);
    }
    this.#index.push(seq, number, place, size, marks);
    this.#marksUnion |= marks;
  }

  /** Ends a run of unreadable bytes, if there is one. */
  #endDamage(): void {
    if (this.#badBytes === 0) return;
    this.#open = [];
    this.#openMost += Math.ceil(this.#badBytes / RECORD_BYTES_MIN);
    this.#damages.push({ at: this.#badAt, bytes: this.#badBytes, sequences: this.#open });
    this.#badBytes = 0;
  }

  /** What is missing between the last message and this one was in the bytes that could not be read. */
  #lose(next: number): void {
    const sequences = this.#open;
    if (sequences === undefined) return;
    for (let seq = this.#last + 1; seq < next && sequences.length < this.#openMost; seq++) sequences.push(seq);
    this.#open = undefined;
    this.#openMost = 0;
  }
}

/** Secure delete in a segment without frames: the bytes of a record are overwritten where they are, in the file and in the tail. */
import type { Random } from "../../../platform/index.ts";
import { KIND_ERASED, lengthAt, putNote, RECORD_HEADER_BYTES, sealRecord } from "../log/record.ts";
import { ByteWindow } from "../log/window.ts";
import type { FileSegment } from "./file-segment.ts";
import { SEGMENT_HEADER_BYTES } from "./format.ts";

/** Random bytes instead of subject, headers and payload; length and sequence stay, for the log to be read on behind it. */
export function eraseInPlace(segment: FileSegment, place: number, seq: number, random: Random): void {
  const { tail, file } = segment;
  const isWritten = place < segment.writtenEnd;
  const inTail = tail !== undefined && place >= tail.start;
  let length: number;
  if (inTail) length = lengthAt(tail, place - tail.start);
  else {
    const head = new ByteWindow(RECORD_HEADER_BYTES);
    file.handle.read(head.buffer, 0, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES + place);
    length = lengthAt(head, 0);
    // A record that is damaged there cannot be measured.
    if (length < RECORD_HEADER_BYTES || length > segment.end - place) return;
  }
  const record = new ByteWindow(length);
  record.length = length;
  putNote(record, 0, KIND_ERASED, seq, 0, 0, []);
  record.words[1] = length;
  record.buffer.set(random.bytes(length - RECORD_HEADER_BYTES), RECORD_HEADER_BYTES);
  sealRecord(record, 0);
  if (inTail) record.buffer.copy(tail.buffer, place - tail.start, 0, length);
  if (isWritten) file.handle.write(record.buffer, 0, length, SEGMENT_HEADER_BYTES + place);
}

/** What the store does for a message in a segment with frames, where nothing can be overwritten in place. */
export interface EraseHost {
  hasSegment(segment: FileSegment): boolean;
  /** Copies of the segment's bytes are void. */
  forgetCopies(segment: FileSegment): void;
  /** Sees to it that the whole file is written anew, and the old one overwritten. */
  rewriteErased(segment: FileSegment): void;
  onEraseFailed(seq: number, error: unknown): void;
}

/** Messages to make unreadable once the log tells that they are gone, so that a record without its message is no riddle to a recovery. */
export class Erasures {
  #waiting: { readonly segment: FileSegment; readonly place: number; readonly seq: number }[] = [];

  constructor(
    private readonly host: EraseHost,
    private readonly random: Random,
  ) {}

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(segment: FileSegment, place: number, seq: number): void {
    this.#waiting.push({ segment, place, seq });
  }

  /** The log tells of all of them. */
  run(): void {
    for (const { segment, place, seq } of this.#waiting.splice(0)) this.#erase(segment, place, seq);
  }

  #erase(segment: FileSegment, place: number, seq: number): void {
    if (!this.host.hasSegment(segment)) return;
    if (!segment.file.isPlain) return this.host.rewriteErased(segment);
    this.host.forgetCopies(segment);
    try {
      eraseInPlace(segment, place, seq, this.random);
    } catch (error) {
      this.host.onEraseFailed(seq, error);
    }
  }
}

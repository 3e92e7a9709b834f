/**
 * One record of the log: a message, or a note about messages. All of a record is a multiple of eight bytes and starts on one, so that headers and checksums
 * are read as words. Little-endian:
 *
 *     word 0   checksum of all that follows
 *     word 1   length of the record in bytes, padding included
 *     word 2   sequence, low 32 bits
 *     word 3   sequence, next 16 bits | kind << 16 | marks << 24
 *     word 4   seconds since the epoch, low 32 bits
 *     word 5   nanoseconds, 30 bits | seconds, two more bits << 30
 *     word 6   length of the subject, 24 bits | bytes of padding << 24
 *     word 7   length of the header block
 *     subject, header block, payload, zeros
 */
import type { NewMessage } from "../message-store.ts";
import { putByteString } from "../../../util/bytes.ts";
import type { ByteWindow } from "./window.ts";
import { checksum } from "./checksum.ts";

export const RECORD_HEADER_BYTES = 32;

export const KIND_MESSAGE = 1;
/** Sequences were used up to this one without messages. */
export const KIND_SKIP = 2;
/** Everything below this sequence is gone. */
export const KIND_FLOOR = 3;
/** The payload lists removed sequences, eight bytes each. */
export const KIND_REMOVED = 4;
/** A message that was overwritten with random bytes. */
export const KIND_ERASED = 5;
const KIND_LAST = KIND_ERASED;

const WORD = 4294967296;
const NANOS_MASK = 0x3fffffff;

export function recordLength(subjectLength: number, headerLength: number, payloadLength: number): number {
  return (RECORD_HEADER_BYTES + subjectLength + headerLength + payloadLength + 7) & ~7;
}

/** Writes a message at byte `at` of the window's buffer, which has room; returns the record's length. */
export function putMessage(window: ByteWindow, at: number, seq: number, message: NewMessage): number {
  const { subject, headerStart, headerEnd, bodyStart, bodyEnd } = message;
  const { buffer, words } = window;
  const exact = RECORD_HEADER_BYTES + subject.length + headerEnd - headerStart + bodyEnd - bodyStart;
  const length = (exact + 7) & ~7;
  const w = at >>> 2;
  // The last eight bytes first: what is not overwritten stays as padding.
  words[w + (length >>> 2) - 1] = 0;
  words[w + (length >>> 2) - 2] = 0;
  words[w + 1] = length;
  words[w + 2] = seq;
  words[w + 3] = Math.floor(seq / WORD) | (KIND_MESSAGE << 16) | (message.marks << 24);
  words[w + 4] = message.seconds;
  words[w + 5] = message.nanos | (Math.floor(message.seconds / WORD) << 30);
  words[w + 6] = subject.length | ((length - exact) << 24);
  words[w + 7] = headerEnd - headerStart;
  let place = putByteString(subject, buffer, at + RECORD_HEADER_BYTES);
  if (headerEnd > headerStart) place = copyRange(message.headerBytes, headerStart, headerEnd, buffer, place);
  copyRange(message.bodyBytes, bodyStart, bodyEnd, buffer, place);
  return length;
}

/** A call into the runtime costs as much as about 60 bytes of the loop. */
function copyRange(source: Uint8Array, start: number, end: number, target: Buffer, at: number): number {
  if (end - start > 64) {
    if (source instanceof Buffer) source.copy(target, at, start, end);
    else target.set(source.subarray(start, end), at);
    return at + end - start;
  }
  while (start < end) target[at++] = source[start++];
  return at;
}

/** Writes a record without subject; `sequences` become its payload. Returns its length. */
export function putNote(window: ByteWindow, at: number, kind: number, seq: number, seconds: number, nanos: number, sequences: readonly number[]): number {
  const { words } = window;
  const length = RECORD_HEADER_BYTES + sequences.length * 8;
  const w = at >>> 2;
  words[w + 1] = length;
  words[w + 2] = seq;
  words[w + 3] = Math.floor(seq / WORD) | (kind << 16);
  words[w + 4] = seconds;
  words[w + 5] = nanos | (Math.floor(seconds / WORD) << 30);
  words[w + 6] = 0;
  words[w + 7] = 0;
  let word = w + 8;
  for (const removed of sequences) {
    words[word++] = removed;
    words[word++] = Math.floor(removed / WORD);
  }
  sealRecord(window, at);
  return length;
}

/** Puts the checksum of the record at `at`. */
export function sealRecord(window: ByteWindow, at: number): void {
  const w = at >>> 2;
  window.words[w] = checksum(window.words, w + 1, w + (window.words[w + 1] >>> 2));
}

/** Whether a whole record with a fitting checksum lies at `at`, before byte `end` of the buffer. */
export function isIntact(window: ByteWindow, at: number, end: number): boolean {
  if (at + RECORD_HEADER_BYTES > end) return false;
  const { words } = window;
  const w = at >>> 2;
  const length = words[w + 1];
  if (length < RECORD_HEADER_BYTES || (length & 7) !== 0 || at + length > end) return false;
  const kind = (words[w + 3] >>> 16) & 0xff;
  if (kind < KIND_MESSAGE || kind > KIND_LAST) return false;
  if ((words[w + 6] & 0xffffff) + (words[w + 7] >>> 0) + (words[w + 6] >>> 24) + RECORD_HEADER_BYTES > length) return false;
  return words[w] === checksum(words, w + 1, w + (length >>> 2));
}

export function lengthAt(window: ByteWindow, at: number): number {
  return window.words[(at >>> 2) + 1];
}

export function seqAt(window: ByteWindow, at: number): number {
  const w = at >>> 2;
  return (window.words[w + 3] & 0xffff) * WORD + (window.words[w + 2] >>> 0);
}

export function kindAt(window: ByteWindow, at: number): number {
  return (window.words[(at >>> 2) + 3] >>> 16) & 0xff;
}

export function marksAt(window: ByteWindow, at: number): number {
  return window.words[(at >>> 2) + 3] >>> 24;
}

export function secondsAt(window: ByteWindow, at: number): number {
  const w = at >>> 2;
  return (window.words[w + 5] >>> 30) * WORD + (window.words[w + 4] >>> 0);
}

export function nanosAt(window: ByteWindow, at: number): number {
  return window.words[(at >>> 2) + 5] & NANOS_MASK;
}

export function subjectLengthAt(window: ByteWindow, at: number): number {
  return window.words[(at >>> 2) + 6] & 0xffffff;
}

export function headerLengthAt(window: ByteWindow, at: number): number {
  return window.words[(at >>> 2) + 7];
}

export function payloadLengthAt(window: ByteWindow, at: number): number {
  const w = at >>> 2;
  return window.words[w + 1] - RECORD_HEADER_BYTES - (window.words[w + 6] & 0xffffff) - (window.words[w + 6] >>> 24) - window.words[w + 7];
}

export function subjectAt(window: ByteWindow, at: number): string {
  return window.buffer.latin1Slice(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + subjectLengthAt(window, at));
}

/** Sequences that a `KIND_REMOVED` record lists. */
export function* removedAt(window: ByteWindow, at: number): Iterable<number> {
  const { words } = window;
  const end = (at + lengthAt(window, at)) >>> 2;
  for (let w = (at + RECORD_HEADER_BYTES) >>> 2; w + 1 < end; w += 2) yield (words[w + 1] & 0x1fffff) * WORD + (words[w] >>> 0);
}

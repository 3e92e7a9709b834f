/**
 * How segments are kept in files. A segment is `<number>.seg`; what its index knows is `<number>.idx`.
 *
 * A segment file begins with its header, twice, so that a flipped bit does not cost the whole file. Behind it are the records: as they are, or, when they are
 * encrypted or compressed, in frames. A frame holds whole records; its header tells their length and place in the plain segment and has a checksum of its own,
 * so that a damaged frame can be stepped over. Places in the index are places in the plain segment, which begins with 0.
 */
import { checksum, checksumOfBytes } from "../log/checksum.ts";
import type { CipherName } from "../files/keys.ts";

/** The one version of everything in the folder. */
export const FORMAT_VERSION = 1;

const MAGIC = 0x4745534e;
const HEADER_COPY_BYTES = 96;
/** Where the first record or frame is. */
export const SEGMENT_HEADER_BYTES = 2 * HEADER_COPY_BYTES;
const WORD = 4294967296;

export interface SegmentHeader {
  /** Segment number, to notice files that were mixed up. */
  readonly id: number;
  /** Records are in frames. */
  readonly framed: boolean;
  readonly cipher: CipherName | undefined;
  readonly compressed: boolean;
  /** It was rewritten: messages may be missing that had been removed. */
  readonly rewritten: boolean;
  /** Sequence of the first message that it could hold. */
  readonly first: number;
  /** Rewritten: last sequence that it accounts for. */
  readonly last: number;
  /** Everything below this was gone when it was made. */
  readonly floor: number;
  /** Time of the last message before. */
  readonly seconds: number;
  readonly nanos: number;
  /** 16 random bytes: its own key is derived with them, and its index file names them. */
  readonly salt: Uint8Array;
  /** Tells whether a key is the right one: 8 bytes that follow from it; zeros when there is none. */
  readonly keyCheck: Uint8Array;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const words = new Int32Array(HEADER_COPY_BYTES / 4);
  const bytes = Buffer.from(words.buffer);
  words[1] = MAGIC;
  words[2] = FORMAT_VERSION;
  words[3] = (header.framed ? 1 : 0) | (header.compressed ? 2 : 0) | (header.rewritten ? 4 : 0) | (header.cipher === undefined ? 0 : header.cipher === "chacha" ? 8 : 16);
  putSeq(words, 4, header.id);
  putSeq(words, 6, header.first);
  putSeq(words, 8, header.last);
  putSeq(words, 10, header.floor);
  putSeq(words, 12, header.seconds);
  words[14] = header.nanos;
  bytes.set(header.salt, 64);
  bytes.set(header.keyCheck, 80);
  words[0] = checksum(words, 1, words.length);
  return Buffer.concat([bytes, bytes]);
}

/** Undefined when neither copy can be trusted. */
export function decodeHeader(bytes: Buffer): SegmentHeader | undefined {
  for (const start of [0, HEADER_COPY_BYTES]) {
    if (bytes.length < start + HEADER_COPY_BYTES) return undefined;
    const copy = Uint8Array.from(bytes.subarray(start, start + HEADER_COPY_BYTES));
    const words = new Int32Array(copy.buffer);
    if (words[1] !== MAGIC || words[2] !== FORMAT_VERSION || words[0] !== checksum(words, 1, words.length)) continue;
    const flags = words[3];
    return {
      id: seqIn(words, 4),
      framed: (flags & 1) !== 0,
      compressed: (flags & 2) !== 0,
      rewritten: (flags & 4) !== 0,
      cipher: (flags & 8) !== 0 ? "chacha" : (flags & 16) !== 0 ? "aes" : undefined,
      first: seqIn(words, 6),
      last: seqIn(words, 8),
      floor: seqIn(words, 10),
      seconds: seqIn(words, 12),
      nanos: words[14],
      salt: copy.subarray(64, 80),
      keyCheck: copy.subarray(80, 88),
    };
  }
  return undefined;
}

/** A number of up to 53 bits in two words. */
export function putSeq(words: Int32Array, at: number, value: number): void {
  words[at] = value;
  words[at + 1] = Math.floor(value / WORD);
}

export function seqIn(words: Int32Array, at: number): number {
  return (words[at + 1] >>> 0) * WORD + (words[at] >>> 0);
}

// Frames

export const FRAME_HEADER_BYTES = 32;
const FRAME_MAGIC = 0x4d415246;
/** Plain bytes of a frame, unless one record is longer. */
export const FRAME_BYTES = 64 * 1024;

export interface FrameHeader {
  readonly storedBytes: number;
  readonly plainBytes: number;
  /** Place in the plain segment. */
  readonly start: number;
  readonly compressed: boolean;
}

/** Bytes of a frame with its header and padding. */
export function frameBytes(storedBytes: number): number {
  return (FRAME_HEADER_BYTES + storedBytes + 7) & ~7;
}

export function encodeFrame(stored: Uint8Array, plainBytes: number, start: number, compressed: boolean): Buffer {
  const frame = Buffer.from(new ArrayBuffer(frameBytes(stored.length)));
  const words = new Int32Array(frame.buffer);
  words[1] = FRAME_MAGIC;
  words[2] = stored.length;
  words[3] = plainBytes;
  words[4] = start;
  words[5] = checksumOfBytes(stored);
  words[6] = compressed ? 1 : 0;
  words[0] = checksum(words, 1, FRAME_HEADER_BYTES / 4);
  frame.set(stored, FRAME_HEADER_BYTES);
  return frame;
}

/** The frame header in `words` from word `at` on; undefined when there is none. */
export function decodeFrameHeader(words: Int32Array, at: number): FrameHeader | undefined {
  if (words[at + 1] !== FRAME_MAGIC || words[at] !== checksum(words, at + 1, at + FRAME_HEADER_BYTES / 4)) return undefined;
  return { storedBytes: words[at + 2] >>> 0, plainBytes: words[at + 3] >>> 0, start: words[at + 4] >>> 0, compressed: words[at + 6] === 1 };
}

/** Whether the bytes of a frame are what was written. */
export function frameIsIntact(words: Int32Array, at: number, stored: Uint8Array): boolean {
  return words[at + 5] === checksumOfBytes(stored);
}

// Names

/** Numbers are padded so that names sort as the numbers do. */
export function segmentPath(folder: string, id: number): string {
  return `${folder}/${String(id).padStart(12, "0")}.seg`;
}

export function indexPath(folder: string, id: number): string {
  return `${folder}/${String(id).padStart(12, "0")}.idx`;
}

export function rewritePath(folder: string, id: number): string {
  return `${folder}/${String(id).padStart(12, "0")}.tmp`;
}

export function idOfName(name: string): number | undefined {
  return /^\d{12,}\.(seg|idx|tmp)$/.test(name) ? Number(name.slice(0, name.indexOf("."))) : undefined;
}

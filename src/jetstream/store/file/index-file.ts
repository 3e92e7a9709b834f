/**
 * The index of a segment in a file: all that a start or a reader needs to know of the segment without reading its records. It is written when a segment is full
 * and when the store is closed; it is never needed: one that is missing, damaged or not of this state of the segment is made anew from the records.
 *
 * It has a dictionary of subjects of its own, and messages name subjects by their number in it (0: not there any more).
 */
import { SegmentIndex } from "../log/segment-index.ts";
import { checksumOfBytes } from "../log/checksum.ts";
import { Dictionary } from "./dictionary.ts";
import { FORMAT_VERSION, putSeq, seqIn } from "./format.ts";
import type { FrameTable } from "./segment-file.ts";

const MAGIC = 0x5844494e;
const PREFIX_BYTES = 16;
const HEAD_WORDS = 36;
const HAS_MARKS = 1;
const HAS_DELTAS = 2;

/** What is known of a segment, with subjects numbered by its own dictionary. */
export interface LocalIndex {
  readonly id: number;
  readonly salt: Uint8Array;
  /** Bytes of the segment file that it describes. */
  readonly fileBytes: number;
  /** Bytes of the plain segment. */
  readonly end: number;
  readonly first: number;
  readonly last: number;
  /** Highest floor that the segment tells of. */
  readonly floor: number;
  readonly firstSeconds: number;
  readonly firstNanos: number;
  readonly lastSeconds: number;
  readonly lastNanos: number;
  readonly marksUnion: number;
  /** Its `ids` are numbers in `subjects`. */
  readonly index: SegmentIndex;
  readonly subjects: Dictionary;
  /** Sequences of earlier segments that it tells were removed. */
  readonly removed: readonly number[];
  readonly frames: FrameTable;
}

export function encodeIndex(local: LocalIndex, seal: ((bytes: Uint8Array) => Uint8Array) | undefined): Buffer {
  const { index, subjects, removed, frames } = local;
  const { count } = index;
  const { bytes: dictionary, ends } = subjects;
  const words = HEAD_WORDS + subjects.count + count * (index.deltas === undefined ? 3 : 4) + (removed.length + frames.starts.length) * 2;
  const marksBytes = index.marks === undefined ? 0 : (count + 3) & ~3;
  const bytes = Buffer.from(new ArrayBuffer(words * 4 + marksBytes + dictionary.length));
  const w = new Int32Array(bytes.buffer, 0, words);
  w[0] = FORMAT_VERSION;
  w[1] = (index.marks === undefined ? 0 : HAS_MARKS) | (index.deltas === undefined ? 0 : HAS_DELTAS);
  w[2] = count;
  w[3] = subjects.count;
  w[4] = dictionary.length;
  w[5] = removed.length;
  w[6] = frames.starts.length;
  w[7] = local.marksUnion;
  putSeq(w, 8, local.id);
  putSeq(w, 10, local.first);
  putSeq(w, 12, local.last);
  putSeq(w, 14, index.base);
  putSeq(w, 16, local.floor);
  putSeq(w, 18, local.fileBytes);
  putSeq(w, 20, local.end);
  putSeq(w, 22, local.firstSeconds);
  w[24] = local.firstNanos;
  putSeq(w, 26, local.lastSeconds);
  w[28] = local.lastNanos;
  bytes.set(local.salt, 30 * 4);
  let at = HEAD_WORDS;
  for (let i = 0, start = 0; i < ends.length; start = ends[i++]) w[at++] = ends[i] - start;
  for (const column of [index.ids, index.offsets, index.sizes, index.deltas]) {
    if (column === undefined) continue;
    w.set(column.subarray(0, count), at);
    at += count;
  }
  for (const seq of removed) {
    putSeq(w, at, seq);
    at += 2;
  }
  for (let i = 0; i < frames.starts.length; i++) {
    w[at++] = frames.starts[i];
    w[at++] = frames.places[i];
  }
  if (index.marks !== undefined) bytes.set(index.marks.subarray(0, count), at * 4);
  dictionary.copy(bytes, words * 4 + marksBytes);
  return withPrefix(bytes, seal);
}

function withPrefix(bytes: Buffer, seal: ((bytes: Uint8Array) => Uint8Array) | undefined): Buffer {
  const contents = seal?.(bytes) ?? bytes;
  const file = Buffer.from(new ArrayBuffer(PREFIX_BYTES + contents.length));
  file.writeUInt32LE(MAGIC, 0);
  file.writeUInt32LE(seal === undefined ? 0 : 1, 4);
  file.writeUInt32LE(contents.length, 8);
  file.writeInt32LE(checksumOfBytes(contents), 12);
  file.set(contents, PREFIX_BYTES);
  return file;
}

/** Undefined when it cannot be trusted. */
export function decodeIndex(file: Uint8Array, open: ((bytes: Uint8Array) => Uint8Array | undefined) | undefined): LocalIndex | undefined {
  if (file.length < PREFIX_BYTES) return undefined;
  const prefix = Buffer.from(file.buffer, file.byteOffset, PREFIX_BYTES);
  const stored = file.subarray(PREFIX_BYTES);
  if (prefix.readUInt32LE(0) !== MAGIC || prefix.readUInt32LE(8) !== stored.length || prefix.readInt32LE(12) !== checksumOfBytes(stored)) return undefined;
  const isSealed = prefix.readUInt32LE(4) === 1;
  if (isSealed !== (open !== undefined)) return undefined;
  const plain = open === undefined ? stored : open(stored);
  if (plain === undefined || plain.length < HEAD_WORDS * 4) return undefined;
  // Columns are read as words, so the bytes have to begin on one.
  const bytes = plain.byteOffset % 4 === 0 ? plain : Uint8Array.from(plain);
  const w = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  if (w[0] !== FORMAT_VERSION) return undefined;
  const [, flags, count, subjectCount, dictionaryBytes, removedCount, frameCount] = w;
  let at = HEAD_WORDS;
  const lengths = w.subarray(at, (at += subjectCount));
  // Columns that stay would keep all names in memory.
  const isMostlyNames = dictionaryBytes + subjectCount * 4 > count * 4;
  const column = (): Uint32Array => {
    const view = new Uint32Array(bytes.buffer, bytes.byteOffset + at * 4, count);
    at += count;
    return isMostlyNames ? view.slice() : view;
  };
  const index = new SegmentIndex(seqIn(w, 14), 1);
  index.count = count;
  index.ids = column();
  index.offsets = column();
  index.sizes = column();
  if ((flags & HAS_DELTAS) !== 0) index.deltas = column();
  const removed: number[] = [];
  for (let i = 0; i < removedCount; i++, at += 2) removed.push(seqIn(w, at));
  const frames: FrameTable = { starts: [], places: [] };
  for (let i = 0; i < frameCount; i++) {
    frames.starts.push(w[at++] >>> 0);
    frames.places.push(w[at++] >>> 0);
  }
  if ((flags & HAS_MARKS) !== 0) {
    const view = bytes.subarray(at * 4, at * 4 + count);
    index.marks = isMostlyNames ? Uint8Array.from(view) : view;
  }
  const dictionaryAt = bytes.length - dictionaryBytes;
  const dictionary = Buffer.from(bytes.buffer, bytes.byteOffset + dictionaryAt, dictionaryBytes);
  const ends = new Uint32Array(subjectCount);
  for (let i = 0, end = 0; i < subjectCount; i++) ends[i] = end += lengths[i];
  return {
    id: seqIn(w, 8),
    salt: bytes.subarray(30 * 4, 34 * 4),
    first: seqIn(w, 10),
    last: seqIn(w, 12),
    floor: seqIn(w, 16),
    fileBytes: seqIn(w, 18),
    end: seqIn(w, 20),
    firstSeconds: seqIn(w, 22),
    firstNanos: w[24],
    lastSeconds: seqIn(w, 26),
    lastNanos: w[28],
    marksUnion: w[7],
    index,
    subjects: new Dictionary(dictionary, ends),
    removed,
    frames,
  };
}

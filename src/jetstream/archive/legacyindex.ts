/**
 * `index.db` of archives of version 1: what its server knew of the stream beyond the records, in particular which of them were deleted without being erased.
 * Layout: marks; messages, bytes, first sequence and time, last sequence and time; subjects with their counts and blocks; blocks with their figures and, where
 * there are any, a set of deleted sequences; place and checksums at the end. Servers from 2.11 on put one or two more counts before the set.
 */
import { NumberReader } from "./bytequeue.ts";

export interface LegacyIndex {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Nanoseconds since the Unix epoch. */
  readonly lastNs: bigint;
  readonly deleted: readonly number[];
}

const MAGIC = 11;
const SET_MAGIC = 22;
const SET_VERSION = 2;
const SET_HEAD = 10;
const WORDS = 32;
const NODE_BYTES = 8 + WORDS * 8 + 2;
const CHECKSUMS = 16;

/** Undefined when it is not understood: the records alone must do, then. */
export function readIndex(bytes: Buffer): LegacyIndex | undefined {
  if (bytes[0] !== MAGIC) return undefined;
  for (const extraCounts of [0, 1, 2]) {
    const index = tryIndex(bytes, extraCounts);
    if (index !== undefined) return index;
  }
  return undefined;
}

/** An index read with the wrong number of counts does not end where it should. */
function tryIndex(bytes: Buffer, extraCounts: number): LegacyIndex | undefined {
  const numbers = new NumberReader(bytes, 2);
  numbers.uvarint();
  numbers.uvarint();
  const firstSeq = numbers.uvarint();
  numbers.varint();
  const lastSeq = numbers.uvarint();
  const lastNs = numbers.varint();
  for (let subjects = numbers.uvarint(); subjects > 0 && !numbers.ended; subjects--) {
    const length = numbers.uvarint();
    numbers.at += length;
    const count = numbers.uvarint();
    numbers.uvarint();
    if (count > 1) numbers.uvarint();
  }
  const deleted: number[] = [];
  for (let blocks = numbers.uvarint(); blocks > 0 && !numbers.ended; blocks--) {
    for (let i = 0; i < 3; i++) numbers.uvarint();
    numbers.varint();
    numbers.uvarint();
    numbers.varint();
    const gaps = numbers.uvarint();
    for (let i = 0; i < extraCounts; i++) numbers.uvarint();
    if (gaps > 0 && !readSet(numbers, bytes, deleted)) return undefined;
  }
  numbers.uvarint();
  if (numbers.ended || bytes.length - numbers.at !== CHECKSUMS || firstSeq > lastSeq + 1) return undefined;
  return { firstSeq, lastSeq, lastNs, deleted };
}

/** A sparse set: nodes of 2,048 sequences as bit maps. */
function readSet(numbers: NumberReader, bytes: Buffer, into: number[]): boolean {
  let { at } = numbers;
  if (at + SET_HEAD > bytes.length || bytes[at] !== SET_MAGIC || bytes[at + 1] !== SET_VERSION) return false;
  const nodes = bytes.readUInt32LE(at + 2);
  at += SET_HEAD;
  if (at + nodes * NODE_BYTES > bytes.length) return false;
  for (let node = 0; node < nodes; node++, at += NODE_BYTES) {
    const base = Number(bytes.readBigUInt64LE(at));
    for (let byte = 0; byte < WORDS * 8; byte++) {
      const bits = bytes[at + 8 + byte];
      for (let bit = 0; bits >> bit > 0; bit++) if (((bits >> bit) & 1) === 1) into.push(base + byte * 8 + bit);
    }
  }
  numbers.at = at;
  return true;
}

/** The S2 stream around archives: what we write we read back in any pieces, what only other writers use is understood, and damage is noticed. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeBlock } from "../../../src/jetstream/archive/s2block.ts";
import { S2Reader, S2Writer } from "../../../src/jetstream/archive/s2stream.ts";

function write(pieces: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  const writer = new S2Writer((part) => parts.push(part));
  for (const piece of pieces) writer.write(piece);
  writer.end();
  return Buffer.concat(parts);
}

function read(pieces: readonly Uint8Array[]): Buffer {
  const reader = new S2Reader();
  const out: Buffer[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let plain = reader.next(); plain !== undefined; plain = reader.next()) out.push(plain);
  }
  expect(reader.rest).toBe(0);
  return Buffer.concat(out);
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => bytes.subarray(start, [...at, bytes.length][i]));
}

/** Some of it repeats, so that blocks are compressed. */
const text = fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 3000 }))).map((runs) => Buffer.concat(runs.flatMap(([run, times]) => Array.from({ length: Math.min(times, 40_000 / (run.length + 1)) }, () => run))));

test("what is written comes back, written and read in whatever pieces", () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat()), fc.array(fc.nat()), (bytes, written, arriving) => {
      const stream = write(cut(bytes, written));
      expect(read(cut(stream, arriving)).equals(bytes)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("an empty stream is its identifier", () => {
  expect(write([]).latin1Slice()).toBe("\xff\x06\x00\x00S2sTwO");
});

test("any flipped bit behind the identifier is noticed", () => {
  const stream = write([Buffer.from("the quick brown fox jumps over the lazy dog, the quick brown fox jumps")]);
  for (let bit = 13 * 8; bit < stream.length * 8; bit++) {
    const damaged = Buffer.from(stream);
    damaged[bit >> 3] ^= 1 << (bit & 7);
    let verdict = "read";
    try {
      const reader = new S2Reader();
      reader.push(damaged);
      verdict = reader.next() === undefined ? "waits" : "read";
    } catch (error) {
      verdict = (error as Error).message;
    }
    expect(`${bit} ${verdict}`).toMatch(/^\d+ (s2: |waits)/);
  }
});

test("a stream must begin with its identifier, and not go on with what nobody knows", () => {
  const reader = new S2Reader();
  reader.push(Buffer.from("garbage"));
  expect(() => reader.next()).toThrow("s2: corrupt input");
  const other = new S2Reader();
  other.push(Buffer.concat([write([]), Buffer.from([0x02, 1, 0, 0, 0])]));
  expect(() => other.next()).toThrow("s2: unsupported input");
});

test("padding and the index at the end are passed over", () => {
  const plain = Buffer.from("hello");
  const stream = Buffer.concat([write([plain]), Buffer.from([0xfe, 3, 0, 0, 1, 2, 3]), Buffer.from([0x99, 2, 0, 0, 9, 9])]);
  expect(read([stream])).toEqual(plain);
});

const LITERAL_ABCD = [0x0c, 0x61, 0x62, 0x63, 0x64];
const blocks: readonly (readonly [what: string, bytes: readonly number[], plain: string])[] = [
  ["a literal", [4, ...LITERAL_ABCD], "abcd"],
  ["a literal with its length in a byte", [61, 0xf0, 60, ...Buffer.from("x".repeat(61))], "x".repeat(61)],
  ["a copy of one byte offset", [8, ...LITERAL_ABCD, 0x01, 4], "abcdabcd"],
  ["a copy of two byte offset", [7, ...LITERAL_ABCD, 0x0a, 2, 0], "abcdcdc"],
  ["a copy of four byte offset", [6, ...LITERAL_ABCD, 0x07, 3, 0, 0, 0], "abcdbc"],
  ["a copy that overlaps itself", [12, ...LITERAL_ABCD, 0x11, 1], "abcddddddddd"],
  ["a repeat", [16, ...LITERAL_ABCD, 0x01, 4, 0x11, 0], "abcdabcdabcdabcd"],
  ["a repeat with a length of one byte", [8 + 8 + 3, ...LITERAL_ABCD, 0x01, 4, 0x15, 0, 3], "abcd".repeat(5).slice(0, 19)],
  ["a repeat with a length of two bytes", [0x90, 0x02, ...LITERAL_ABCD, 0x01, 4, 0x19, 0, 4, 0], "abcd".repeat(68)],
  ["a repeat with a length of three bytes", [0x90, 0x80, 0x04, ...LITERAL_ABCD, 0x01, 4, 0x1d, 0, 4, 0, 0], "abcd".repeat(16388)],
];

test.each(blocks)("a block with %s", (_what, bytes, plain) => {
  expect(decodeBlock(Uint8Array.from(bytes), 1 << 20).latin1Slice()).toBe(plain);
});

const broken: readonly (readonly [what: string, bytes: readonly number[]])[] = [
  ["no length", []],
  ["a length that is not reached", [9, ...LITERAL_ABCD]],
  ["a length that is passed", [3, ...LITERAL_ABCD]],
  ["a literal that breaks off", [4, 0x0c, 0x61]],
  ["an offset before the beginning", [8, ...LITERAL_ABCD, 0x01, 5]],
  ["a copy that breaks off", [8, ...LITERAL_ABCD, 0x0a, 2]],
  ["an offset of zero", [7, ...LITERAL_ABCD, 0x0a, 0, 0]],
  ["a repeat whose length breaks off", [19, ...LITERAL_ABCD, 0x01, 4, 0x15, 0]],
];

test.each(broken)("a block with %s is refused", (_what, bytes) => {
  expect(() => decodeBlock(Uint8Array.from(bytes), 1 << 20)).toThrow("s2: corrupt input");
});

/** HighwayHash-64 against the values that its authors publish, for the key and data of bytes 0, 1, 2 and so on. */
import { expect, test } from "bun:test";
import { highwayHash64 } from "../../../src/jetstream/archive/highwayhash.ts";

const counting = Buffer.from(Array.from({ length: 64 }, (_, i) => i));
const key = counting.subarray(0, 32);

const published: readonly (readonly [length: number, hash: bigint])[] = [
  [0, 0x907a56de22c26e53n],
  [1, 0x7eab43aac7cddd78n],
  [2, 0xb8d0569ab0b53d62n],
  [3, 0x5c6befab8a463d80n],
  [32, 0xa0c964d9ecd580fcn],
  [33, 0x2c90f73ca03181fcn],
  [63, 0xab8eebe9bf2139a0n],
];

test.each(published)("of %p bytes", (length, hash) => {
  expect(highwayHash64(key, counting, 0, length).readBigUInt64LE(0)).toBe(hash);
});

test("a range is hashed as if it stood alone", () => {
  expect(highwayHash64(key, counting, 7, 50)).toEqual(highwayHash64(key, Buffer.from(counting.subarray(7, 50))));
});

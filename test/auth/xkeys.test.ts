/** Boxes between curve keys: the vector of the specification, and what must not open. */
import { expect, test } from "bun:test";
import { encodePublicKey, encodeSeed, keyPairOf } from "../../src/util/nkeys.ts";
import { open, seal } from "../../src/util/xkeys.ts";

const bytes = (from: number, count: number): Buffer => Buffer.from(Array.from({ length: count }, (_, at) => from + at));
const [sender, recipient, stranger] = [0, 0x20, 0x40].map((from) => ({ seed: encodeSeed("curve", bytes(from, 32)), publicKey: keyPairOf("curve", bytes(from, 32)).publicKey }));
const NONCE = bytes(0, 24);
const SEALED = "786b7631000102030405060708090a0b0c0d0e0f1011121314151617851ce20a96d18622b2a71e906a978cfe0bb7d35c13";

test("the vector of the specification", () => {
  expect(recipient.publicKey).toBe("XA2YA4WWGZMIBUNO5IZJVX4REE4DQUPNEGRI4O3V5FS5BUWNCZRFI2LE");
  expect(seal(Buffer.from("hello"), NONCE, sender.seed, recipient.publicKey).toString("hex")).toBe(SEALED);
  expect(open(Buffer.from(SEALED, "hex"), recipient.seed, sender.publicKey)?.toString()).toBe("hello");
});

test("nothing else opens", () => {
  const sealed = Buffer.from(SEALED, "hex");
  expect(open(sealed, recipient.seed, stranger.publicKey)).toBeUndefined();
  expect(open(sealed, stranger.seed, sender.publicKey)).toBeUndefined();
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const damaged = Buffer.from(sealed);
    damaged[bit >> 3] ^= 1 << (bit & 7);
    expect(open(damaged, recipient.seed, sender.publicKey)).toBeUndefined();
  }
  for (let length = 0; length < sealed.length; length++) expect(open(sealed.subarray(0, length), recipient.seed, sender.publicKey)).toBeUndefined();
});

test("keys of another kind are refused", () => {
  expect(() => seal(Buffer.from("x"), NONCE, sender.seed, encodePublicKey("user", bytes(0, 32)))).toThrow("not a public curve key");
  expect(() => seal(Buffer.from("x"), NONCE, encodeSeed("user", bytes(0, 32)), recipient.publicKey)).toThrow("not the seed of a curve key");
});

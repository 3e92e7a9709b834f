/** Secrets: who compares them, and what the time that it takes tells. */
import { describe, expect, test } from "bun:test";
import bcrypt from "bcryptjs";
import { equalInConstantTime, secretMatches } from "../../src/auth/password.ts";
import type { PasswordHash } from "../../src/platform/index.ts";
import { sha256 } from "../../src/util/hash.ts";

const hasher: PasswordHash = { verifyBcrypt: (secret, hash) => bcrypt.compare(Buffer.from(secret).toString("utf8"), hash) };

/** Bytes that count how often one of them is looked at. */
function counted(bytes: Buffer): { readonly bytes: Uint8Array; readonly reads: () => number } {
  let reads = 0;
  const proxy = new Proxy(bytes, {
    get(target, name) {
      if (typeof name === "string" && /^\d+$/.test(name)) reads++;
      return Reflect.get(target, name, target);
    },
  });
  return { bytes: proxy, reads: () => reads };
}

describe("a comparison reads every byte of both", () => {
  const secret = sha256("s3cret");
  const altered = (at: number): Buffer => {
    const copy = Buffer.from(secret);
    copy[at] ^= 1;
    return copy;
  };
  test.each([
    ["equal", Buffer.from(secret), true],
    ["different at the first byte", altered(0), false],
    ["different in the middle", altered(16), false],
    ["different at the last byte", altered(31), false],
    ["different everywhere", secret.map((byte) => byte ^ 255), false],
  ] as const)("%s", (_, presented, expected) => {
    const left = counted(Buffer.from(secret));
    const right = counted(Buffer.from(presented));
    expect(equalInConstantTime(left.bytes, right.bytes)).toBe(expected);
    expect([left.reads(), right.reads()]).toEqual([32, 32]);
  });
});

test("plain secrets of any length match themselves alone", () => {
  const secrets = ["", "a", "aa", "s3cret", "s3cret ", "S3cret", "ü", "x".repeat(100_000)];
  for (const configured of secrets) for (const presented of secrets) expect(secretMatches(configured, presented, hasher)).toBe(configured === presented);
});

test("a hash is compared away from the loop, and never matches as text", async () => {
  const hash = bcrypt.hashSync("s3cret", 4);
  expect(secretMatches(hash, "s3cret", hasher)).toBeInstanceOf(Promise);
  expect(await secretMatches(hash, "s3cret", hasher)).toBe(true);
  expect(await secretMatches(hash, "secret", hasher)).toBe(false);
  expect(await secretMatches(hash, hash, hasher)).toBe(false);
});

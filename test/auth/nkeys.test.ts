/** Nkeys: the vectors of the specification, and a signature made by the seed's holder. */
import { describe, expect, test } from "bun:test";
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import fc from "fast-check";
import { base32, crc16, decodePublicKey, encodePublicKey, isPublicKey, verifySignature } from "../../src/util/nkeys.ts";

const SEED = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const privateKey = createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), SEED]), format: "der", type: "pkcs8" });
const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(-32);

describe("nkeys", () => {
  test("the checksum's check value", () => {
    expect(crc16(Buffer.from("123456789"))).toBe(0x31c3);
  });

  test.each([
    ["user", "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"],
    ["account", "AAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3QPZV"],
    ["operator", "OAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3QZVT"],
    ["server", "NAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RSWB"],
  ] as const)("a %s key", (kind, text) => {
    expect(encodePublicKey(kind, publicKey)).toBe(text);
    expect(decodePublicKey(text)).toEqual({ kind, key: Buffer.from(publicKey) });
    expect(isPublicKey(text, kind)).toBe(true);
    expect(isPublicKey(text, kind === "user" ? "account" : "user")).toBe(false);
  });

  test("a signature is accepted from its key for its text alone", () => {
    const user = encodePublicKey("user", publicKey);
    const signature = sign(null, Buffer.from("nonce"), privateKey);
    expect(signature.toString("base64")).toBe("+HTq4d6DDHVNb8MsTRAZtSIa0vXA/yuZblwTA7JT5wYzmKBxJ2wpYfjHh7hcptZlidbVw/6ZLyubjm/yDk+OCQ==");
    expect(verifySignature(user, Buffer.from("nonce"), signature)).toBe(true);
    expect(verifySignature(user, Buffer.from("other"), signature)).toBe(false);
    expect(verifySignature(user, Buffer.from("nonce"), signature.subarray(1))).toBe(false);
    expect(verifySignature("not a key", Buffer.from("nonce"), signature)).toBe(false);
  });

  test("a key has one text: another prefix byte of the same kind is no key", () => {
    for (let low = 1; low < 8; low++) {
      const raw = Buffer.concat([Buffer.from([(20 << 3) | low]), publicKey, Buffer.alloc(2)]);
      raw.writeUInt16LE(crc16(raw.subarray(0, -2)), raw.length - 2);
      expect(isPublicKey(base32(raw))).toBe(false);
    }
  });

  test("a changed letter is noticed, and any text is judged without an exception", () => {
    const user = encodePublicKey("user", publicKey);
    fc.assert(
      fc.property(fc.nat(user.length - 1), fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), (place, letter) => {
        const changed = user.slice(0, place) + letter + user.slice(place + 1);
        expect(isPublicKey(changed, "user")).toBe(changed === user);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => typeof isPublicKey(text) === "boolean"));
  });
});

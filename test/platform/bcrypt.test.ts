/** The native bcrypt against an independent one, over the inputs where implementations are known to differ, and off the event loop. */
import { describe, expect, test } from "bun:test";
import bcryptjs from "bcryptjs";
import fc from "fast-check";
import { verifyBcrypt } from "../../src/platform/bun/bcrypt.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("verifyBcrypt", () => {
  const secrets = ["", "s3cr3t", "a\0b", "\0", "\0\0", "pässwörd 😀", "x".repeat(71), "x".repeat(72), `${"x".repeat(72)}tail`, "y".repeat(300), "ä".repeat(36), "ä".repeat(40)];
  for (const secret of secrets) {
    const shown = secret.length > 20 ? `${secret.slice(0, 3)}… of ${secret.length} characters` : JSON.stringify(secret);
    test(`${shown}: accepts its hash in every revision, and refuses others`, async () => {
      const hash = bcryptjs.hashSync(secret, 4);
      for (const revision of ["a", "b", "x", "y"]) expect(await verifyBcrypt(bytes(secret), `$2${revision}${hash.slice(3)}`)).toBe(true);
      expect(await verifyBcrypt(bytes(`!${secret}`), hash)).toBe(false);
    });
  }

  test("agrees with the oracle on random pairs of secrets", async () => {
    const near = fc.string({ unit: "binary", maxLength: 90 });
    await fc.assert(
      fc.asyncProperty(near, near, async (hashed, tried) => {
        const hash = bcryptjs.hashSync(hashed, 4);
        expect(await verifyBcrypt(bytes(hashed), hash)).toBe(true);
        expect(await verifyBcrypt(bytes(tried), hash)).toBe(bcryptjs.compareSync(tried, hash));
      }),
      { numRuns: 60 },
    );
  });

  test("only the first 72 bytes count", async () => {
    const hash = bcryptjs.hashSync("k".repeat(72), 4);
    expect(await verifyBcrypt(bytes(`${"k".repeat(72)}anything`), hash)).toBe(true);
    expect(await verifyBcrypt(bytes("k".repeat(71)), hash)).toBe(false);
  });

  test("bytes that are not UTF-8 are taken as they are", async () => {
    // The published vector of the sign extension defect: 0xff 0xff 0xa3, revision y.
    const hash = "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e";
    expect(await verifyBcrypt(Uint8Array.of(0xff, 0xff, 0xa3), hash)).toBe(true);
    expect(await verifyBcrypt(Uint8Array.of(0xa3), hash)).toBe(false);
  });

  test.each(["", "x", "$2a$04$short", "$2c$04$gPvF.KIiFqU0xRjbJj7wpuZ6bxvWZ3wCSTBt6PGzbWzH1gTvM5mxy", "$2a$99$gPvF.KIiFqU0xRjbJj7wpuZ6bxvWZ3wCSTBt6PGzbWzH1gTvM5mxy", "plain text"])(
    "a malformed hash %p matches nothing and does not throw",
    async (hash) => {
      expect(await verifyBcrypt(bytes("x"), hash)).toBe(false);
    },
  );

  test("the event loop runs on while a costly hash is computed", async () => {
    const hash = bcryptjs.hashSync("s", 4).replace("$04$", "$10$");
    let turns = 0;
    let running = true;
    const result = verifyBcrypt(bytes("s"), hash).finally(() => (running = false));
    while (running) {
      turns++;
      await new Promise((next) => setImmediate(next));
    }
    expect(await result).toBe(false);
    expect(turns).toBeGreaterThan(20);
  });
});

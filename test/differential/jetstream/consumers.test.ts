/**
 * A bounded run of the sessions about consumers, always with the same seeds: our binary (NATS_SERVER, or dist/nats-server) beside the reference
 * (NATS_REFERENCE_SERVER). `consumers-hunt.ts` looks further.
 */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { compare, printDifference, sessionOf, startPair, stopPair } from "./consumers-compare.ts";
import type { Session } from "./consumers-session.ts";
import type { Variant } from "./consumers-play.ts";

const ours = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../../dist/nats-server"));
const reference = process.env["NATS_REFERENCE_SERVER"] ?? "";
const TIMEOUT_MS = 60_000;
const LANES = 2;

/** How many sessions of each kind of server, and from which seed on. */
const BOUNDED: readonly (readonly [variant: Variant, firstSeed: number, count: number])[] = [
  ["plain", 40_000, 12],
  ["domain", 41_000, 5],
  ["limited", 42_000, 5],
];

/** Where messages come again while the session goes on, a slow machine shows differences that are none: those are for people. */
function isTimed(session: Session): boolean {
  return session.ops.some((op) => op.kind === "request" && /"(?:ack_wait|backoff)":\[?\d{1,9}\b/.test(op.body));
}

if (existsSync(reference)) {
  for (const [variant, firstSeed, count] of BOUNDED) {
    test(`consumers do as on the reference: ${variant}`, async () => {
      const pair = await startPair(ours, reference, variant);
      const found: string[] = [];
      let next = firstSeed;
      let steps = 0;
      const lane = async (number: number): Promise<void> => {
        for (let seed = next++; seed < firstSeed + count; seed = next++) {
          const session = sessionOf(seed);
          if (isTimed(session)) continue;
          const result = await compare(pair, number, session);
          steps += result.steps;
          if (result.difference !== undefined) found.push(`seed ${seed}\n${printDifference(session, result.difference)}`);
        }
      };
      try {
        await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
      } finally {
        await stopPair(pair);
      }
      expect(found.join("\n")).toBe("");
      expect(steps).toBeGreaterThan(count);
    }, TIMEOUT_MS);
  }
} else if (process.env["REQUIRE_REFERENCE"] === "1") {
  test("the reference server is there", () => {
    throw new Error("REQUIRE_REFERENCE=1, but NATS_REFERENCE_SERVER does not name a binary");
  });
}

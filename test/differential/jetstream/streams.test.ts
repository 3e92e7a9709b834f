/**
 * A bounded run of the hunt for differences in streams, always with the same seeds: our binary (NATS_SERVER, or dist/nats-server) beside the reference
 * (NATS_REFERENCE_SERVER), once per configuration. A difference is printed with its seed; `hunt.ts` looks further. Sessions that have to wait for what copies
 * or expires are the hunt's alone.
 */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { CONFIGS } from "./pair.ts";
import { quickStreamsSession } from "./streams.ts";
import { tour } from "./tour.ts";

const ours = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../../dist/nats-server"));
const reference = process.env["NATS_REFERENCE_SERVER"] ?? "";
const SESSIONS = 15;
const FIRST_SEED = 1_000_000;
const TIMEOUT_MS = 60_000;

if (existsSync(reference)) {
  describe("random sessions about streams look alike", () => {
    for (const [index, configuration] of Object.keys(CONFIGS).entries()) {
      test(`${configuration}: as on the reference`, async () => {
        const firstSeed = FIRST_SEED + index * SESSIONS;
        const { sessions, steps, differences } = await tour(quickStreamsSession, { ours, reference, firstSeed, count: SESSIONS, configuration, differencesMax: 2, minimises: false });
        expect(differences.join("\n")).toBe("");
        expect(sessions).toBe(SESSIONS);
        expect(steps).toBeGreaterThan(SESSIONS);
      }, TIMEOUT_MS);
    }
  });
} else if (process.env["REQUIRE_REFERENCE"] === "1") {
  test("the reference server is there", () => {
    throw new Error("REQUIRE_REFERENCE=1, but NATS_REFERENCE_SERVER does not name a binary");
  });
} else console.log("differential: NATS_REFERENCE_SERVER names no binary, so JetStream is not compared");

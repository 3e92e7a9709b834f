/**
 * A bounded run of the differential tests, always with the same seeds: our binary (NATS_SERVER, or dist/nats-server) beside the reference
 * (NATS_REFERENCE_SERVER), and our binary over TLS and WebSocket beside itself over TCP. A difference is printed with its seed; `hunt.ts` looks further.
 * REQUIRE_REFERENCE=1 makes a missing reference an error.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { temporaryFolder } from "../support/temporary.ts";
import { AREAS } from "./areas.ts";
import { tour } from "./tour.ts";
import { configText, verdict } from "./verdict.ts";

const ours = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));
const reference = process.env["NATS_REFERENCE_SERVER"] ?? "";
const TIMEOUT_MS = 60_000;

/** How many sessions of each area, and from which seed on. */
const BOUNDED: Readonly<Record<string, { readonly count: number; readonly firstSeed: number }>> = {
  protocol: { count: 120, firstSeed: 100_000 },
  auth: { count: 72, firstSeed: 200_000 },
  permissions: { count: 72, firstSeed: 300_000 },
  reload: { count: 48, firstSeed: 400_000 },
  trace: { count: 60, firstSeed: 500_000 },
  websocket: { count: 60, firstSeed: 600_000 },
  tls: { count: 40, firstSeed: 700_000 },
};
const VERDICTS = 60;

test("every area has its place here", () => {
  expect(Object.keys(BOUNDED).sort()).toEqual(Object.keys(AREAS).sort());
  expect(existsSync(ours), `${ours} is missing: run the build, or name a binary with NATS_SERVER`).toBe(true);
});

describe("random sessions look alike", () => {
  for (const [name, area] of Object.entries(AREAS)) {
    const bounds = BOUNDED[name];
    if (bounds === undefined || !existsSync(ours) || (area.withinOurs !== true && !existsSync(reference))) continue;
    test(area.withinOurs === true ? `${name}: as over TCP` : `${name}: as on the reference`, async () => {
      const { played, differences } = await tour(name, area, { ours, reference, ...bounds, differencesMax: 2, variant: "", minimises: false });
      expect(differences.join("\n")).toBe("");
      expect(played).toBeGreaterThanOrEqual(bounds.count);
    }, TIMEOUT_MS);
  }
});

if (existsSync(reference)) {
  test("random configurations have the same verdict", async () => {
    const folder = temporaryFolder("verdict");
    for (let seed = 1; seed <= VERDICTS; seed++) {
      const text = configText(seed);
      writeFileSync(join(folder, "c"), text);
      const [mine, theirs] = await Promise.all([verdict(ours, folder), verdict(reference, folder)]);
      expect(mine, `seed ${seed}:\n${text}`).toBe(theirs);
    }
  }, TIMEOUT_MS);
} else if (process.env["REQUIRE_REFERENCE"] === "1") {
  test("the reference server is there", () => {
    throw new Error("REQUIRE_REFERENCE=1, but NATS_REFERENCE_SERVER does not name a binary");
  });
} else console.log("differential: NATS_REFERENCE_SERVER names no binary, so only transports are compared");

/**
 * For people: looks for differences in JetStream with fresh seeds and prints the shortest session for each kind.
 *
 *     NATS_SERVER=dist/nats-server NATS_REFERENCE_SERVER=... bun test/differential/jetstream/hunt.ts AREA [COUNT [FIRST_SEED [CONFIGURATION]]]
 *
 * COUNT is a number of sessions, or `10m`: minutes. DIFFERENCES=20 goes on until so many kinds were found (default 5).
 */
import { resolve } from "node:path";
import { AREAS } from "./areas.ts";
import { tour } from "./tour.ts";

const [, , name = "", count = "200", firstSeed = "1", configuration] = process.argv;
const make = AREAS[name];
if (make === undefined) throw new Error(`areas: ${Object.keys(AREAS).join(", ")}`);
const minutes = /^(\d+)m$/.exec(count)?.[1];
const { sessions, steps, differences } = await tour(make, {
  ours: resolve(process.env["NATS_SERVER"] ?? "dist/nats-server"),
  reference: process.env["NATS_REFERENCE_SERVER"] ?? "",
  firstSeed: Number(firstSeed),
  count: minutes === undefined ? Number(count) : Infinity,
  ...(minutes === undefined ? {} : { milliseconds: Number(minutes) * 60_000 }),
  ...(configuration === undefined ? {} : { configuration }),
  differencesMax: Number(process.env["DIFFERENCES"] ?? "5"),
  minimises: true,
  onDifference: (text) => console.log(`== ${name} ${text}`),
});
console.log(`${sessions} sessions, ${steps} steps, ${differences.length} kinds of differences`);

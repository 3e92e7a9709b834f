/**
 * For people: looks for differences with fresh seeds and prints the shortest session for each.
 *
 *     NATS_SERVER=dist/nats-server NATS_REFERENCE_SERVER=... bun test/differential/hunt.ts AREA [COUNT [FIRST_SEED [VARIANT]]]
 *
 * DIFFERENCES=20 goes on until so many were found (default 5).
 */
import { AREAS } from "./areas.ts";
import { tour } from "./tour.ts";

const [, , name = "", count = "200", firstSeed = "1", variant = ""] = process.argv;
const area = AREAS[name];
if (area === undefined) throw new Error(`areas: ${Object.keys(AREAS).join(", ")}`);
const { played, differences } = await tour(name, area, {
  ours: process.env["NATS_SERVER"] ?? "dist/nats-server",
  reference: process.env["NATS_REFERENCE_SERVER"] ?? "",
  firstSeed: Number(firstSeed),
  count: Number(count),
  differencesMax: Number(process.env["DIFFERENCES"] ?? "5"),
  variant,
  minimises: true,
});
for (const difference of differences) console.log(`== ${difference}`);
console.log(`${name}: ${played} sessions, ${differences.length} differ`);

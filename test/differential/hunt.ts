/**
 * For people: looks for differences with fresh seeds and prints the shortest session for each.
 *
 *     NATS_SERVER=dist/nats-server NATS_REFERENCE_SERVER=... bun test/differential/hunt.ts AREA [COUNT [FIRST_SEED [VARIANT]]]
 */
import { ServerProcess } from "../support/server-process.ts";
import { AREAS, type Area } from "./areas.ts";
import { compare, kinds, minimise } from "./compare.ts";
import { reload } from "./play.ts";
import { COMMON_CONFIG, printSession, type Session } from "./session.ts";

const [, , areaName = "", count = "200", firstSeed = "1", onlyVariant = ""] = process.argv;
const ours = process.env["NATS_SERVER"] ?? "dist/nats-server";
const reference = process.env["NATS_REFERENCE_SERVER"] ?? "";
const area: Area | undefined = AREAS[areaName];
if (area === undefined) throw new Error(`areas: ${Object.keys(AREAS).join(", ")}`);

const first = Number(firstSeed);
const limit = Number(process.env["LIMIT"] ?? "8");
let found = 0;
let played = 0;
for (const variant of area.variants(first, Number(count))) {
  if (onlyVariant !== "" && variant.name !== onlyVariant) continue;
  const start = (binary: string): Promise<ServerProcess> => ServerProcess.start({ binary, config: `${COMMON_CONFIG}${variant.config}` });
  const pair = { ours: await start(ours), theirs: await start(area.withinOurs === true ? ours : reference) };
  for (let seed = variant.firstSeed; seed < variant.firstSeed + variant.count && found < limit; seed++) {
    const session: Session = variant.session(seed);
    const restore = async (): Promise<void> => {
      if (session.steps.some((step) => step.kind === "reload")) {
        await Promise.all([pair.ours, pair.theirs].map((server) => reload(server, variant.config)));
      }
    };
    played++;
    const seen = await compare(pair, session, area.sides(seed)).catch((error: unknown) => [String(error)]);
    await restore();
    if (seen === undefined) continue;
    found++;
    console.log(`== ${areaName} ${variant.name} seed ${seed}\n   ${seen.join("\n   ")}`);
    const shortest = await minimise(session, async (candidate) => {
      const still = await compare(pair, candidate, area.sides(seed)).catch(() => undefined);
      await restore();
      return still !== undefined && kinds(still).isSubsetOf(kinds(seen)) && [...kinds(seen)][0] === [...kinds(still)][0];
    });
    console.log(`-- shortest\n${printSession(shortest)}`);
    const last = await compare(pair, shortest, area.sides(seed)).catch((error: unknown) => [String(error)]);
    await restore();
    console.log(`   ${last?.join("\n   ") ?? "(not shown again)"}`);
    if (variant.showConfig === true) console.log(variant.config);
  }
  await Promise.all([pair.ours.stop(), pair.theirs.stop()]);
  if (found >= limit) break;
}
console.log(`${areaName}: ${played} sessions, ${found} differ`);

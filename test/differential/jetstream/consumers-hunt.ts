/**
 * For people: looks for differences between this server's consumers and the reference's, with fresh seeds, and prints the shortest session for each.
 *
 *     NATS_SERVER=dist/nats-server NATS_REFERENCE_SERVER=... bun test/differential/jetstream/consumers-hunt.ts [FIRST_SEED [MINUTES]]
 *
 * VARIANT=domain (plain, domain, lenient, limited) says how the servers are set up. SEEDS=5,9 plays these only. DIFFERENCES=20 goes on until so many were found (default 5). LANES=4 plays so many sessions at a time (default 2).
 */
import { resolve } from "node:path";
import { compare, minimise, printDifference, sessionOf, startPair, stopPair } from "./consumers-compare.ts";
import type { Variant } from "./consumers-play.ts";

const [, , firstSeed = "1", minutes = "1"] = process.argv;
const seeds = process.env["SEEDS"]?.split(",").map(Number);
const most = Number(process.env["DIFFERENCES"] ?? "5");
const lanes = Number(process.env["LANES"] ?? "2");
const pair = await startPair(resolve(process.env["NATS_SERVER"] ?? "dist/nats-server"), process.env["NATS_REFERENCE_SERVER"] ?? "", (process.env["VARIANT"] ?? "plain") as Variant);
const end = performance.now() + Number(minutes) * 60_000;
let next = Number(firstSeed);
let sessions = 0;
let steps = 0;
let differ = 0;
const known = new Map<string, number>();

function take(): number | undefined {
  if (seeds !== undefined) return seeds.shift();
  return performance.now() < end && differ < most ? next++ : undefined;
}

async function lane(number: number): Promise<void> {
  for (let seed = take(); seed !== undefined; seed = take()) {
    const session = sessionOf(seed);
    const result = await compare(pair, number, session);
    sessions++;
    steps += result.steps;
    if (result.known !== undefined) known.set(result.known, (known.get(result.known) ?? 0) + 1);
    if (result.difference === undefined) continue;
    differ++;
    const least = await minimise(pair, number, session, result.difference);
    console.log(`== seed ${seed}\n${printDifference(least.session, least.difference)}\n`);
  }
}

await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
console.log(`${sessions} sessions, ${steps} steps alike, ${differ} sessions differ; next seed ${next}`);
for (const [name, count] of known) console.log(`  ${count} ended where it is meant: ${name}`);
const internal = pair.ours.log.filter((line) => /Internal error|\[ERR\]/.test(line));
if (internal.length > 0) console.log(internal.slice(0, 10).join("\n"));
await stopPair(pair);

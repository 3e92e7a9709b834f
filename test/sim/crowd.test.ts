/**
 * Clients that subscribe, publish, stop reading and break off at random, on a network that cuts, delays and holds back, against a naive model. A failure names its
 * seed; NATS_SIM_SEED=<seed> runs that one alone.
 */
import { expect, test } from "bun:test";
import { Crowd } from "./crowd.ts";
import { Simulation } from "./simulation.ts";

const SEEDS = 250;
const TIMEOUT_MS = 60_000;
const ROUNDS = 6;

interface Run {
  readonly faults: readonly string[];
  readonly log: readonly string[];
  /** Everything that happened, boiled down. */
  readonly trace: string;
}

async function run(seed: number): Promise<Run> {
  const simulation = new Simulation(seed);
  const { random } = simulation;
  const server = simulation.start(`write_deadline: "1h"\n${random.chance(0.3) ? "disable_sublist_cache: true" : ""}`);
  const timersBefore = simulation.clock.pendingTimers;
  const crowd = new Crowd(simulation, server);
  const faults: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    while (crowd.size < 2 || (crowd.size < 7 && random.chance(0.5))) await crowd.join();
    // Interest settles first; then messages fly, in every other round among further changes.
    for (let steps = random.integer(8); steps > 0; steps--) crowd.changeInterest(false);
    faults.push(...(await crowd.endRound()));
    const wild = round % 2 === 1;
    for (let steps = 5 + random.integer(20); steps > 0; steps--) {
      if (random.chance(0.1)) crowd.doze();
      if (random.chance(0.05)) crowd.wakeAll();
      if (wild && random.chance(0.3)) crowd.changeInterest(true);
      else if (wild && random.chance(0.1)) crowd.depart();
      else crowd.publish();
      if (random.chance(0.5)) await simulation.advance(random.fraction() * 3);
    }
    faults.push(...(await crowd.endRound()).map((fault) => `round ${round}: ${fault}`));
    if (server.subscriptionCount !== crowd.subscriptionCount) faults.push(`round ${round}: ${server.subscriptionCount} subscriptions, not ${crowd.subscriptionCount}`);
  }
  while (crowd.size > 0) {
    crowd.depart();
    if (random.chance(0.3)) await crowd.endRound();
    else await simulation.advance(random.fraction());
    if (crowd.size > 0 && random.chance(0.5)) await crowd.endRound();
  }
  await simulation.settle();
  await simulation.advance(200);
  if (server.server.clientCount !== 0) faults.push(`${server.server.clientCount} connections left`);
  if (server.subscriptionCount !== 0) faults.push(`${server.subscriptionCount} subscriptions left`);
  if (simulation.clock.pendingTimers !== timersBefore) faults.push(`${simulation.clock.pendingTimers - timersBefore} timers left`);
  const { inMsgs, inBytes, outMsgs, outBytes } = server.server.connections.traffic();
  return { faults, log: server.log.lines.filter((line) => /^\[(ERR|WRN|FTL)\]/.test(line)), trace: [simulation.clock.monotonicMs(), inMsgs, inBytes, outMsgs, outBytes, random.fraction()].join(" ") };
}

const only = process.env["NATS_SIM_SEED"];
const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, index) => index + 1) : [Number(only)];

test(`everybody gets what the model says, from ${seeds.length} seeds`, async () => {
  for (const seed of seeds) {
    const { faults, log } = await run(seed).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    });
    expect({ seed, faults: faults.slice(0, 10), log }).toEqual({ seed, faults: [], log: [] });
  }
}, TIMEOUT_MS);

test("the same seed gives the same run", async () => {
  for (const seed of [1, 2, 3]) expect((await run(seed)).trace).toBe((await run(seed)).trace);
  expect((await run(1)).trace).not.toBe((await run(2)).trace);
}, TIMEOUT_MS);

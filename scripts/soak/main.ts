/**
 * A soak: mixed load on one server that is killed (SIGKILL) at random moments and started again on the same files, then an audit. These promises are checked:
 *
 * - every message whose publication was acknowledged is in its stream, once, with its own body; also where most of its neighbours are deleted, while others read, so that
 *   files are rewritten all the time;
 * - what was deleted stays deleted;
 * - no message is delivered again after its acknowledgement was confirmed;
 * - no stream found a record damaged.
 *
 *     bun scripts/soak/main.ts [--server dist/nats-server] [--minutes 10] [--seed 1] [--sync always]
 *
 * Exit codes: 0 both promises held, 1 one was broken (each case is printed), 2 the command line is wrong.
 */
import { AckPolicy, DiscardPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType, StoreCompression } from "@nats-io/jetstream";
import type { JsMsg } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { SoakServer } from "./server.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "dist/nats-server" },
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    sync: { type: "string", default: "" },
  },
});

const PUBLISHERS = 4;
const KEYS = 200;
/** Requests of the audit under way. */
const AUDITORS = 64;
const KILL_AFTER_MS_MIN = 1000;
const KILL_AFTER_MS_RANGE = 5000;
const RECONNECT_MS = 50;

/** A small generator, so that a seed gives the same moments of death. */
function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const random = randomFrom(Number(values.seed) * 7919);
const folder = mkdtempSync(join(tmpdir(), "nats-soak-"));
const server = new SoakServer(resolve(values.server), folder, values.sync);
const endsAt = Date.now() + Number(values.minutes) * 60_000;
const isOver = (): boolean => Date.now() >= endsAt;

/** Sequence of each acknowledged publication, by its id. */
const acknowledged = new Map<string, number>();
/** Ids whose acknowledgement a consumer had confirmed. */
const confirmed = new Set<string>();
/** Newest acknowledged value of each key, and all that were tried after it. */
const keys = new Map<string, { last: number; tried: Set<number> }>();
/** Messages of the stream that is thinned out, by sequence. */
const thinned = new Map<number, { readonly id: string; fate: "kept" | "asked to go" | "gone" }>();
const broken: string[] = [];
let delivered = 0;
let refused = 0;

async function client(): Promise<NatsConnection> {
  return connect({ servers: `127.0.0.1:${server.port}`, maxReconnectAttempts: -1, reconnectTimeWait: RECONNECT_MS, reconnectJitter: 0, waitOnFirstConnect: true, timeout: 2000 });
}

/** Runs `step` until the time is over; what fails because the server is away is tried again with the next one. */
async function keepDoing(step: () => Promise<unknown>): Promise<void> {
  while (!isOver()) {
    try {
      await step();
    } catch {
      refused++;
      await Bun.sleep(20);
    }
  }
}

async function publisher(name: string, nc: NatsConnection): Promise<void> {
  const js = jetstream(nc, { timeout: 1000 });
  let number = 0;
  await keepDoing(async () => {
    const size = random() < 0.05 ? 20_000 : 100;
    const burst = Array.from({ length: 1 + Math.floor(random() * 40) }, () => `${name}-${++number}`);
    const results = await Promise.allSettled(burst.map((id) => js.publish(`soak.${name}`, `${id} ${"x".repeat(size)}`)));
    results.forEach((result, i) => {
      if (result.status === "fulfilled") acknowledged.set(burst[i], result.value.seq);
      else refused++;
    });
  });
}

const idOf = (message: { readonly data: Uint8Array }): string => {
  const text = Buffer.from(message.data).toString("latin1");
  return text.slice(0, text.indexOf(" "));
};

/** Takes a message: sometimes refuses it, sometimes forgets it, mostly acknowledges and waits for the confirmation. */
async function take(message: JsMsg): Promise<void> {
  delivered++;
  const id = `${message.info.stream}/${message.info.consumer}/${message.seq}`;
  if (confirmed.has(id)) broken.push(`${id} was delivered again after its acknowledgement was confirmed`);
  const chance = random();
  if (chance < 0.05) return message.nak();
  if (chance < 0.08) return;
  if (chance < 0.5) return message.ack();
  if (await message.ackAck({ timeout: 1000 })) confirmed.add(id);
}

async function puller(consumer: string, nc: NatsConnection): Promise<void> {
  const js = jetstream(nc, { timeout: 1000 });
  await keepDoing(async () => {
    const handle = await js.consumers.get("SOAK", consumer);
    const messages = await handle.fetch({ max_messages: 100, expires: 1000 });
    const taken: Promise<void>[] = [];
    for await (const message of messages) taken.push(take(message).catch(() => void refused++));
    await Promise.all(taken);
  });
}

async function worker(nc: NatsConnection): Promise<void> {
  const js = jetstream(nc, { timeout: 1000 });
  let number = 0;
  await Promise.all([
    keepDoing(async () => {
      await js.publish("work.x", `w-${++number} `);
    }),
    keepDoing(async () => {
      const handle = await js.consumers.get("WORK", "W");
      const messages = await handle.fetch({ max_messages: 50, expires: 1000 });
      for await (const message of messages) await take(message).catch(() => void refused++);
    }),
  ]);
}

async function keyWriter(nc: NatsConnection): Promise<void> {
  const kv = await new Kvm(nc).open("SOAK");
  let number = 0;
  await keepDoing(async () => {
    const key = `k${Math.floor(random() * KEYS)}`;
    const state = keys.get(key) ?? { last: 0, tried: new Set<number>() };
    keys.set(key, state);
    const value = ++number;
    state.tried.add(value);
    await kv.put(key, String(value));
    state.last = value;
    state.tried.clear();
  });
}

/** Publishes in bursts and deletes two of three, some time later. */
async function thinner(nc: NatsConnection): Promise<void> {
  const js = jetstream(nc, { timeout: 1000 });
  const jsm = await jetstreamManager(nc, { timeout: 1000 });
  const doomed: number[] = [];
  let number = 0;
  await Promise.all([
    keepDoing(async () => {
      const burst = Array.from({ length: 50 }, () => `t-${++number}`);
      const results = await Promise.allSettled(burst.map((id) => js.publish(`thin.${number % 7}`, `${id} ${"y".repeat(Math.floor(random() * 200))}`)));
      results.forEach((result, i) => {
        if (result.status !== "fulfilled") return void refused++;
        const { seq } = result.value;
        thinned.set(seq, { id: burst[i], fate: "kept" });
        if (random() < 0.67) doomed.push(seq);
      });
    }),
    keepDoing(async () => {
      if (doomed.length < 5000) return Bun.sleep(20);
      await Promise.all(doomed.splice(0, 20).map(async (seq) => {
        const message = thinned.get(seq);
        if (message === undefined) return;
        message.fate = "asked to go";
        await jsm.streams.deleteMessage("THIN", seq, false);
        message.fate = "gone";
      }));
    }),
  ]);
}

/** Reads here and there, while files are rewritten. */
async function reader(nc: NatsConnection): Promise<void> {
  const jsm = await jetstreamManager(nc, { timeout: 1000 });
  await keepDoing(async () => {
    const { state } = await jsm.streams.info("THIN");
    const sequences = Array.from({ length: 40 }, () => state.first_seq + Math.floor(random() * (state.last_seq - state.first_seq + 1)));
    for (const message of await Promise.all(sequences.map((seq) => jsm.streams.getMessage("THIN", { seq })))) {
      const known = message === null ? undefined : thinned.get(message.seq);
      if (message !== null && known !== undefined && idOf(message) !== known.id) broken.push(`THIN ${message.seq} is ${idOf(message)}, not ${known.id}`);
    }
  });
}

async function killer(): Promise<number> {
  let kills = 0;
  while (!isOver()) {
    await Bun.sleep(KILL_AFTER_MS_MIN + random() * KILL_AFTER_MS_RANGE);
    await server.kill();
    kills++;
    await server.start();
  }
  return kills;
}

async function setUp(nc: NatsConnection): Promise<void> {
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: "SOAK", subjects: ["soak.>"], storage: StorageType.File });
  await jsm.streams.add({ name: "WORK", subjects: ["work.>"], storage: StorageType.File, retention: RetentionPolicy.Workqueue, discard: DiscardPolicy.Old });
  for (const durable_name of ["A", "B", "C"]) await jsm.consumers.add("SOAK", { durable_name, ack_policy: AckPolicy.Explicit, ack_wait: 5e9, max_ack_pending: 2000 });
  await jsm.consumers.add("WORK", { durable_name: "W", ack_policy: AckPolicy.Explicit, ack_wait: 5e9 });
  await jsm.streams.add({ name: "THIN", subjects: ["thin.>"], storage: StorageType.File, compression: Number(values.seed) % 2 === 0 ? StoreCompression.S2 : StoreCompression.None });
  await new Kvm(nc).create("SOAK", { history: 1 });
}

async function audit(nc: NatsConnection): Promise<void> {
  const jsm = await jetstreamManager(nc);
  const left = acknowledged.entries();
  const auditor = async (): Promise<void> => {
    for (const [id, seq] of left) {
      const message = await jsm.streams.getMessage("SOAK", { seq });
      if (message === null) broken.push(`${id} was acknowledged as ${seq} and is not there`);
      else if (idOf(message) !== id) broken.push(`${id} was acknowledged as ${seq}, where ${idOf(message)} is`);
    }
  };
  const thin = thinned.entries();
  const thinAuditor = async (): Promise<void> => {
    for (const [seq, { id, fate }] of thin) {
      const message = await jsm.streams.getMessage("THIN", { seq });
      if (message === null ? fate === "kept" : fate === "gone" || idOf(message) !== id) broken.push(`${id} (${fate}) is ${message === null ? "not there" : idOf(message)}, as ${seq} of THIN`);
    }
  };
  await Promise.all(Array.from({ length: AUDITORS }, () => auditor().then(thinAuditor)));
  for await (const { config, state } of jsm.streams.list()) if (state.lost !== undefined) broken.push(`${config.name} lost ${JSON.stringify(state.lost)}`);
  const kv = await new Kvm(nc).open("SOAK");
  for (const [key, { last, tried }] of keys) {
    if (last === 0) continue;
    const value = Number((await kv.get(key))?.string());
    // A put whose answer never came may have happened.
    if (value !== last && !tried.has(value)) broken.push(`key ${key} is ${value}, but ${last} was acknowledged`);
  }
}

await server.start();
const first = await client();
await setUp(first);
const names = Array.from({ length: PUBLISHERS }, (_, i) => `p${i}`);
const connections = await Promise.all([...names, "A", "B", "C", "work", "keys", "thin", "reader"].map(() => client()));
const [, kills] = await Promise.all([
  Promise.all([
    ...names.map((name, i) => publisher(name, connections[i])),
    ...["A", "B", "C"].map((consumer, i) => puller(consumer, connections[PUBLISHERS + i])),
    worker(connections[PUBLISHERS + 3]),
    keyWriter(connections[PUBLISHERS + 4]),
    thinner(connections[PUBLISHERS + 5]),
    reader(connections[PUBLISHERS + 6]),
  ]),
  killer(),
]);
for (const connection of [first, ...connections]) await connection.close();
const auditor = await client();
await audit(auditor);
await auditor.close();
await server.stop();
console.log(`${kills} kills, ${acknowledged.size} publications acknowledged, ${delivered} deliveries, ${confirmed.size} acknowledgements confirmed, ${keys.size} keys, ${[...thinned.values()].filter(({ fate }) => fate === "gone").length} of ${thinned.size} messages deleted, ${refused} calls failed meanwhile`);
for (const line of broken.slice(0, 50)) console.log(`BROKEN: ${line}`);
console.log(broken.length === 0 ? "nothing acknowledged was lost, nothing confirmed came back" : `${broken.length} promises broken; the files are in ${folder}`);
if (broken.length === 0) rmSync(folder, { recursive: true, force: true });
process.exit(broken.length === 0 ? 0 : 1);

/**
 * The JavaScript clients' JetStream, key-value and object store, as applications use them, against our own executable and beside it the reference: the same
 * assertions must hold on both.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { AckPolicy, DeliverPolicy, DiscardPolicy, jetstream, JetStreamApiError, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { Kvm, type KvEntry } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { headers, type Msg, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import * as v2 from "nats";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { ServerProcess } from "../support/server-process.ts";

setDefaultTimeout(60_000);

const own = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));
const reference = process.env["NATS_REFERENCE_SERVER"] ?? "";
const binaries = [{ name: "ours", binary: own }, ...(existsSync(reference) ? [{ name: "reference", binary: reference }] : [])];

const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

async function take<T>(from: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const each of from) if (taken.push(each) === count) break;
  return taken;
}

/** The API error's code that `call` is refused with. */
async function refusal(call: Promise<unknown>): Promise<number> {
  try {
    await call;
  } catch (error) {
    if (error instanceof JetStreamApiError) return error.code;
    throw error;
  }
  throw new Error("it was not refused");
}

/** What the reference answers at times when a stream is created right after another was deleted, whatever their names. */
const REFERENCE_RACE = "error creating store for stream";
const REFERENCE_TRIES = 3;

const storages = [StorageType.File, StorageType.Memory];

describe.each(binaries)("$name", ({ binary }) => {
  let nc: NatsConnection;
  let port = 0;

  /** Creates a stream; again, on the reference only, when that one loses its race. */
  async function addStream<Config>(jsm: { readonly streams: { add(config: Config): Promise<unknown> } }, config: Config): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await jsm.streams.add(config);
        return;
      } catch (error) {
        if (binary !== reference || tries === REFERENCE_TRIES || !String(error).includes(REFERENCE_RACE)) throw error;
        console.log(`jetstream-js: the reference server: ${String(error)} (try ${tries})`);
      }
    }
  }

  test("starts", async () => {
    const server = await ServerProcess.start({ binary, config: 'jetstream { store_dir: "${dir}/js", max_mem: 1G, max_file: 4G }' });
    ends.push(() => server.stop());
    port = server.ports.nats?.port ?? 0;
    nc = await connect({ servers: `127.0.0.1:${port}` });
    ends.push(() => nc.close());
    expect(nc.info?.jetstream).toBe(true);
  });

  test.each(storages)("publish, deduplicate, expect (%s)", async (storage) => {
    const js = jetstream(nc);
    const jsm = await jetstreamManager(nc);
    const name = `PUB_${storage}`;
    await addStream(jsm, { name, subjects: [`${name}.>`], storage });
    expect(await js.publish(`${name}.a`, "1", { msgID: "one" })).toMatchObject({ stream: name, seq: 1, duplicate: false });
    expect(await js.publish(`${name}.a`, "1", { msgID: "one" })).toMatchObject({ seq: 1, duplicate: true });
    expect(await js.publish(`${name}.b`, "2", { expect: { lastSequence: 1, streamName: name, lastMsgID: "one" } })).toMatchObject({ seq: 2 });
    expect(await refusal(js.publish(`${name}.b`, "3", { expect: { lastSequence: 1 } }))).toBe(10071);
    expect(await refusal(js.publish(`${name}.b`, "3", { expect: { lastSubjectSequence: 1 } }))).toBe(10071);
    expect((await js.publish(`${name}.c`, "3", { expect: { lastSubjectSequence: 0 } })).seq).toBe(3);
    expect(await refusal(js.publish(`${name}.b`, "x", { expect: { streamName: "OTHER" } }))).toBe(10060);
    const message = await jsm.streams.getMessage(name, { last_by_subj: `${name}.b` });
    expect([message?.seq, message?.string()]).toEqual([2, "2"]);
    const info = await jsm.streams.info(name, { subjects_filter: ">" });
    expect([info.state.messages, info.state.subjects]).toEqual([3, { [`${name}.a`]: 1, [`${name}.b`]: 1, [`${name}.c`]: 1 }]);
    expect(await jsm.streams.deleteMessage(name, 2)).toBe(true);
    expect((await jsm.streams.info(name, { deleted_details: true })).state.deleted).toEqual([2]);
    expect(await jsm.streams.purge(name, { filter: `${name}.a` })).toMatchObject({ purged: 1 });
    expect(await jsm.streams.delete(name)).toBe(true);
  });

  test.each(storages)("pull: fetch, next, consume, redeliver (%s)", async (storage) => {
    const js = jetstream(nc);
    const jsm = await jetstreamManager(nc);
    const name = `PULL_${storage}`;
    await addStream(jsm, { name, subjects: [`${name}.*`], storage });
    for (let i = 1; i <= 20; i++) await js.publish(`${name}.${i % 2 === 0 ? "even" : "odd"}`, String(i));
    await jsm.consumers.add(name, { durable_name: "EVEN", ack_policy: AckPolicy.Explicit, filter_subject: `${name}.even`, ack_wait: 60e9 });
    const consumer = await js.consumers.get(name, "EVEN");
    expect((await consumer.info()).num_pending).toBe(10);
    const first = await consumer.next();
    expect([first?.seq, first?.info.deliveryCount, first?.info.pending]).toEqual([2, 1, 9]);
    // With a reply subject it is known when the server has taken it.
    await nc.request((first as unknown as { readonly msg: Msg }).msg.reply ?? "", "-NAK");
    const again = await take(await consumer.fetch({ max_messages: 5 }), 5);
    expect(again.map(({ seq }) => seq)).toEqual([2, 4, 6, 8, 10]);
    expect(again[0].info.deliveryCount).toBe(2);
    for (const message of again) expect(await message.ackAck()).toBe(true);
    expect(await consumer.info()).toMatchObject({ num_ack_pending: 0, num_pending: 5, ack_floor: { stream_seq: 10 } });
    const messages = await consumer.consume({ max_messages: 3 });
    const rest = await take(messages, 5);
    for (const message of rest) message.ack();
    await messages.close();
    expect(rest.map((message) => message.string())).toEqual(["12", "14", "16", "18", "20"]);
    await nc.flush();
    expect((await consumer.info(false)).num_ack_pending).toBe(0);
    expect(await jsm.streams.delete(name)).toBe(true);
  });

  test("ordered consumer over many messages", async () => {
    const js = jetstream(nc);
    const jsm = await jetstreamManager(nc);
    await addStream(jsm, { name: "ORDERED", subjects: ["ordered.>"] });
    const count = 5000;
    await Promise.all(Array.from({ length: count }, (_, i) => js.publish(`ordered.${i % 10}`, String(i))));
    const consumer = await js.consumers.get("ORDERED");
    const seen = await take(await consumer.consume(), count);
    expect(seen.every(({ seq }, i) => seq === i + 1)).toBe(true);
    const filtered = await js.consumers.get("ORDERED", { filter_subjects: ["ordered.3", "ordered.7"], deliver_policy: DeliverPolicy.LastPerSubject });
    expect((await take(await filtered.consume(), 2)).map(({ subject }) => subject).sort()).toEqual(["ordered.3", "ordered.7"]);
    await jsm.streams.delete("ORDERED");
  });

  test("push consumer with flow control", async () => {
    const js = jetstream(nc);
    const jsm = await jetstreamManager(nc);
    await addStream(jsm, { name: "PUSH", subjects: ["push"] });
    const body = new Uint8Array(50_000);
    for (let i = 0; i < 200; i++) await js.publish("push", body);
    await jsm.consumers.add("PUSH", { durable_name: "P", deliver_subject: "deliver.push", ack_policy: AckPolicy.Explicit, flow_control: true, idle_heartbeat: 1e9 });
    const consumer = await js.consumers.getPushConsumer("PUSH", "P");
    const messages = await take(await consumer.consume(), 200);
    for (const message of messages) expect(await message.ackAck()).toBe(true);
    expect(await jsm.consumers.info("PUSH", "P")).toMatchObject({ num_ack_pending: 0, num_pending: 0, delivered: { stream_seq: 200 } });
    await jsm.streams.delete("PUSH");
  });

  test("work queue and interest", async () => {
    const js = jetstream(nc);
    const jsm = await jetstreamManager(nc);
    await addStream(jsm, { name: "WQ", subjects: ["wq.*"], retention: RetentionPolicy.Workqueue, discard: DiscardPolicy.New, max_msgs: 3 });
    for (let i = 0; i < 3; i++) await js.publish("wq.a", String(i));
    expect(await refusal(js.publish("wq.a", "too many"))).toBe(10077);
    await jsm.consumers.add("WQ", { durable_name: "W", ack_policy: AckPolicy.Explicit });
    expect(await refusal(jsm.consumers.add("WQ", { durable_name: "X", ack_policy: AckPolicy.Explicit }))).toBe(10099);
    const worker = await js.consumers.get("WQ", "W");
    for (const message of await take(await worker.fetch({ max_messages: 2 }), 2)) expect(await message.ackAck()).toBe(true);
    expect((await jsm.streams.info("WQ")).state).toMatchObject({ messages: 1, first_seq: 3, last_seq: 3 });
    await jsm.streams.delete("WQ");
    await addStream(jsm, { name: "INT", subjects: ["int"], retention: RetentionPolicy.Interest });
    await js.publish("int", "nobody wants it");
    expect((await jsm.streams.info("INT")).state).toMatchObject({ messages: 0, last_seq: 1 });
    await jsm.streams.delete("INT");
  });

  test("key-value", async () => {
    const kv = await new Kvm(nc).create("settings", { history: 3, markerTTL: 10_000 });
    expect(await kv.put("a", "1")).toBe(1);
    expect(await kv.put("a", "2")).toBe(2);
    expect((await kv.get("a"))?.string()).toBe("2");
    expect((await kv.get("a", { revision: 1 }))?.string()).toBe("1");
    expect(await kv.create("b", "first")).toBe(3);
    expect(await refusal(kv.create("b", "second"))).toBe(10071);
    expect(await kv.update("b", "third", 3)).toBe(4);
    expect(await refusal(kv.update("b", "fourth", 3))).toBe(10071);
    const watched: KvEntry[] = await take(await kv.watch(), 2);
    expect(watched.map(({ key, revision }) => [key, revision])).toEqual([["a", 2], ["b", 4]]);
    expect((await take(await kv.history({ key: "a" }), 2)).map((entry) => entry.string())).toEqual(["1", "2"]);
    await kv.delete("a");
    expect((await kv.get("a"))?.operation).toBe("DEL");
    expect(await kv.create("a", "again")).toBeGreaterThan(5);
    await kv.purge("b");
    expect((await Array.fromAsync(await kv.keys())).sort()).toEqual(["a"]);
    const status = await kv.status();
    expect([status.bucket, status.history, status.values]).toEqual(["settings", 3, 4]);
    expect(await kv.destroy()).toBe(true);
  });

  test("object store", async () => {
    const objects = await new Objm(nc).create("files", { description: "things" });
    const bytes = new Uint8Array(1_000_000).map((_, i) => i * 31);
    const info = await objects.putBlob({ name: "big" }, bytes);
    expect([info.size, info.chunks]).toEqual([1_000_000, 8]);
    expect(Buffer.from((await objects.getBlob("big")) ?? []).equals(Buffer.from(bytes))).toBe(true);
    await objects.putBlob({ name: "small" }, new Uint8Array([1, 2, 3]));
    expect((await objects.list()).map(({ name }) => name).sort()).toEqual(["big", "small"]);
    expect((await objects.delete("big")).success).toBe(true);
    expect(await objects.get("big")).toBeNull();
    expect((await objects.seal()).sealed).toBe(true);
    expect(await objects.destroy()).toBe(true);
  });

  test("atomic batch and message TTL", async () => {
    const js = jetstream(nc);
    const jsm = await jetstreamManager(nc);
    await addStream(jsm, { name: "BATCH", subjects: ["batch.*"], allow_atomic: true, allow_msg_ttl: true });
    const publish = async (subject: string, fields: Readonly<Record<string, string>>): Promise<unknown> => {
      const h = headers();
      for (const [key, value] of Object.entries(fields)) h.set(key, value);
      const answer = await nc.request(subject, "x", { headers: h, timeout: 2000 });
      return answer.data.length === 0 ? "" : answer.json();
    };
    expect(await publish("batch.a", { "Nats-Batch-Id": "b1", "Nats-Batch-Sequence": "1" })).toBe("");
    expect(await publish("batch.b", { "Nats-Batch-Id": "b1", "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1" })).toMatchObject({ seq: 2, batch: "b1", count: 2 });
    expect((await js.publish("batch.c", "short-lived", { ttl: "1s" })).seq).toBe(3);
    const deadline = Date.now() + 10_000;
    while ((await jsm.streams.info("BATCH")).state.messages > 2 && Date.now() < deadline) await nc.flush();
    expect((await jsm.streams.info("BATCH")).state.messages).toBe(2);
    await jsm.streams.delete("BATCH");
  });

  test("version 2 of the client", async () => {
    const old = await v2.connect({ servers: `127.0.0.1:${port}` });
    const jsm = await old.jetstreamManager();
    await addStream(jsm, { name: "V2", subjects: ["v2.>"] });
    const js = old.jetstream();
    for (let i = 0; i < 10; i++) await js.publish("v2.x", String(i));
    await jsm.consumers.add("V2", { durable_name: "D", ack_policy: v2.AckPolicy.Explicit });
    const consumer = await js.consumers.get("V2", "D");
    const messages = await take(await consumer.fetch({ max_messages: 10 }), 10);
    for (const message of messages) expect(await message.ackAck()).toBe(true);
    const bucket = await js.views.kv("v2");
    expect(await bucket.put("k", "v")).toBe(1);
    expect((await bucket.get("k"))?.string()).toBe("v");
    const files = await js.views.os("v2");
    await files.putBlob({ name: "f" }, new Uint8Array(200_000));
    expect((await files.getBlob("f"))?.length).toBe(200_000);
    await jsm.streams.delete("V2");
    await old.close();
  });
});

/** A feed on virtual time: what it asks for and when, what it takes, and what makes it begin again. */
import { expect, test } from "bun:test";
import { errorBody } from "../../../src/jetstream/api/errors.ts";
import { Feed, type FeedSink, type FeedStart } from "../../../src/jetstream/mirror/feed.ts";
import type { StreamSource } from "../../../src/jetstream/wire.ts";
import { Origin } from "./origin.ts";

const HOUR_MS = 3_600_000;

class Sink implements FeedSink {
  readonly streamName = "M";
  readonly consumerName = "JS_MIRROR_abcdefgh";
  readonly policyError = errorBody(10214);
  readonly taken: string[] = [];
  identity: string | undefined = undefined;
  seq = 0;
  isFull = false;
  skippedTo = 0;
  forgot = 0;

  constructor(
    readonly origin: Origin,
    readonly source: StreamSource = { name: "O" },
    readonly kind: "mirror" | "source" = "mirror",
  ) {
    if (kind === "source") this.identity = "";
  }

  get account(): Origin["account"] {
    return this.origin.account;
  }

  get store(): Origin["store"] {
    return this.origin.store;
  }

  start(): FeedStart {
    return this.seq === 0 ? { deliver_policy: "all" } : { deliver_policy: "by_start_sequence", opt_start_seq: this.seq + 1 };
  }

  identified(identity: string): void {
    this.identity = identity;
  }

  forget(): void {
    this.forgot++;
    this.seq = 0;
    this.identity = "";
  }

  attached(seq: number): void {
    this.skippedTo = seq;
  }

  take(seq: number, seconds: number, nanos: number, subject: string): boolean {
    if (this.isFull) return false;
    this.seq = seq;
    this.taken.push(`${seq} ${subject} ${seconds}.${nanos}`);
    return true;
  }
}

async function begun(sink: Sink): Promise<Feed> {
  const feed = new Feed(sink);
  feed.start();
  await sink.origin.nextRequest(250);
  return feed;
}

async function attached(sink: Sink): Promise<Feed> {
  const feed = await begun(sink);
  sink.origin.accept();
  return feed;
}

test("the first request comes after a moment, and asks for the whole origin", async () => {
  const origin = new Origin();
  const feed = new Feed(new Sink(origin));
  feed.start();
  const tookMs = await origin.nextRequest(250);
  expect(tookMs).toBeGreaterThanOrEqual(100);
  expect(tookMs).toBeLessThanOrEqual(201);
  expect(origin.last).toMatchObject({ subject: "$JS.API.CONSUMER.CREATE.O", header: "NATS/1.0\r\nNats-Required-Api-Level: 4\r\n\r\n" });
  expect(origin.last.reply).toMatch(/^\$JSC\.R\.\w{8}$/);
  expect(origin.lastBody).toMatchObject({ stream_name: "O", config: { deliver_policy: "all", sourcing: true } });
  expect(feed.activeNs).toBe(-1);
});

test("messages are taken with their subject, sequence and time", async () => {
  const sink = new Sink(new Origin());
  const feed = await attached(sink);
  sink.origin.deliver(3, 1, { subject: "o.1", pending: 5 });
  sink.origin.deliver(7, 2, { subject: "o.2", pending: 4 });
  expect(sink.taken).toEqual(["3 o.1 1700000000.7", "7 o.2 1700000000.7"]);
  expect(feed.lag).toBe(3);
  await sink.origin.clock.advance(500);
  expect(feed.activeNs).toBe(500_000_000);
});

test("a consumer that begins later moves the stream forward", async () => {
  const sink = new Sink(new Origin());
  await begun(sink);
  sink.origin.accept({ seq: 41 });
  expect(sink.skippedTo).toBe(41);
});

test("messages of another consumer, and deliveries after the first, are passed over", async () => {
  const sink = new Sink(new Origin());
  await attached(sink);
  sink.origin.deliver(1, 1, { consumer: "JS_MIRROR_another1" });
  sink.origin.deliver(1, 1, { deliveries: 2 });
  sink.origin.deliver(1, 1);
  expect(sink.taken).toHaveLength(1);
  expect(sink.origin.requests).toHaveLength(1);
});

test("a gap makes a new consumer where the copying stands, two seconds after the last attempt", async () => {
  const sink = new Sink(new Origin());
  await attached(sink);
  sink.origin.deliver(1, 1);
  sink.origin.deliver(3, 3);
  expect(sink.taken).toHaveLength(1);
  const tookMs = await sink.origin.nextRequest(5_000);
  expect(tookMs).toBeGreaterThan(2_000);
  expect(tookMs).toBeLessThan(2_250);
  expect(sink.origin.lastBody.config).toMatchObject({ deliver_policy: "by_start_sequence", opt_start_seq: 2 });
  sink.origin.accept();
  sink.origin.deliver(2, 1);
  expect(sink.seq).toBe(2);
});

test("a heartbeat that tells of a message which never came makes a new consumer", async () => {
  const sink = new Sink(new Origin());
  await attached(sink);
  sink.origin.deliver(1, 1);
  sink.origin.heartbeat(1);
  sink.origin.heartbeat(0);
  expect(sink.origin.requests).toHaveLength(1);
  sink.origin.heartbeat(2);
  await sink.origin.nextRequest(2_500);
});

test("silence makes a new consumer; heartbeats are no silence", async () => {
  const sink = new Sink(new Origin());
  await attached(sink);
  await sink.origin.quietly(60_000, 0);
  expect(sink.origin.requests).toHaveLength(1);
  const tookMs = await sink.origin.nextRequest(30_000);
  expect(tookMs).toBeGreaterThan(9_000);
  expect(tookMs).toBeLessThan(20_500);
});

test("without an answer the next attempt comes after thirty seconds and a wait that grows to two minutes", async () => {
  const origin = new Origin();
  await begun(new Sink(origin));
  const waits: number[] = [];
  for (let i = 0; i < 14; i++) waits.push(await origin.nextRequest(HOUR_MS));
  for (const [i, waitMs] of waits.entries()) {
    const wantedMs = 30_000 + Math.min(120_000, 10_000 * (i + 1));
    expect(waitMs).toBeGreaterThanOrEqual(wantedMs + 99);
    expect(waitMs).toBeLessThanOrEqual(wantedMs + 202);
  }
});

test("an error is shown until the next attempt succeeds", async () => {
  const sink = new Sink(new Origin());
  const feed = await begun(sink);
  sink.origin.refuse(404, 10059, "stream not found");
  expect(feed.error).toEqual({ code: 404, err_code: 10059, description: "stream not found" });
  await sink.origin.nextRequest(13_000);
  sink.origin.accept();
  expect(feed.error).toBeUndefined();
});

test("an origin that does not know the level is asked in older ways", async () => {
  const sink = new Sink(new Origin(), { name: "O" }, "source");
  await begun(sink);
  expect(sink.origin.last.header).toBe("NATS/1.0\r\nNats-Required-Api-Level: 5\r\nNats-Stream-Identity: \r\n\r\n");
  sink.origin.refuse(412, 10185, "JetStream minimum api level required");
  await sink.origin.nextRequest(3_000);
  expect(sink.origin.last.header).toBe("NATS/1.0\r\nNats-Required-Api-Level: 4\r\n\r\n");
  sink.origin.refuse(400, 10025, 'invalid JSON: json: unknown field "sourcing"');
  await sink.origin.nextRequest(3_000);
  expect(sink.origin.last.header).toBe("");
  expect(sink.origin.lastBody.config.sourcing).toBeUndefined();
  expect(sink.origin.lastBody.config.name).toMatch(/^JS_MIRROR_abcdefgh_\w{8}$/);
});

test("an origin that was made anew is copied from its beginning", async () => {
  const sink = new Sink(new Origin(), { name: "O" }, "source");
  await begun(sink);
  sink.origin.accept({ identity: "aaaaaaaa" });
  expect(sink.identity).toBe("aaaaaaaa");
  sink.origin.deliver(9, 1);
  sink.origin.deliver(11, 3);
  await sink.origin.nextRequest(3_000);
  expect(sink.origin.last.header).toContain("Nats-Stream-Identity: aaaaaaaa\r\n");
  sink.origin.refuse(400, 10225, "consumer's stream identity does not match");
  expect(sink.forgot).toBe(1);
  await sink.origin.nextRequest(3_000);
  expect(sink.origin.lastBody.config.deliver_policy).toBe("all");
  expect(sink.origin.last.header).toContain("Nats-Stream-Identity: \r\n");
});

test("what cannot be stored is asked for again every two seconds", async () => {
  const sink = new Sink(new Origin());
  const feed = await attached(sink);
  sink.origin.deliver(1, 1);
  sink.isFull = true;
  for (let i = 0; i < 3; i++) {
    sink.origin.deliver(2, i === 0 ? 2 : 1);
    expect(await sink.origin.nextRequest(3_000)).toBeLessThan(2_250);
    expect(sink.origin.lastBody.config.opt_start_seq).toBe(2);
    sink.origin.accept();
  }
  sink.isFull = false;
  sink.origin.deliver(2, 1);
  expect(sink.seq).toBe(2);
  expect(feed.error).toBeUndefined();
});

test("flow control is answered at the end of the turn with where the copying stands", async () => {
  const sink = new Sink(new Origin());
  await attached(sink);
  const heard = sink.origin.listen("$JS.FC.>");
  sink.origin.deliver(5, 1);
  sink.origin.flowControl("$JS.FC.O.x.1");
  expect(heard).toHaveLength(0);
  await sink.origin.clock.advance(0);
  expect(heard).toEqual([{ header: "NATS/1.0\r\nNats-Last-Consumer: 1\r\nNats-Last-Stream: 5\r\n\r\n", body: "" }]);
});

test("flow control waits until what was taken is committed", async () => {
  const sink = new Sink(new Origin());
  await attached(sink);
  const heard = sink.origin.listen("$JS.FC.>");
  const empty = Buffer.alloc(0);
  sink.store.append({ subject: "o", seconds: 1, nanos: 0, headerBytes: empty, headerStart: 0, headerEnd: 0, bodyBytes: empty, bodyStart: 0, bodyEnd: 0, marks: 0 });
  sink.origin.flowControl("$JS.FC.O.x.1");
  await sink.origin.clock.advance(50);
  expect(heard).toHaveLength(0);
  sink.store.flush();
  await sink.origin.clock.advance(10);
  expect(heard).toHaveLength(1);
});

test("a stalled consumer is woken", async () => {
  const sink = new Sink(new Origin());
  await attached(sink);
  const heard = sink.origin.listen("$JS.FC.>");
  sink.origin.heartbeat(0, "$JS.FC.O.x.2");
  await sink.origin.clock.advance(0);
  expect(heard).toEqual([{ header: "", body: "" }]);
});

test("filters and an external prefix shape the request", async () => {
  const one = new Sink(new Origin(), { name: "O", filter_subject: "o.*", external: { api: "$JS.hub.API", deliver: "deliver.here" } });
  one.origin.link.subscribe("$JS.hub.API.>", (message, subject) => {
    one.origin.requests.push({ atMs: 0, subject, reply: message.reply(), header: "", body: message.buffer.latin1Slice(message.bodyStart + message.headerLength, message.bodyEnd) });
    return true;
  });
  await begun(one);
  expect(one.origin.last.subject).toBe("$JS.hub.API.CONSUMER.CREATE.O.JS_MIRROR_abcdefgh.o.*");
  expect(one.origin.lastBody.config.deliver_subject).toMatch(/^deliver\.here\.M\.\w{8}$/);
  const many = new Sink(new Origin(), { name: "O", subject_transforms: [{ src: "a", dest: "b" }, { src: "c", dest: "" }] });
  await begun(many);
  expect(many.origin.last.subject).toBe("$JS.API.CONSUMER.CREATE.O");
  expect(many.origin.lastBody.config.filter_subjects).toEqual(["a", "c"]);
});

test("a feed that is stopped hears and asks nothing more; a removed one deletes its consumer", async () => {
  const kept = new Sink(new Origin());
  (await attached(kept)).stop(false);
  kept.origin.deliver(1, 1);
  await kept.origin.clock.advance(HOUR_MS);
  expect(kept.taken).toEqual([]);
  expect(kept.origin.requests).toHaveLength(1);
  expect(kept.origin.clock.pendingTimers).toBe(0);
  const removed = new Sink(new Origin());
  (await attached(removed)).stop(true);
  expect(removed.origin.last.subject).toBe("$JS.API.CONSUMER.DELETE.O.JS_MIRROR_abcdefgh");
});

const durable: StreamSource = { name: "O", consumer: { name: "C", deliver_subject: "deliver.C" } };

function acceptReset(origin: Origin, ackPolicy: string): void {
  origin.answer({ name: "C", config: { deliver_subject: "deliver.C", ack_policy: ackPolicy }, delivered: { stream_seq: 0 }, num_pending: 0 });
}

test("a consumer of the origin's own is reset instead of made, and never deleted", async () => {
  const sink = new Sink(new Origin(), durable);
  const feed = await begun(sink);
  expect(sink.origin.last).toMatchObject({ subject: "$JS.API.CONSUMER.RESET.O.C", body: "" });
  acceptReset(sink.origin, "flow_control");
  sink.origin.send("deliver.C", "o.1", "$JS.ACK.O.C.1.4.1.1700000000000000007.0", "", "x");
  expect(sink.taken).toEqual(["4 o.1 1700000000.7"]);
  feed.stop(true);
  expect(sink.origin.requests).toHaveLength(1);
});

test("a consumer of another ack policy is an error", async () => {
  const sink = new Sink(new Origin(), durable);
  const feed = await begun(sink);
  acceptReset(sink.origin, "explicit");
  expect(feed.error?.err_code).toBe(10214);
});

test("a reset that is not answered is tried again as soon as the consumer is heard of", async () => {
  const sink = new Sink(new Origin(), durable);
  await begun(sink);
  await sink.origin.clock.advance(5_001);
  expect(sink.origin.requests).toHaveLength(1);
  sink.origin.send("deliver.C", "o.1", "", "", "x");
  expect(await sink.origin.nextRequest(100)).toBeLessThan(5);
});

/** Messages that grow too old, on virtual time. */
import { describe, expect, test } from "bun:test";
import { StreamWorld } from "./world.ts";

const SECOND_NS = 1e9;

describe("max_age", () => {
  for (const storage of ["file", "memory"]) {
    test(`removes what is older, within a second (${storage})`, async () => {
      const world = await StreamWorld.start();
      await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], storage, max_age: 60 * SECOND_NS });
      await world.request("s.1", "a");
      await world.simulation.advance(30_000);
      await world.request("s.2", "b");
      await world.simulation.advance(29_900);
      expect(await world.subjects("S")).toEqual({ "s.1": 1, "s.2": 1 });
      await world.simulation.advance(1000);
      expect(await world.subjects("S")).toEqual({ "s.2": 1 });
      await world.simulation.advance(30_000);
      expect(await world.subjects("S")).toEqual({});
    });
  }

  test("counts while the server is down", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], max_age: 60 * SECOND_NS });
    await world.request("s.1", "a");
    await world.restart(61_000);
    expect(await world.subjects("S")).toEqual({});
    expect(await world.request("s.1", "b")).toBe('{"stream":"S","seq":2}');
  });

  test("takes effect when an update sets it", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"] });
    await world.request("s.1", "a");
    await world.simulation.advance(10_000);
    await world.api("STREAM.UPDATE.S", { name: "S", subjects: ["s.>"], max_age: 5 * SECOND_NS });
    await world.simulation.advance(1000);
    expect(await world.subjects("S")).toEqual({});
  });
});

describe("Nats-TTL", () => {
  test("ends single messages, the others stay", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_msg_ttl: true });
    await world.request("s.1", "a", { "Nats-TTL": "10" });
    await world.request("s.2", "b", { "Nats-TTL": "1h" });
    await world.request("s.3", "c");
    await world.simulation.advance(9_500);
    expect(Object.keys(await world.subjects("S"))).toEqual(["s.1", "s.2", "s.3"]);
    await world.simulation.advance(1000);
    expect(Object.keys(await world.subjects("S"))).toEqual(["s.2", "s.3"]);
    await world.simulation.advance(3_600_000);
    expect(Object.keys(await world.subjects("S"))).toEqual(["s.3"]);
  });

  test("is found again after a restart, also when it passed meanwhile", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_msg_ttl: true });
    await world.request("s.1", "a", { "Nats-TTL": "10" });
    await world.request("s.2", "b", { "Nats-TTL": "100" });
    await world.restart(20_000);
    expect(Object.keys(await world.subjects("S"))).toEqual(["s.2"]);
    await world.simulation.advance(80_000);
    expect(await world.subjects("S")).toEqual({});
  });

  test("never beats the age of the stream, whatever is stored around it", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_msg_ttl: true, max_age: 10 * SECOND_NS });
    await world.request("s.1", "a");
    await world.request("s.2", "b", { "Nats-TTL": "never" });
    await world.request("s.3", "c");
    await world.simulation.advance(11_000);
    expect(await world.subjects("S")).toEqual({ "s.2": 1 });
  });
});

describe("markers", () => {
  test("the last message of a subject leaves one, which goes in its time without another", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], max_age: 10 * SECOND_NS, subject_delete_marker_ttl: 5 * SECOND_NS });
    await world.request("s.1", "a");
    await world.request("s.1", "b");
    await world.simulation.advance(11_000);
    expect(await world.last("S", "s.1")).toEqual({ seq: 3, header: "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: 5s\r\nNats-Rollup: sub\r\n\r\n", payload: "" });
    expect(await world.subjects("S")).toEqual({ "s.1": 1 });
    await world.simulation.advance(6_000);
    expect(await world.subjects("S")).toEqual({});
  });

  test("a purge by a key-value client is marker enough", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], subject_delete_marker_ttl: 5 * SECOND_NS });
    await world.request("s.1", "", { "KV-Operation": "PURGE", "Nats-TTL": "10" });
    await world.simulation.advance(11_000);
    expect(await world.subjects("S")).toEqual({});
  });
});

describe("the duplicate window", () => {
  test("ends, and goes on over a restart", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], duplicate_window: 60 * SECOND_NS });
    const id = { "Nats-Msg-Id": "x" };
    expect(await world.request("s.1", "a", id)).toBe('{"stream":"S","seq":1}');
    await world.restart(50_000);
    expect(await world.request("s.1", "a", id)).toBe('{"stream":"S","seq":1,"duplicate": true}');
    await world.simulation.advance(11_000);
    expect(await world.request("s.1", "a", id)).toBe('{"stream":"S","seq":2}');
  });
});

describe("batches", () => {
  test("an atomic batch that goes silent is given up, and told", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_atomic: true });
    world.client.send("SUB $JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S 2\r\n");
    await world.request("s.1", "a", { "Nats-Batch-Id": "b", "Nats-Batch-Sequence": "1" });
    await world.simulation.advance(9_900);
    expect(world.client.operations().filter((operation) => operation.includes("BATCH_ABANDONED"))).toEqual([]);
    await world.simulation.advance(200);
    const [advisory = ""] = world.client.operations().filter((operation) => operation.includes("BATCH_ABANDONED"));
    expect(JSON.parse(advisory.slice(advisory.indexOf(" | ") + 3))).toMatchObject({ stream: "S", batch: "b", reason: "timeout" });
    expect(await world.request("s.1", "a", { "Nats-Batch-Id": "b", "Nats-Batch-Sequence": "2" })).toContain('"err_code":10176');
  });

  test("a fast batch that goes silent is not known any more", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_batched: true });
    world.client.send("SUB f.> 3\r\n");
    world.client.publish("s.1", "a", "f.b.10.ok.1.0.$FI");
    await world.simulation.advance(10_100);
    world.client.operations();
    world.client.publish("s.1", "a", "f.b.10.ok.2.1.$FI");
    await world.simulation.advance(10);
    expect(world.client.operations().join()).toContain('"err_code":10208');
    expect(await world.subjects("S")).toEqual({ "s.1": 1 });
  });
});

describe("schedules", () => {
  test("fire every so often, and once for all the times that the server was down", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_msg_schedules: true });
    await world.request("s.plan", "x", { "Nats-Schedule": "@every 1m", "Nats-Schedule-Target": "s.out" });
    await world.simulation.advance(181_000);
    expect(await world.subjects("S")).toEqual({ "s.plan": 1, "s.out": 3 });
    await world.restart(0);
    expect(await world.subjects("S")).toEqual({ "s.plan": 1, "s.out": 3 });
    await world.restart(600_000);
    await world.simulation.advance(2000);
    expect(await world.subjects("S")).toEqual({ "s.plan": 1, "s.out": 4 });
  });

  test("fire at their time, and are gone", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_msg_schedules: true });
    const at = new Date(world.simulation.clock.nowMs() + 3_600_000).toISOString();
    await world.request("s.plan", "x", { "Nats-Schedule": `@at ${at}`, "Nats-Schedule-Target": "s.out", Foo: "bar" });
    await world.simulation.advance(3_500_000);
    expect(await world.subjects("S")).toEqual({ "s.plan": 1 });
    await world.simulation.advance(101_000);
    expect(await world.subjects("S")).toEqual({ "s.out": 1 });
    expect(await world.last("S", "s.out")).toEqual({ seq: 2, header: "NATS/1.0\r\nFoo: bar\r\nNats-Scheduler: s.plan\r\nNats-Schedule-Next: purge\r\n\r\n", payload: "x" });
  });

  test("a message in their place ends them", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_msg_schedules: true });
    await world.request("s.plan", "x", { "Nats-Schedule": "@every 1m", "Nats-Schedule-Target": "s.out" });
    await world.request("s.plan", "no more");
    await world.simulation.advance(181_000);
    expect(await world.subjects("S")).toEqual({ "s.plan": 2 });
  });
});

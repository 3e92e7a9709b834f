/** What consumers do as time passes, on the whole server in virtual time. */
import { describe, expect, test } from "bun:test";
import type { SimClient } from "../../sim/client.ts";
import { StreamWorld } from "../stream/world.ts";

const SECOND_NS = 1_000_000_000;

async function worldWith(config: Readonly<Record<string, unknown>>, messages = 0): Promise<StreamWorld> {
  const world = await StreamWorld.start();
  await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.*"] });
  for (let i = 1; i <= messages; i++) await world.request("s.1", `m${i}`);
  expect(await world.api("CONSUMER.CREATE.S.C", { stream_name: "S", config })).not.toHaveProperty("error");
  return world;
}

async function exists(world: StreamWorld): Promise<boolean> {
  return (await world.api("CONSUMER.INFO.S.C"))["error"] === undefined;
}

/** Another client, which subscribes to the deliver subject. */
async function listener(world: StreamWorld): Promise<SimClient> {
  const client = await world.server.client({ headers: true });
  client.send("SUB dd 7\r\n");
  await world.simulation.settle();
  return client;
}

/** Messages and statuses that came since the last look. */
function heard(client: SimClient): string[] {
  return client.operations().filter((operation) => operation.startsWith("MSG s.") || operation.startsWith("HMSG"));
}

describe("a consumer that nobody uses", () => {
  test("goes when it is ephemeral, five seconds and a little after it was made", async () => {
    const world = await worldWith({});
    await world.simulation.advance(4900);
    expect(await exists(world)).toBe(true);
    await world.simulation.advance(1200);
    expect(await exists(world)).toBe(false);
  });

  test("stays when it is durable, unless it has a threshold", async () => {
    const world = await worldWith({ durable_name: "C" });
    await world.simulation.advance(3_600_000);
    expect(await exists(world)).toBe(true);
    await world.api("CONSUMER.CREATE.S.C", { stream_name: "S", config: { durable_name: "C", inactive_threshold: 2 * SECOND_NS } });
    await world.simulation.advance(3500);
    expect(await exists(world)).toBe(false);
  });

  test("stays while a request waits", async () => {
    const world = await worldWith({});
    world.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", '{"batch":1,"expires":20000000000}', {}, "in.pull");
    await world.simulation.advance(19_000);
    expect(await exists(world)).toBe(true);
    await world.simulation.advance(12_000);
    expect(await exists(world)).toBe(false);
  });

  test("stays while somebody may be at work on a message", async () => {
    const world = await worldWith({ ack_policy: "explicit", ack_wait: 20 * SECOND_NS }, 1);
    world.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", "1", {}, "in.pull");
    await world.simulation.advance(20_000);
    expect(await exists(world)).toBe(true);
    await world.simulation.advance(12_000);
    expect(await exists(world)).toBe(false);
  });

  test("stays while its deliver subject has a subscriber, and goes after that", async () => {
    const world = await worldWith({ deliver_subject: "dd" });
    world.client.send("SUB dd 7\r\n");
    await world.simulation.advance(60_000);
    expect(await exists(world)).toBe(true);
    world.client.send("UNSUB 7\r\n");
    await world.simulation.advance(4500);
    expect(await exists(world)).toBe(true);
    await world.simulation.advance(1000);
    expect(await exists(world)).toBe(false);
  });
});

describe("the pace of delivery", () => {
  test("follows the original one, then hurries", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.*"] });
    for (const pauseMs of [1300, 3000, 0]) {
      await world.request("s.1", "x");
      await world.simulation.advance(pauseMs);
    }
    const client = await listener(world);
    await world.api("CONSUMER.CREATE.S.C", { stream_name: "S", config: { deliver_subject: "dd", replay_policy: "original" } });
    const counts: number[] = [];
    let count = 0;
    for (let ms = 0; ms < 5000; ms += 500) {
      await world.simulation.advance(500);
      count += heard(client).length;
      counts.push(count);
    }
    expect(counts).toEqual([1, 1, 2, 2, 2, 2, 2, 2, 3, 3]);
    await world.request("s.1", "y");
    await world.simulation.advance(1);
    expect(heard(client)).toHaveLength(1);
  });

  test("keeps to the rate limit", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.*"], max_msg_size: 1000 });
    for (let i = 0; i < 50; i++) await world.request("s.1", "x".repeat(900));
    const client = await listener(world);
    // 1,000 bytes a second, of which each message takes about 940.
    await world.api("CONSUMER.CREATE.S.C", { stream_name: "S", config: { deliver_subject: "dd", rate_limit_bps: 8000 } });
    await world.simulation.advance(10_000);
    const count = heard(client).length;
    expect(count).toBeGreaterThanOrEqual(10);
    expect(count).toBeLessThanOrEqual(12);
  });

  test("goes on by itself at the end of a pause", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.*"] });
    await world.request("s.1", "x");
    const client = await listener(world);
    const until = new Date(world.simulation.clock.nowMs() + 10_000).toISOString();
    await world.api("CONSUMER.CREATE.S.C", { stream_name: "S", config: { deliver_subject: "dd", pause_until: until } });
    await world.simulation.advance(9500);
    expect(heard(client)).toHaveLength(0);
    await world.simulation.advance(1000);
    expect(heard(client)).toHaveLength(1);
    expect(await world.api("CONSUMER.INFO.S.C")).not.toHaveProperty("paused");
  });

  test("flow control doubles the window with each answer", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.*"] });
    for (let i = 0; i < 12; i++) await world.request("s.1", "x".repeat(600_000), {}, 2000);
    const client = await listener(world);
    await world.api("CONSUMER.CREATE.S.C", { stream_name: "S", config: { deliver_subject: "dd", flow_control: true, idle_heartbeat: 60 * SECOND_NS } });
    const runs: string[] = [];
    for (let round = 0; round < 2; round++) {
      await world.simulation.advance(3000);
      const operations = heard(client);
      runs.push(operations.map((operation) => (operation.startsWith("MSG") ? "m" : "?")).join(""));
      const question = operations.find((operation) => operation.includes("$JS.FC."))?.split(" ")[3] ?? "";
      world.publish(question, "");
    }
    expect(runs).toEqual(["mm?mm", "mm?mmm"]);
  });
});

describe("a server that stops", () => {
  test("tells those who wait", async () => {
    const world = await worldWith({ durable_name: "C" });
    const { client } = world;
    world.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", "3", {}, "in.pull");
    await world.simulation.advance(10);
    await world.restart();
    expect(client.operations().join("\n")).toContain("409 Server Shutdown\r\nNats-Pending-Messages: 3\r\nNats-Pending-Bytes: 0");
  });
});

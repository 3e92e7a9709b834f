/** Clients that read slowly or not at all, and the producers that write to them. Client protocol, section 9. */
import { describe, expect, test } from "bun:test";
import type { SimClient } from "./client.ts";
import { PERFECT } from "./network.ts";
import { type SimServer, Simulation } from "./simulation.ts";

const LIMITS = 'max_payload: 10000, max_pending: 100000, ping_interval: "1h"';
const BUFFER = 20_000;
const NARROW = { ...PERFECT, bufferBytes: BUFFER };
/** Some 20 bytes per microsecond, so that a reader can stop in the middle. */
const GRADUAL = { bufferBytes: BUFFER, delayMaxMs: 0.1, pieceMax: 2000 };

interface Pair {
  readonly simulation: Simulation;
  readonly server: SimServer;
  readonly producer: SimClient;
  readonly consumer: SimClient;
  /** Publishes a message of `bytes` and lets it arrive. */
  publish(bytes: number): Promise<void>;
}

/** A producer, and a consumer of `a` that has stopped reading; the network holds `BUFFER` bytes for it. */
async function pair(config: string, conditions = NARROW): Promise<Pair> {
  const simulation = new Simulation();
  const server = simulation.start(`${LIMITS}\n${config}`);
  const consumer = await server.client({}, conditions);
  consumer.send("SUB a 1\r\n");
  await simulation.settle();
  consumer.pause();
  const producer = await server.client();
  const publish = async (bytes: number): Promise<void> => {
    producer.publish("a", "x".repeat(bytes));
    await simulation.settle();
    if (isHeldBack(producer)) await simulation.advance(10);
  };
  return { simulation, server, producer, consumer, publish };
}

/** Whether the server has stopped reading from `client`. */
function isHeldBack(client: SimClient): boolean {
  return client.stream.peer.isPaused;
}

describe("max_pending", () => {
  test("cuts the consumer at once, without -ERR and without its backlog", async () => {
    const { server, consumer, simulation, publish } = await pair("");
    for (let messages = 0; messages < 11; messages++) await publish(10_000);
    expect(consumer.isClosed).toBe(false);
    await publish(10_000);
    await publish(10_000);
    consumer.resume();
    await simulation.settle();
    expect(consumer.isClosed).toBe(true);
    expect(consumer.operations().some((operation) => operation.startsWith("-ERR"))).toBe(false);
    expect(server.closeReasons).toEqual(["Slow Consumer (Pending Bytes)"]);
    expect(server.server.stats.slowConsumers).toBe(1);
    expect(server.server.globalAccount.slowConsumers).toBe(1);
    expect(server.log.count("Slow Consumer Detected: MaxPending of 100000 Exceeded")).toBe(1);
    expect(server.subscriptionCount).toBe(0);
  });

  test("leaves the producer and other consumers alone", async () => {
    const { server, producer, publish, simulation } = await pair("");
    const other = await server.client();
    other.send("SUB a 1\r\n");
    await simulation.settle();
    for (let messages = 0; messages < 40; messages++) await publish(10_000);
    await simulation.advance(100);
    expect(other.operationCount).toBe(40);
    expect(producer.isClosed).toBe(false);
    expect(isHeldBack(producer)).toBe(false);
  });
});

describe("write_deadline", () => {
  test("cuts a consumer that takes nothing for so long", async () => {
    const { server, consumer, simulation, publish } = await pair("write_deadline: 2s");
    for (let messages = 0; messages < 4; messages++) await publish(10_000);
    await simulation.advance(1990);
    expect(server.server.clientCount).toBe(2);
    await simulation.advance(110);
    expect(server.closeReasons).toEqual(["Slow Consumer (Write Deadline)"]);
    expect(server.server.stats.slowConsumers).toBe(1);
    expect(server.log.count("Slow Consumer Detected: WriteDeadline of 2s exceeded with 1 chunks of")).toBe(1);
    expect(consumer.isClosed).toBe(true);
  });

  test("does not count from the start of the connection but from the first refused byte", async () => {
    const { server, simulation, publish } = await pair("write_deadline: 2s");
    await publish(10_000);
    await simulation.advance(60_000);
    for (let messages = 0; messages < 4; messages++) await publish(10_000);
    await simulation.advance(1900);
    expect(server.closeReasons).toEqual([]);
  });

  test("leaves no timer behind", async () => {
    const { simulation, consumer, publish } = await pair("write_deadline: 2s");
    const before = simulation.clock.pendingTimers;
    for (let messages = 0; messages < 4; messages++) await publish(10_000);
    expect(simulation.clock.pendingTimers).toBe(before + 1);
    consumer.resume();
    await simulation.advance(100);
    expect(simulation.clock.pendingTimers).toBe(before);
  });

  test("is not counted as a slow consumer before a CONNECT that is required", async () => {
    const simulation = new Simulation();
    const server = simulation.start('authorization { token: t, timeout: 60 }, write_deadline: 1s, ping_interval: "1h"');
    const client = server.open({ ...PERFECT, bufferBytes: 50 });
    client.pause();
    await simulation.advance(1100);
    expect(server.closeReasons).toEqual(["Slow Consumer (Write Deadline)"]);
    expect(server.server.stats.slowConsumers).toBe(0);
  });

  for (const policy of ["default", "close", "retry"]) {
    test(`never cuts a consumer that is slow but keeps up within it (write_timeout: ${policy})`, async () => {
      const { server, simulation, producer, consumer } = await pair(`write_deadline: 1s, write_timeout: ${policy}`, GRADUAL);
      // 40 KB more than the network holds are always pending; 8 KB come and go every 100 ms.
      for (let messages = 0; messages < 60; messages++) producer.publish("a", "x".repeat(1000));
      await simulation.settle();
      for (let round = 0; round < 300; round++) {
        consumer.resume();
        const taken = await readAtLeast(simulation, consumer, 8);
        consumer.pause();
        for (let messages = taken; messages > 0; messages--) producer.publish("a", "x".repeat(1000));
        await simulation.advance(100);
      }
      expect(server.closeReasons).toEqual([]);
      consumer.resume();
      await simulation.advance(100);
      expect(consumer.operationCount).toBeGreaterThan(2400);
    });
  }

  test("with `close` cuts a consumer that moves too slowly", async () => {
    const simulation = new Simulation();
    const server = simulation.start(`${LIMITS}\nwrite_deadline: 1s, write_timeout: close`);
    const consumer = await server.client({}, { ...GRADUAL, bufferBytes: 4000 });
    await trickleInto(simulation, server, consumer);
    expect(server.closeReasons).toEqual(["Slow Consumer (Write Deadline)"]);
  });

  test("with `retry` keeps a consumer that moves at all, and cuts it when it stops", async () => {
    const simulation = new Simulation();
    const server = simulation.start(`${LIMITS}\nwrite_deadline: 1s, write_timeout: retry`);
    const consumer = await server.client({}, { ...GRADUAL, bufferBytes: 4000 });
    await trickleInto(simulation, server, consumer);
    expect(server.closeReasons).toEqual([]);
    await simulation.advance(3000);
    expect(server.closeReasons).toEqual(["Slow Consumer (Write Deadline)"]);
  });
});

/** Reads until `count` more messages are there, or nothing comes; how many came. */
async function readAtLeast(simulation: Simulation, consumer: SimClient, count: number): Promise<number> {
  const start = consumer.operationCount;
  for (let tries = 0; tries < 400 && consumer.operationCount < start + count; tries++) await simulation.advance(0.05);
  return consumer.operationCount - start;
}

/** Gives `consumer` a long backlog, of which it reads a few kilobytes a second for 10 seconds; then it stops. */
async function trickleInto(simulation: Simulation, server: SimServer, consumer: SimClient): Promise<void> {
  consumer.send("SUB a 1\r\n");
  await simulation.settle();
  consumer.pause();
  const producer = await server.client();
  for (let messages = 0; messages < 90; messages++) producer.publish("a", "x".repeat(1000));
  await simulation.settle();
  for (let round = 0; round < 20; round++) {
    consumer.resume();
    await readAtLeast(simulation, consumer, 2);
    consumer.pause();
    await simulation.advance(500);
  }
}

describe("a producer faster than its consumer", () => {
  /** Fills the consumer's backlog to just above three quarters of `max_pending`. */
  async function nearlyFull(config = ""): Promise<Pair> {
    const made = await pair(config);
    for (let messages = 0; messages < 10; messages++) await made.publish(10_000);
    await made.simulation.advance(20);
    expect(isHeldBack(made.producer)).toBe(false);
    return made;
  }

  test("is held back 2 ms at most per turn's share of its input, and counted", async () => {
    const { simulation, server, producer } = await nearlyFull();
    const before = server.server.stats.stalledClients;
    for (let messages = 0; messages < 5; messages++) producer.publish("a", "x");
    await simulation.settle();
    expect(isHeldBack(producer)).toBe(true);
    expect(server.server.stats.stalledClients).toBe(before + 1);
    await simulation.advance(1.9);
    expect(isHeldBack(producer)).toBe(true);
    await simulation.advance(0.2);
    expect(isHeldBack(producer)).toBe(false);
  });

  test("goes on as soon as the consumer drains", async () => {
    const { simulation, producer, consumer } = await nearlyFull();
    producer.publish("a", "x");
    await simulation.settle();
    expect(isHeldBack(producer)).toBe(true);
    consumer.resume();
    await simulation.advance(1);
    expect(isHeldBack(producer)).toBe(false);
    expect(consumer.operationCount).toBe(11);
  });

  test("goes on for the sake of the consumer that it waits for, not of one it waited for before", async () => {
    const { simulation, server, producer, consumer } = await nearlyFull();
    const second = await server.client({}, NARROW);
    second.send("SUB b 1\r\n");
    await simulation.settle();
    second.pause();
    for (let messages = 0; messages < 10; messages++) {
      producer.publish("b", "x".repeat(10_000));
      await simulation.advance(10);
    }
    producer.publish("a", "x");
    await simulation.advance(20);
    producer.publish("b", "x");
    await simulation.settle();
    expect(isHeldBack(producer)).toBe(true);
    consumer.resume();
    await simulation.advance(1);
    expect(consumer.operationCount).toBe(11);
    expect(isHeldBack(producer)).toBe(true);
    second.resume();
    await simulation.advance(1);
    expect(isHeldBack(producer)).toBe(false);
  });

  test("goes on when the consumer leaves", async () => {
    const { simulation, producer, consumer } = await nearlyFull();
    producer.publish("a", "x");
    await simulation.settle();
    consumer.stream.break();
    await simulation.advance(1);
    expect(isHeldBack(producer)).toBe(false);
  });

  test("leaves nothing behind when it goes while it is held back", async () => {
    const { simulation, server, producer } = await nearlyFull();
    const before = simulation.clock.pendingTimers;
    producer.publish("a", "x");
    await simulation.settle();
    producer.stream.break();
    await simulation.settle();
    await simulation.advance(100);
    expect(server.server.clientCount).toBe(1);
    expect(simulation.clock.pendingTimers).toBe(before - 1); // its ping timer
  });

  test("is not held back by its own slowness as a consumer", async () => {
    const simulation = new Simulation();
    const server = simulation.start(LIMITS);
    const client = await server.client({}, NARROW);
    client.send("SUB a 1\r\n");
    client.pause();
    for (let messages = 0; messages < 10; messages++) client.publish("a", "x".repeat(10_000));
    await simulation.settle();
    expect(server.server.stats.stalledClients).toBe(0);
    expect(isHeldBack(client)).toBe(false);
  });

  test("loses messages to that consumer alone under no_fast_producer_stall", async () => {
    const { simulation, server, producer, consumer, publish } = await nearlyFull("no_fast_producer_stall: true");
    const other = await server.client();
    other.send("SUB a 1\r\n");
    await simulation.settle();
    for (let messages = 0; messages < 20; messages++) await publish(1000);
    expect(isHeldBack(producer)).toBe(false);
    expect(server.server.stats.stalledClients).toBe(0);
    expect(other.operationCount).toBe(20);
    expect(consumer.isClosed).toBe(false);
    consumer.resume();
    await simulation.settle();
    expect(consumer.operationCount).toBeLessThan(20);
    await publish(1000);
    expect(consumer.operations().at(-1)).toStartWith("MSG a 1 1000");
  });

  test("under no_fast_producer_stall the next member of a queue group takes the message", async () => {
    const { simulation, server, producer, consumer } = await pair("no_fast_producer_stall: true");
    consumer.send("SUB q workers 2\r\n");
    const second = await server.client();
    second.send("SUB q workers 2\r\n");
    await simulation.settle();
    for (let messages = 0; messages < 10; messages++) {
      producer.publish("a", "x".repeat(10_000));
      await simulation.settle();
    }
    for (let messages = 0; messages < 50; messages++) producer.publish("q", "x");
    await simulation.settle();
    expect(second.operationCount).toBe(50);
  });
});

/** What is kept of consumers: kills, torn ends, damage, and the log that is written anew. */
import { describe, expect, test } from "bun:test";
import { CrashError } from "../../sim/disk.ts";
import { SeededRandom } from "../../sim/random.ts";
import { ALWAYS } from "../store/support/world.ts";
import { ConsumerWorld } from "./double.ts";

const NAMES = ["A", "B", "C"];

/** Three consumers of a stream with some messages, each at work on them. */
async function busyWorld(): Promise<ConsumerWorld> {
  const world = new ConsumerWorld();
  for (let i = 1; i <= 20; i++) world.publish(`s.${i % 2}`);
  for (const name of NAMES) world.create(name);
  await world.turns();
  for (let seq = 1; seq <= 10; seq++) {
    for (const consumer of world.consumers.all()) {
      world.deliver(consumer, seq);
      if (seq % 3 === 0) world.acknowledge(consumer, seq - 1, `re.${consumer.name}${seq}`);
    }
    await world.turns();
  }
  for (const consumer of world.consumers.all()) world.acknowledge(consumer, 10, `re.${consumer.name}10`);
  await world.turns();
  return world;
}

describe("a killed process", () => {
  test("leaves everything that was confirmed", async () => {
    const world = await busyWorld();
    expect(world.confirmed).toHaveLength(12);
    const before = world.figures();
    await world.kill();
    expect(world.figures()).toEqual(before);
  });

  test("has confirmed nothing that is not written", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = new SeededRandom(seed);
      const world = new ConsumerWorld();
      for (let i = 1; i <= 20; i++) world.publish("s.1");
      const consumer = world.create("A");
      for (let seq = 1; seq <= 20; seq++) {
        world.deliver(consumer, seq);
        world.acknowledge(consumer, seq, `re.${seq}`);
        if (random.chance(0.3)) await world.turns(1);
      }
      const confirmed = world.confirmed.map((inbox) => Number(inbox.slice(3)));
      await world.kill();
      const recovered = world.consumers.get("A");
      expect(confirmed.filter((seq) => recovered?.state.needs(seq) !== false)).toEqual([]);
      expect(confirmed.length).toBeGreaterThan(0);
    }
  });

  test("keeps deliveries that were not confirmed only for a tenth of a second to itself", async () => {
    const world = new ConsumerWorld();
    world.publish("s.1");
    world.deliver(world.create("A"), 1);
    await world.world.clock.advance(150);
    await world.turns();
    await world.kill();
    expect(world.figures()).toMatchObject({ A: { delivered: [1, 1], ackPending: 1, pending: 0 } });
  });
});

describe("a machine without power, and sync_interval: always", () => {
  test("has confirmed nothing that is not on the device", async () => {
    let stopped = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const random = new SeededRandom(seed);
      const world = new ConsumerWorld(ALWAYS);
      for (let i = 1; i <= 20; i++) world.publish("s.1");
      const consumer = world.create("A");
      await world.turns();
      world.world.disk.stopAfter(1 + random.integer(30), random);
      try {
        for (let seq = 1; seq <= 20; seq++) {
          world.deliver(consumer, seq);
          world.acknowledge(consumer, seq, `re.${seq}`);
          if (random.chance(0.5)) await world.turns(1 + random.integer(3));
        }
        await world.turns();
      } catch (error) {
        if (!(error instanceof CrashError)) throw error;
      }
      if (world.world.disk.isStopped) stopped++;
      const confirmed = world.confirmed.map((inbox) => Number(inbox.slice(3)));
      await world.restart("power", random);
      const recovered = world.consumers.get("A");
      expect(recovered, `seed ${seed}`).toBeDefined();
      expect(confirmed.filter((seq) => recovered?.state.needs(seq) !== false), `seed ${seed}`).toEqual([]);
    }
    expect(stopped).toBeGreaterThan(30);
  });
});

describe("a log that ends early", () => {
  test("is read up to its last whole record, wherever it ends", async () => {
    const whole = (await busyWorld()).logBytes;
    let last = 0;
    for (let size = whole.length % 3; size <= whole.length; size += 3) {
      const world = new ConsumerWorld();
      for (let i = 1; i <= 20; i++) world.publish(`s.${i % 2}`);
      world.logBytes = whole.slice(0, size);
      world.consumers.recover();
      const deliveries = [...world.consumers.all()].reduce((sum, { state }) => sum + state.delivered.delivery, 0);
      expect(deliveries).toBeGreaterThanOrEqual(last);
      last = deliveries;
      // What was cut off is gone for good: the next records follow the last good one.
      world.create("D");
      await world.turns();
      const before = world.figures();
      await world.kill();
      expect(world.figures()).toEqual(before);
    }
    expect(last).toBe(30);
  });
});

describe("a damaged log", () => {
  test("costs at most the consumers whose records it hits", async () => {
    const original = await busyWorld();
    const whole = original.logBytes;
    const figures = original.figures();
    const random = new SeededRandom(7);
    for (let round = 0; round < 300; round++) {
      const damaged = whole.slice();
      const at = 8 + random.integer(whole.length - 8);
      damaged[at] ^= 1 << random.integer(8);
      const world = new ConsumerWorld();
      for (let i = 1; i <= 20; i++) world.publish(`s.${i % 2}`);
      world.logBytes = damaged;
      world.consumers.recover();
      const left = world.figures();
      const right = NAMES.filter((name) => JSON.stringify(left[name]) === JSON.stringify(figures[name]));
      // The end of the file looks like a torn record: then the consumer is as it was before that record.
      const lost = NAMES.filter((name) => left[name] === undefined);
      expect(right.length, `byte ${at}`).toBeGreaterThanOrEqual(2);
      if (right.length === 2 && lost.length === 1) expect(world.world.lines.join("\n")).toMatch(/dropped|damaged|cut off/);
    }
  });
});

describe("a log that grew", () => {
  test("is written anew beside the running server, and loses nothing", async () => {
    const world = new ConsumerWorld();
    const messages = 30_000;
    for (let i = 1; i <= messages; i++) world.publish("s.1");
    world.create("idle");
    const consumer = world.create("busy");
    let largest = 0;
    for (let seq = 1; seq <= messages; seq++) {
      world.deliver(consumer, seq);
      world.acknowledge(consumer, seq, "re.1");
      await world.turns(1);
      if (seq % 100 === 0) largest = Math.max(largest, world.logBytes.length);
    }
    const before = world.figures();
    expect(largest).toBeGreaterThan(1_000_000);
    expect(world.logBytes.length).toBeLessThan(largest);
    await world.kill();
    expect(world.figures()).toEqual(before);
  });
});

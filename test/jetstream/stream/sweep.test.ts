/** Removing many messages does not hold the loop, and says how far it is. */
import { expect, test } from "bun:test";
import type { EndOfTurn } from "../../../src/jetstream/context.ts";
import type { Stream } from "../../../src/jetstream/stream/index.ts";
import { type Sweep, Sweeps } from "../../../src/jetstream/stream/sweep.ts";

/** As much of a stream as sweeps need; every look at the clock takes `stepMs`. */
class World {
  readonly lines: string[] = [];
  turns = 0;
  isClosed = false;
  readonly sweeps: Sweeps;
  #items: EndOfTurn[] = [];
  #nowMs = 0;

  constructor(private readonly stepMs: number) {
    const context = {
      clock: { monotonicMs: () => (this.#nowMs += this.stepMs) },
      log: { info: (line: string) => this.lines.push(line) },
      afterTurn: (item: EndOfTurn) => this.#items.push(item),
    };
    const world = this;
    const stream = {
      name: "S",
      account: { name: "A", context },
      touch: () => undefined,
      get isClosed() {
        return world.isClosed;
      },
    };
    this.sweeps = new Sweeps(stream as unknown as Stream);
  }

  turn(): void {
    this.turns++;
    for (const item of this.#items.splice(0)) item.flush();
  }

  finish(): void {
    while (this.#items.length > 0) this.turn();
  }
}

function* removing(count: number): Sweep {
  for (let removed = 1; removed <= count; removed++) yield removed;
  return count;
}

test("what takes one slice is done at once", () => {
  const world = new World(0.1);
  expect(world.sweeps.run("purge", removing(10))).toBe(10);
  expect(world.turns).toBe(0);
});

test("what takes longer goes on in later turns, and tells its number at the end", async () => {
  const world = new World(1);
  const removed = world.sweeps.run("purge", removing(100));
  expect(removed).toBeInstanceOf(Promise);
  world.finish();
  expect(await removed).toBe(100);
  expect(world.turns).toBeGreaterThan(20);
});

test("a small one does not wait for a large one", async () => {
  const world = new World(1);
  const large = world.sweeps.run("purge", removing(50));
  expect(world.sweeps.run("roll-up", removing(1))).toBe(1);
  world.finish();
  expect(await large).toBe(50);
});

test("progress is told every two seconds: removed, remaining, rate", () => {
  const world = new World(10);
  void world.sweeps.run("purge", removing(1000), 1000);
  world.finish();
  expect(world.lines.length).toBeGreaterThanOrEqual(3);
  for (const line of world.lines) expect(line).toMatch(/^JetStream stream 'A > S' purge: \d+ messages removed, at most \d+ remaining, \d+\/s$/);
});

test("the end of the stream ends its sweeps", async () => {
  const world = new World(1);
  const removed = world.sweeps.run("purge", removing(1000));
  world.turn();
  world.isClosed = true;
  world.finish();
  expect(await removed).toBeLessThan(50);
});

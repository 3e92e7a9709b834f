/** Segments are rewritten while others read, and remove: between any two steps windows are filled with something else. */
import { expect, test } from "bun:test";
import { StoredMessage } from "../../../src/jetstream/store/index.ts";
import { contents } from "./support/compare.ts";
import { given, World } from "./support/world.ts";

const MESSAGES = 12_000;
/** More than there are windows. */
const READS = 32;
const into = new StoredMessage();

function body(seq: number): string {
  return `${seq}`.padEnd(40 + (seq % 90), "x");
}

for (const [form, turns, prepare] of [
  ["plain", 200, () => undefined],
  ["compressed", 200, (world: World) => void (world.options = { ...world.options, compression: "s2" })],
  ["encrypted", 60, (world: World) => void (world.encryption = { key: "k", previousKey: "", cipher: "chacha" })],
] as const) {
  test(`what is left of a rewritten segment is what was stored, whatever was read meanwhile: ${form}`, async () => {
    const world = new World(5);
    prepare(world);
    world.maxBytes = 4 * 1024 * 1024;
    let nowMs = 0;
    // One step a slice.
    Object.assign(world.clock, { monotonicMs: () => (nowMs += 10) });
    const store = world.openFile();
    for (let seq = 1; seq <= MESSAGES; seq++) store.append(given({ subject: `s.${seq % 7}`, header: "NATS/1.0\r\nA: b\r\n\r\n", body: body(seq) }));
    store.flush();
    await world.turns(10_000);
    const stored = sizes(world);
    const left = new Set<number>();
    for (let seq = 1; seq <= MESSAGES; seq++) {
      if (seq % 20 < 11) store.remove(seq, false);
      else left.add(seq);
    }
    store.flush();
    for (let turn = 0; turn < turns; turn++) {
      for (let i = 0; i < READS; i++) store.load(1 + world.random.integer(MESSAGES), into);
      if (turn % 3 === 0) {
        const seq = 1 + world.random.integer(MESSAGES);
        store.remove(seq, false);
        left.delete(seq);
        store.flush();
      }
      await world.turns(1);
    }
    await world.turns(10_000);
    expect(world.lines.filter((line) => line.includes("damaged"))).toEqual([]);
    // It was rewritten at all.
    expect(sizes(world)).toBeLessThan(stored);
    for (const each of [store, reopened(world, store)]) {
      expect(each.state.lost).toBeUndefined();
      expect(each.state.messages).toBe(left.size);
      for (const seq of left) {
        expect(each.load(seq, into)).toBe(true);
        expect(contents(into)).toMatchObject({ seq, subject: `s.${seq % 7}`, header: "NATS/1.0\r\nA: b\r\n\r\n", body: body(seq) });
      }
    }
  });
}

test("a record whose head is cut by the end of a window, and is longer than a window, is read", () => {
  const world = new World();
  const store = world.openFile();
  // Windows of 8 KiB; the record behind the first ends just before a window does, and what follows is much longer.
  const long = "y".repeat(50_000);
  for (let padding = 0; padding < 64; padding += 8) {
    store.append(given({ subject: "a", body: "x".repeat(8192 - 2 * 40 + padding) }));
    store.append(given({ subject: "a", body: long }));
  }
  store.flush();
  const again = reopened(world, store);
  for (let seq = 1; seq <= 16; seq++) {
    expect(again.load(seq, into)).toBe(true);
    expect(into.end - into.bodyStart).toBe(seq % 2 === 0 ? 50_000 : 8192 - 2 * 40 + ((seq - 1) / 2) * 8);
  }
  expect(world.lines.filter((line) => line.includes("damaged"))).toEqual([]);
});

function reopened(world: World, store: ReturnType<World["openFile"]>): ReturnType<World["openFile"]> {
  store.close();
  return world.openFile();
}

function sizes(world: World): number {
  return world.disk.paths().filter((path) => path.endsWith(".seg")).reduce((sum, path) => sum + world.disk.readFile(path).length, 0);
}

test("a purge while the index of a segment is saved ends that, and the store goes on", async () => {
  const world = new World();
  let nowMs = 0;
  Object.assign(world.clock, { monotonicMs: () => (nowMs += 10) });
  const store = world.openFile();
  const fill = (prefix: string): void => {
    // A segment is full, and every message has a subject of its own.
    for (let i = 0; i < 66_000; i++) store.append(given({ subject: `${prefix}.${i}` }));
    store.flush();
  };
  const saved = (): number => world.disk.paths().filter((path) => path.endsWith(".idx")).length;
  fill("a");
  await world.clock.advance(2000);
  await world.turns(20);
  expect(saved()).toBe(0);
  store.clear();
  store.flush();
  await world.turns(10_000);
  fill("b");
  await world.clock.advance(2000);
  await world.turns(10_000);
  expect(saved()).toBe(1);
  expect(world.lines).toEqual([]);
  expect(store.state.messages).toBe(66_000);
});

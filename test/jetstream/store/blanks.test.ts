/** Zeros that are written ahead with `always`: they cost nobody a message, a line in the log, or room that is needed. */
import { describe, expect, test } from "bun:test";
import type { MessageStore } from "../../../src/jetstream/store/index.ts";
import { ALWAYS, given, World } from "./support/world.ts";

const FIRST = "000000000001.seg";

function always(prepare: (world: World) => void = () => undefined): World {
  const world = new World();
  world.options = ALWAYS;
  prepare(world);
  return world;
}

async function publish(world: World, store: MessageStore, count: number, body = "text"): Promise<void> {
  for (let i = 0; i < count; i++) {
    store.append(given({ subject: "a", body }));
    store.flush();
    await world.turns(2);
  }
}

function sizeOf(world: World, name: string): number {
  return world.disk.readFile(`${world.folder}/${name}`).length;
}

describe("zeros ahead of what is written", () => {
  for (const [form, prepare] of [
    ["plain", () => undefined],
    ["encrypted", (world: World) => void (world.encryption = { key: "k", previousKey: "", cipher: "aes" })],
  ] as const) {
    test(`grow with the file, and go when the store is closed: ${form}`, async () => {
      const world = always(prepare);
      const store = world.openFile();
      await publish(world, store, 1);
      expect(sizeOf(world, FIRST)).toBe(4096);
      await publish(world, store, 300, "x".repeat(100));
      expect(sizeOf(world, FIRST)).toBe(64 * 1024);
      store.close();
      expect(sizeOf(world, FIRST)).toBeLessThan(64 * 1024);
      expect(world.openFile().state.messages).toBe(301);
    });

    test(`are cut off without a word after a kill: ${form}`, async () => {
      const world = always(prepare);
      await publish(world, world.openFile(), 3);
      world.forget();
      world.disk.restart("kill", world.random);
      const again = world.openFile();
      expect(again.state).toMatchObject({ messages: 3, lastSeq: 3 });
      expect(again.state.lost).toBeUndefined();
      expect(world.lines).toEqual([]);
      expect(sizeOf(world, FIRST)).toBeLessThan(4096);
    });
  }

  test("are no part of a torn write", async () => {
    const world = always();
    const store = world.openFile();
    await publish(world, store, 3);
    const path = `${world.folder}/${FIRST}`;
    const end = world.disk.readFile(path).findLastIndex((byte) => byte !== 0);
    world.forget();
    world.disk.restart("kill", world.random);
    world.disk.flipBit(path, end * 8);
    const again = world.openFile();
    expect(again.state.messages).toBe(2);
    expect(world.lines).toHaveLength(1);
    expect(world.lines[0]).toMatch(/^Cut \d\d bytes of an unfinished write from the end of .*, after sequence 2$/);
  });

  test("go when a segment is full", async () => {
    const world = always((fresh) => void (fresh.maxBytes = 1));
    const store = world.openFile();
    await publish(world, store, 20, "x".repeat(5000));
    expect(sizeOf(world, FIRST)).toBeGreaterThan(60_000);
    expect(sizeOf(world, FIRST)).toBeLessThan(64 * 1024 + 512);
    expect(world.disk.readFile(`${world.folder}/${FIRST}`).subarray(-5000).some((byte) => byte !== 0)).toBeTrue();
  });

  test("need no room: what does not fit on the disk is not written, and the message is kept", async () => {
    const world = always();
    const store = world.openFile();
    world.disk.freeBytes = 1000;
    await publish(world, store, 2);
    expect(world.committed).toEqual([1, 2]);
    expect(world.failed).toEqual([]);
    expect(sizeOf(world, FIRST)).toBeLessThan(1000);
  });

  test("do not hide that messages are missing between two segments", async () => {
    const world = always((fresh) => void (fresh.maxBytes = 1));
    const store = world.openFile();
    await publish(world, store, 20, "x".repeat(5000));
    world.forget();
    world.disk.restart("kill", world.random);
    const path = `${world.folder}/${FIRST}`;
    // The last record of the first segment never reached the device.
    const bytes = world.disk.readFile(path);
    world.disk.writeFile(path, bytes.fill(0, bytes.length - 5040), 0o640);
    const again = world.openFile();
    expect(again.state.messages).toBe(19);
    expect(again.state.lost?.sequences).toHaveLength(1);
  });
});

/** A disk without room, a device that does not sync, and what a store promises then. */
import { describe, expect, test } from "bun:test";
import { StoredMessage } from "../../../src/jetstream/store/index.ts";
import { namesOf } from "./support/compare.ts";
import { ALWAYS, given, PLAIN, QUICK, SLOW, World } from "./support/world.ts";

function bodyOf(length: number): string {
  return "x".repeat(length);
}

describe("a full disk", () => {
  test("takes back what was not written, and goes on when there is room", () => {
    const world = new World();
    const store = world.openFile();
    for (let i = 0; i < 5; i++) store.append(given({ subject: "a", seconds: i, body: "kept" }));
    store.flush();
    expect(world.committed).toEqual([5]);
    world.disk.freeBytes = 100;
    for (let i = 0; i < 3; i++) store.append(given({ subject: `b.${i}`, seconds: 10, body: bodyOf(100) }));
    expect(store.remove(2, false)).toBeDefined();
    store.flush();
    expect(world.failed).toEqual([6]);
    expect(store.state).toMatchObject({ messages: 4, lastSeq: 5, lastSeconds: 4, subjects: 1 });
    expect(store.subjectState("b.0")).toBeUndefined();
    expect(store.committedSeq).toBe(5);
    expect(store.uncommittedBytes).toBe(0);
    world.disk.freeBytes = Number.POSITIVE_INFINITY;
    expect(store.append(given({ subject: "c", seconds: 11, body: "again" }))).toBe(6);
    store.flush();
    expect(world.committed).toEqual([5, 6]);
    store.close();
    world.forget();
    const again = world.openFile();
    expect(again.state).toMatchObject({ messages: 5, lastSeq: 6, subjects: 2 });
    // The removal that failed with the messages was written later.
    expect(again.load(2, new StoredMessage())).toBeFalse();
    expect(world.lines.filter((line) => /Cut|amage/.test(line))).toEqual([]);
  });

  test("takes back what filled several segments", () => {
    const world = new World();
    world.maxBytes = 1;
    const store = world.openFile();
    store.append(given({ subject: "a", body: "kept" }));
    store.flush();
    world.disk.freeBytes = 100_000;
    for (let i = 0; i < 20; i++) store.append(given({ subject: "a", body: bodyOf(20_000) }));
    store.flush();
    expect(world.failed).toEqual([2]);
    expect(store.state).toMatchObject({ messages: 1, lastSeq: 1 });
    world.disk.freeBytes = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 20; i++) store.append(given({ subject: "b", body: bodyOf(20_000) }));
    store.flush();
    expect(store.state).toMatchObject({ messages: 21, lastSeq: 21 });
    store.close();
    world.forget();
    expect(world.openFile().subjectState("b")).toEqual({ messages: 20, first: 2, last: 21 });
  });

  test("does not confuse a filter that had seen what was taken back", () => {
    const world = new World();
    const store = world.openFile();
    const filter = ["b.*"];
    store.append(given({ subject: "a" }));
    store.flush();
    world.disk.freeBytes = 0;
    for (let i = 0; i < 5; i++) store.append(given({ subject: "a.x" }));
    expect(store.next(filter, 1, undefined)).toBe(0);
    store.flush();
    world.disk.freeBytes = Number.POSITIVE_INFINITY;
    store.append(given({ subject: "b.x" }));
    expect(store.next(filter, 1, undefined)).toBe(2);
  });
});

describe("a device that does not sync", () => {
  for (const [device, syncPace] of [["slow", SLOW], ["quick", QUICK]] as const) test(`with always, on a ${device} device: nothing is committed, all is taken back, and later it works again`, async () => {
    const world = new World();
    world.options = ALWAYS;
    world.syncPace = syncPace;
    const store = world.openFile();
    store.append(given({ subject: "a", body: "kept" }));
    store.flush();
    await world.turns(5);
    expect(world.committed).toEqual([1]);
    world.disk.syncsFail = true;
    for (let i = 0; i < 3; i++) store.append(given({ subject: "b" }));
    store.flush();
    expect(world.committed).toEqual([1]);
    await world.turns(5);
    expect(world.failed).toEqual([2]);
    expect(store.state).toMatchObject({ messages: 1, lastSeq: 1 });
    world.disk.syncsFail = false;
    store.append(given({ subject: "c" }));
    store.flush();
    await world.turns(5);
    expect(world.committed).toEqual([1, 2]);
    store.close();
    world.forget();
    expect(namesOf(world.openFile(), []).sort()).toEqual(["a", "c"]);
  });

  test("with an interval: the log says so, and nothing is taken back", async () => {
    const world = new World();
    const store = world.openFile();
    store.append(given({ subject: "a" }));
    store.flush();
    world.disk.syncsFail = true;
    await world.clock.advance(120_001);
    await world.turns(5);
    expect(world.lines).toEqual(["JetStream could not sync stream 'A > S': fdatasync /js/A/streams/S/messages/000000000001.seg: input/output error"]);
    expect(store.state.messages).toBe(1);
    expect(world.failed).toEqual([]);
  });
});

describe("when messages are committed", () => {
  test("with an interval: by the flush, and synced once in it", async () => {
    const world = new World();
    const store = world.openFile();
    for (let i = 0; i < 10; i++) {
      store.append(given({ subject: "a" }));
      store.flush();
    }
    expect(world.committed.at(-1)).toBe(10);
    expect(world.disk.counts.syncs).toBe(0);
    await world.clock.advance(120_001);
    await world.turns(5);
    expect(world.disk.counts.syncs).toBe(1);
  });

  test("with always: by a sync that all those share who came while the one before was under way", async () => {
    const world = new World();
    world.options = ALWAYS;
    const store = world.openFile();
    for (let i = 0; i < 100; i++) {
      store.append(given({ subject: "a" }));
      store.flush();
    }
    expect(world.committed).toEqual([]);
    expect(store.uncommittedBytes).toBeGreaterThan(0);
    await world.turns(10);
    expect(world.committed).toEqual([1, 100]);
    expect(world.disk.counts.syncs).toBe(2);
    expect(store.uncommittedBytes).toBe(0);
  });

  test("with always and a quick device: within the flush, and in order when the commit brings more", () => {
    const world = new World();
    world.options = ALWAYS;
    world.syncPace = QUICK;
    const store = world.openFile();
    world.onCommitted = (seq) => {
      if (seq > 2) return;
      store.append(given({ subject: "b" }));
      store.flush();
      // Not told yet: who heard of this commit has not done with it.
      expect(store.committedSeq).toBe(seq);
    };
    store.append(given({ subject: "a" }));
    store.flush();
    expect(world.committed).toEqual([1, 2, 3]);
    expect(world.disk.counts.syncs).toBe(3);
  });

  test("asynchronously: before they are written", () => {
    const world = new World();
    world.options = { ...PLAIN, async: true };
    const store = world.openFile();
    store.append(given({ subject: "a" }));
    let writesThen = -1;
    world.onCommitted = () => (writesThen = world.disk.counts.writes);
    const writes = world.disk.counts.writes;
    store.flush();
    expect(writesThen).toBe(writes);
    expect(world.disk.counts.writes).toBeGreaterThan(writes);
  });

  test("all of a turn is one write", () => {
    const world = new World();
    const store = world.openFile();
    store.append(given({ subject: "a" }));
    store.flush();
    const before = world.disk.counts.writes;
    for (let i = 0; i < 1000; i++) store.append(given({ subject: `a.${i}`, body: "text" }));
    for (let seq = 10; seq < 500; seq += 7) store.remove(seq, false);
    store.flush();
    expect(world.disk.counts.writes - before).toBe(1);
  });
});

/** Searches for one subject pass over segments that have none of its messages. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { FileStore } from "../../../src/jetstream/store/file/file-store.ts";
import { Members } from "../../../src/jetstream/store/log/members.ts";
import { given, World } from "./support/world.ts";

test("whatever is in a segment is found in its filter, and little else", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0xfff00000 }), fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 5 }), (from, step, distinct, times) => {
      const numbers = Array.from({ length: distinct }, (_, i) => from + i * step);
      const ids = Uint32Array.from([0, ...Array.from({ length: times }, () => numbers).flat()]);
      const members = new Members(ids, ids.length);
      for (const id of numbers) expect(members.has(id)).toBe(true);
      let wrong = 0;
      for (let i = 1; i <= 1000; i++) if (members.has(from + distinct * step + i * 3)) wrong++;
      expect(wrong).toBeLessThan(100);
      expect(members.memoryBytes).toBeLessThanOrEqual(Math.max(8, distinct * 4));
    }),
    { numRuns: 100 },
  );
});

test("the next of three messages that are far apart is found without reading what lies between, also after a restart", async () => {
  const world = new World();
  // Small segments: 64 KiB.
  world.maxBytes = 1;
  const open = (): FileStore => {
    const store = world.openFile();
    if (!(store instanceof FileStore)) throw new Error("not in files");
    return store;
  };
  /** How many indexes are read while something is done. */
  const reads = (store: FileStore, act: () => void): number => {
    const plain = store["loadIndex"].bind(store);
    let count = 0;
    Object.defineProperty(store, "loadIndex", { configurable: true, value: (segment: never) => (count++, plain(segment)) });
    act();
    return count;
  };
  let store = open();
  for (let round = 0; round < 3; round++) {
    store.append(given({ subject: "rare" }));
    for (let n = 0; n < 40; n++) store.append(given({ subject: `others.${round}.${n}`, body: "x".repeat(30_000) }));
  }
  const [second, third] = [42, 83];
  store.flush();
  await world.turns(10_000);
  const first = reads(store, () => {
    store.remove(1, false);
    expect(store.subjectState("rare")).toEqual({ messages: 2, first: second, last: third });
  });
  expect(first).toBeLessThan(6);
  store.close();
  world.forget();
  store = open();
  const again = reads(store, () => expect(store.nextWithin(["rare"], 2, 1e9) < 0 ? store.next(["rare"], 2, undefined) : second).toBe(second));
  expect(again).toBeLessThan(6);
});

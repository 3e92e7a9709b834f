/** Bits that flip, files that end early or are gone: what can be read still is, what cannot is never served, and the log says where. */
import { describe, expect, test } from "bun:test";
import { type MessageStore, StoredMessage } from "../../../src/jetstream/store/index.ts";
import { SeededRandom } from "../../sim/random.ts";
import { contents, rangesOf } from "./support/compare.ts";
import { given, PLAIN, World } from "./support/world.ts";

const MESSAGES = 600;

const forms: readonly { readonly name: string; prepare(world: World): void }[] = [
  { name: "plain", prepare: () => undefined },
  { name: "compressed", prepare: (world) => void (world.options = { ...PLAIN, compression: "s2" }) },
  { name: "encrypted", prepare: (world) => void (world.encryption = { key: "k", previousKey: "", cipher: "aes" }) },
];

function bodyOf(seq: number): string {
  return `${seq}`.repeat(1 + (seq % 90));
}

function fill(store: MessageStore, count = MESSAGES): void {
  for (let i = 0; i < count; i++) {
    const seq = store.state.lastSeq + 1;
    store.append(given({ subject: `s.${seq % 7}`, seconds: seq, body: bodyOf(seq) }));
    if (seq % 10 === 0) store.flush();
  }
  store.flush();
}

/** A store of several segments that was closed in order. */
async function closedStore(form: (typeof forms)[number], seed: number): Promise<World> {
  const world = new World(seed);
  world.maxBytes = 1;
  form.prepare(world);
  const store = world.openFile();
  fill(store);
  await world.turns(200);
  store.close();
  world.forget();
  return world;
}

/** What can be read, checked against what was written. */
function readable(store: MessageStore): Set<number> {
  const into = new StoredMessage();
  const found = new Set<number>();
  for (let seq = store.next([], 0, into); seq !== 0; seq = store.next([], seq + 1, into)) {
    expect(contents(into)).toMatchObject({ seq, subject: `s.${seq % 7}`, seconds: seq, body: bodyOf(seq) });
    found.add(seq);
  }
  return found;
}

/** Everything is either there, or lost and said to be. */
function expectAccounted(world: World, store: MessageStore, most: number): void {
  const found = readable(store);
  const { state } = store;
  expect(state.lastSeq).toBe(MESSAGES);
  expect(state.messages).toBe(found.size);
  const missing = MESSAGES - found.size;
  expect(missing).toBeLessThanOrEqual(most);
  if (missing > 0) {
    expect(world.lines.join("\n")).toMatch(/damaged|Damage|set aside|Cut/);
    expect(state.lost).toBeDefined();
  }
  for (let seq = 1; seq <= MESSAGES; seq++) if (!found.has(seq)) expect(store.load(seq, new StoredMessage())).toBeFalse();
}

describe("a flipped bit", () => {
  for (const form of forms) {
    test(`costs what it hit and no more: ${form.name}`, async () => {
      const pristine = await closedStore(form, 1);
      const paths = pristine.disk.paths();
      const random = new SeededRandom(5);
      for (let round = 0; round < 60; round++) {
        const world = await closedStore(form, 1);
        const path = paths[random.integer(paths.length)];
        world.disk.flipBit(path, random.integer(world.disk.readFile(path).length * 8));
        const store = world.openFile();
        // A frame holds up to 64 KiB, a plain record is alone.
        expectAccounted(world, store, form.name === "plain" ? 1 : 450);
        // Later messages are stored as ever.
        store.append(given({ subject: "s.0", seconds: 1000, body: "more" }));
        store.flush();
        expect(store.load(MESSAGES + 1, new StoredMessage())).toBeTrue();
      }
    }, 60_000);
  }

  test("is found by whoever reads first, in an index that says the message is there", async () => {
    const world = await closedStore(forms[0], 1);
    const [segment] = world.disk.paths().filter((path) => path.endsWith(".seg"));
    const store = world.openFile();
    world.disk.flipBit(segment, 8 * 2000);
    const before = store.state.messages;
    const found = readable(store);
    expect(found.size).toBe(before - 1);
    expect(store.state.lost?.sequences).toHaveLength(1);
    const [lost] = store.state.lost?.sequences ?? [];
    expect(store.state.deleted).toBe(1);
    expect(rangesOf(store)).toEqual([[lost, lost]]);
    expect(world.lines.some((line) => line.includes(`Message ${lost} of stream 'A > S' is damaged, in ${segment} at offset`))).toBeTrue();
  });
});

describe("a file that ends early", () => {
  for (const form of forms) {
    test(`keeps what is before its end: ${form.name}`, async () => {
      const random = new SeededRandom(9);
      for (let round = 0; round < 40; round++) {
        const world = await closedStore(form, 1);
        const segments = world.disk.paths().filter((path) => path.endsWith(".seg"));
        const path = segments[random.integer(segments.length - 1)];
        world.disk.shorten(path, random.integer(world.disk.readFile(path).length));
        const store = world.openFile();
        const found = readable(store);
        expect(store.state.messages).toBe(found.size);
        expect(store.state.lastSeq).toBe(MESSAGES);
        expect(found.has(MESSAGES)).toBeTrue();
        expect(world.lines.length).toBeGreaterThan(0);
      }
    }, 60_000);
  }

  test("loses its torn end when it is the last, and says after which message", async () => {
    const world = await closedStore(forms[0], 1);
    const last = world.disk.paths().findLast((path) => path.endsWith(".seg")) ?? "";
    world.disk.shorten(last, world.disk.readFile(last).length - 3);
    const store = world.openFile();
    expect(store.state.lastSeq).toBe(MESSAGES - 1);
    expect(store.state.lost).toBeUndefined();
    expect(world.lines.some((line) => /Cut \d+ bytes of an unfinished write/.test(line) && line.includes(`after sequence ${MESSAGES - 1}`))).toBeTrue();
    expect(store.append(given({ subject: "s", body: "x" }))).toBe(MESSAGES);
  });
});

describe("an index file", () => {
  for (const form of forms) {
    test(`is made anew when it is gone, short or damaged: ${form.name}`, async () => {
      for (const harm of ["gone", "short", "damaged", "all gone"]) {
        const world = await closedStore(form, 1);
        const indexes = world.disk.paths().filter((path) => path.endsWith(".idx"));
        for (const path of harm === "all gone" ? indexes : indexes.slice(0, 1)) {
          if (harm === "short") world.disk.shorten(path, 100);
          else if (harm === "damaged") world.disk.flipBit(path, 999);
          else world.disk.remove(path);
        }
        const store = world.openFile();
        expect(readable(store).size).toBe(MESSAGES);
        expect(store.state.lost).toBeUndefined();
        expect(store.subjectState("s.1")?.messages).toBe(Math.ceil(MESSAGES / 7));
      }
    });
  }

  test("that is gone does not bring removed messages back", async () => {
    const world = await closedStore(forms[0], 1);
    let store = world.openFile();
    for (let seq = 20; seq < 400; seq += 3) store.remove(seq, false);
    store.compact(10);
    store.flush();
    await world.turns(200);
    const before = [...readable(store)];
    store.close();
    world.forget();
    for (const path of world.disk.paths()) if (path.endsWith(".idx")) world.disk.remove(path);
    store = world.openFile();
    expect([...readable(store)]).toEqual(before);
  });
});

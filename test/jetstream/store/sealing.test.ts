/** Encryption at rest and compression: what is on the disk, and what keys open. */
import { describe, expect, test } from "bun:test";
import { type MessageStore, openAssetFiles, StoredMessage } from "../../../src/jetstream/store/index.ts";
import { contents } from "./support/compare.ts";
import { given, PLAIN, World } from "./support/world.ts";

const SECRET = "the quick brown fox";
const MESSAGES = 400;
const KEY = { key: "first", previousKey: "", cipher: "chacha" } as const;

function fill(store: MessageStore): void {
  for (let i = 0; i < MESSAGES; i++) store.append(given({ subject: `secret.${i % 5}`, seconds: i, body: `${SECRET} ${i}`.padEnd(300, ".") }));
  store.flush();
}

function expectAll(store: MessageStore): void {
  expect(store.state.messages).toBe(MESSAGES);
  const into = new StoredMessage();
  for (let seq = 1; seq <= MESSAGES; seq++) {
    expect(store.load(seq, into)).toBeTrue();
    expect(contents(into)).toMatchObject({ subject: `secret.${(seq - 1) % 5}`, body: `${SECRET} ${seq - 1}`.padEnd(300, ".") });
  }
}

function onDisk(world: World, text: string): string[] {
  return world.disk.paths().filter((path) => Buffer.from(world.disk.readFile(path)).includes(text));
}

async function closed(world: World, store: MessageStore): Promise<void> {
  store.flush();
  await world.turns(500);
  store.close();
  world.forget();
}

async function filled(encryption: World["encryption"], options = PLAIN): Promise<World> {
  const world = new World();
  world.maxBytes = 1;
  world.encryption = encryption;
  world.options = options;
  const store = world.openFile();
  fill(store);
  await closed(world, store);
  return world;
}

describe("encryption at rest", () => {
  for (const cipher of ["chacha", "aes"] as const) {
    test(`leaves neither messages nor subjects on the disk: ${cipher}`, async () => {
      const world = await filled({ ...KEY, cipher });
      expect(onDisk(world, SECRET)).toEqual([]);
      expect(onDisk(world, "secret.1")).toEqual([]);
      expectAll(world.openFile());
    });
  }

  test("does not open with another key, or without one", async () => {
    const world = await filled(KEY);
    world.encryption = { ...KEY, key: "other" };
    expect(() => world.openFile()).toThrow("unable to recover keys");
    world.encryption = undefined;
    expect(() => world.openFile()).toThrow("unable to recover keys");
    world.encryption = KEY;
    expectAll(world.openFile());
  });

  const changes = [
    { name: "plain data gets a key", before: undefined, after: KEY },
    { name: "the key is replaced", before: KEY, after: { key: "second", previousKey: "first", cipher: "chacha" } as const },
    { name: "the cipher changes", before: KEY, after: { ...KEY, cipher: "aes" } as const },
  ];
  for (const { name, before, after } of changes) {
    test(`converts what is there: ${name}`, async () => {
      const world = await filled(before);
      world.encryption = after;
      const store = world.openFile();
      expectAll(store);
      store.append(given({ subject: "secret.new", body: SECRET }));
      store.remove(MESSAGES + 1, false);
      await closed(world, store);
      expect(onDisk(world, SECRET)).toEqual([]);
      const told = [expect.stringMatching(/^\d+ files of stream 'A > S' are not encrypted as configured yet/), "All files of stream 'A > S' are encrypted as configured"];
      expect(world.lines).toEqual(told);
      // Without the old key now.
      world.encryption = { ...after, previousKey: "" };
      expectAll(world.openFile());
      expect(world.lines).toEqual(told);
    });
  }
});

describe("compression", () => {
  test("makes full segments smaller, and they read as before", async () => {
    const plain = await filled(undefined);
    const packed = await filled(undefined, { ...PLAIN, compression: "s2" });
    const bytes = (world: World): number => world.disk.paths().reduce((sum, path) => sum + (path.endsWith(".seg") ? world.disk.readFile(path).length : 0), 0);
    expect(bytes(packed)).toBeLessThan(bytes(plain) / 2);
    const store = packed.openFile();
    expectAll(store);
    expect(store.state.bytes).toBe(plain.openFile().state.bytes);
  });

  test("can be turned on and off for what comes", async () => {
    const world = new World();
    world.maxBytes = 1;
    const store = world.openFile();
    store.configure({ ...PLAIN, compression: "s2" });
    fill(store);
    store.configure(PLAIN);
    await world.turns(500);
    expectAll(store);
    await closed(world, store);
    expectAll(world.openFile());
  });
});

describe("small files", () => {
  const path = "/js/A/streams/S/stream.json";

  test("come back as they were written, and are undefined when there are none", () => {
    for (const encryption of [undefined, KEY, { ...KEY, cipher: "aes" } as const]) {
      const world = new World();
      world.encryption = encryption;
      const files = openAssetFiles(world.context(), "A", "S");
      expect(files.read(path)).toBeUndefined();
      files.write(path, Buffer.from(SECRET));
      expect(files.read(path)?.toString()).toBe(SECRET);
      files.write(path, Buffer.from("shorter"));
      expect(files.read(path)?.toString()).toBe("shorter");
      expect(onDisk(world, "shorter").length).toBe(encryption === undefined ? 1 : 0);
      expect(Buffer.from(files.open(files.seal(Buffer.from("block"))) ?? []).toString()).toBe("block");
    }
  });

  test("are not trusted when a bit flipped or the end is missing", () => {
    const world = new World();
    const files = openAssetFiles(world.context(), "A", "S");
    files.write(path, Buffer.from(SECRET));
    const { length } = world.disk.readFile(path);
    for (let bit = 0; bit < length * 8; bit++) {
      world.disk.flipBit(path, bit);
      expect(() => files.read(path)).toThrow(path);
      world.disk.flipBit(path, bit);
    }
    expect(files.read(path)?.toString()).toBe(SECRET);
    world.disk.shorten(path, length - 1);
    expect(() => files.read(path)).toThrow("not a whole file");
  });

  test("are written anew under another key, and refused without a key that fits", () => {
    const world = new World();
    const open = (): ReturnType<typeof openAssetFiles> => openAssetFiles(world.context(), "A", "S");
    open().write(path, Buffer.from(SECRET));
    world.encryption = KEY;
    expect(open().read(path)?.toString()).toBe(SECRET);
    expect(onDisk(world, SECRET)).toEqual([]);
    world.encryption = { key: "second", previousKey: "first", cipher: "aes" };
    expect(open().read(path)?.toString()).toBe(SECRET);
    world.encryption = { key: "second", previousKey: "", cipher: "aes" };
    expect(open().read(path)?.toString()).toBe(SECRET);
    world.encryption = KEY;
    expect(() => open().read(path)).toThrow("Error decrypting our stream metafile: unable to recover keys");
    world.encryption = undefined;
    expect(() => open().read(path)).toThrow("unable to recover keys");
  });
});

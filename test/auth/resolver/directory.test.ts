/** The folder of account tokens against a naive model under random operations, through kills and power failures at every call, and on its edges. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { DirectoryError, type DirectoryOptions, type TokenFacts, TokenDirectory } from "../../../src/auth/resolver/directory.ts";
import { VirtualClock } from "../../sim/clock.ts";
import { CrashError, MemoryDisk } from "../../sim/disk.ts";
import { SeededRandom } from "../../sim/random.ts";
import { nkeyNamed } from "../../support/nkeys.ts";

const FULL: DirectoryOptions = { path: "/jwt", limit: 0, whenFull: "refuse", ttlMs: 0, whenDeleted: "rename" };
const IDS = Array.from({ length: 6 }, (_, at) => nkeyNamed("account", `directory ${at}`).publicKey);

/** Tokens here are plain JSON: the folder only asks for their facts. */
function token(facts: Partial<TokenFacts> & { readonly id: string }, body = ""): string {
  return JSON.stringify({ jti: `${facts.id}${body}`, issuedS: 1, expiresS: 0, ...facts, body });
}

const factsOf = (text: string): TokenFacts => JSON.parse(text) as TokenFacts;

interface Folder {
  readonly disk: MemoryDisk;
  readonly clock: VirtualClock;
  readonly damaged: string[];
  open(): TokenDirectory;
}

function folder(options: Partial<DirectoryOptions> = {}, seed = 1): Folder {
  const disk = new MemoryDisk();
  const clock = new VirtualClock(new SeededRandom(seed));
  const damaged: string[] = [];
  return { disk, clock, damaged, open: () => TokenDirectory.open(disk, clock, { ...FULL, ...options }, factsOf, (path) => damaged.push(path)) };
}

function naiveHash(texts: Iterable<string>): string {
  const hash = Buffer.alloc(32);
  for (const text of texts) createHash("sha256").update(text).digest().forEach((byte, at) => (hash[at] ^= byte));
  return hash.toString("hex");
}

const contents = (directory: TokenDirectory): Map<string, string> => new Map([...directory.tokens()].sort());

describe("against a naive model", () => {
  test.each([0, 3])("limit %d, a cache", (limit) => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new SeededRandom(seed);
      const { open } = folder({ limit, whenFull: "evict", whenDeleted: "remove" });
      let directory = open();
      /** In the order of use. */
      const model = new Map<string, string>();
      for (let step = 0; step < 80; step++) {
        const id = IDS[random.integer(IDS.length)];
        const known = model.get(id);
        const roll = random.fraction();
        if (roll < 0.5) {
          const text = token({ id }, String(random.integer(4)));
          expect(directory.put(id, text)).toBe(known !== text);
          if (known === undefined && limit > 0 && model.size === limit) model.delete([...model.keys()][0]);
          model.delete(id);
          model.set(id, text);
        } else if (roll < 0.75) {
          expect(directory.get(id)).toBe(known);
          if (known !== undefined) {
            model.delete(id);
            model.set(id, known);
          }
        } else if (roll < 0.95) {
          expect(directory.delete(id)).toBe(model.delete(id));
        } else {
          directory = open();
          // What is known of use is lost with the process: files count in the order of their names.
          for (const [key, text] of [...model].sort()) {
            model.delete(key);
            model.set(key, text);
          }
        }
        expect(directory.ids()).toEqual([...model.keys()]);
        expect(directory.hash().toString("hex")).toBe(naiveHash(model.values()));
      }
    }
  });
});

describe("a crash at any call", () => {
  test.each(["kill", "power"] as const)("%s: every account has its old token or the new one", (how) => {
    for (let seed = 1; seed <= 30; seed++) {
      for (let calls = 1; calls < 40; calls += 1 + (seed % 3)) {
        const random = new SeededRandom(seed * 1000 + calls);
        const { disk, open, damaged } = folder();
        let directory = open();
        for (const id of IDS.slice(0, 3)) directory.put(id, token({ id }, "old"));
        disk.stopAfter(calls, random);
        const done = new Map<string, string | undefined>(contents(directory));
        let last: readonly [string, string | undefined] | undefined;
        try {
          for (let step = 0; step < 20; step++) {
            const id = IDS[random.integer(IDS.length)];
            const text = random.fraction() < 0.7 ? token({ id }, String(step)) : undefined;
            last = [id, text];
            if (text === undefined) directory.delete(id);
            else directory.put(id, text);
            done.set(id, text);
            last = undefined;
          }
        } catch (error) {
          if (!(error instanceof CrashError)) throw error;
        }
        disk.restart(how, random);
        directory = open();
        expect(damaged).toEqual([]);
        const found = contents(directory);
        for (const id of IDS) {
          const allowed = [done.get(id), ...(last?.[0] === id ? [last[1]] : [])];
          expect(allowed).toContain(found.get(id));
        }
        expect(disk.paths().filter((path) => path.endsWith(".tmp"))).toEqual([]);
      }
    }
  });
});

test("a full folder refuses, unless the account is known", () => {
  const { open } = folder({ limit: 2 });
  const directory = open();
  for (const id of IDS.slice(0, 2)) directory.put(id, token({ id }));
  expect(() => directory.put(IDS[2], token({ id: IDS[2] }))).toThrow(new DirectoryError("jwt store is full"));
  expect(directory.put(IDS[0], token({ id: IDS[0] }, "new"))).toBe(true);
  expect(directory.size).toBe(2);
});

test("a limit does not touch what was there at the start", () => {
  const { disk, clock, open } = folder();
  const all = open();
  for (const id of IDS) all.put(id, token({ id }));
  const small = TokenDirectory.open(disk, clock, { ...FULL, limit: 2 }, factsOf, () => undefined);
  expect(small.size).toBe(IDS.length);
});

test("a deleted file is renamed, or removed", () => {
  for (const whenDeleted of ["rename", "remove"] as const) {
    const { disk, open } = folder({ whenDeleted });
    const directory = open();
    directory.put(IDS[0], token({ id: IDS[0] }));
    expect(directory.delete(IDS[0])).toBe(true);
    expect(disk.paths()).toEqual(whenDeleted === "rename" ? [`/jwt/${IDS[0]}.jwt.deleted`] : []);
    expect(open().size).toBe(0);
  }
});

test("sharded files are found and stay where they are", () => {
  const { disk, open } = folder();
  const path = `/jwt/${IDS[0].slice(-2)}/${IDS[0]}.jwt`;
  disk.writeFile(path, Buffer.from(token({ id: IDS[0] })), 0o600);
  const directory = open();
  expect(directory.ids()).toEqual([IDS[0]]);
  const text = token({ id: IDS[0] }, "new");
  directory.put(IDS[0], text);
  expect(disk.paths()).toEqual([path]);
  expect(open().get(IDS[0])).toBe(text);
});

test("files that are no tokens are named and left alone; other names are not looked at", () => {
  const { disk, open, damaged } = folder();
  const bad = `/jwt/${IDS[1]}.jwt`;
  disk.writeFile(bad, Buffer.from("nothing"), 0o600);
  disk.writeFile("/jwt/readme.jwt", Buffer.from("nothing"), 0o600);
  expect(open().size).toBe(0);
  expect(damaged).toEqual([bad]);
  expect(disk.paths()).toContain(bad);
});

test("no name leads out of the folder", () => {
  const { disk, open } = folder();
  const directory = open();
  for (const id of ["../x", "", "A", nkeyNamed("user", "u").publicKey, `${IDS[0]}/..`]) expect(() => directory.put(id, token({ id }))).toThrow(DirectoryError);
  expect(disk.paths()).toEqual([]);
});

describe("time", () => {
  test("a token goes when it expires by itself", async () => {
    const { clock, disk, open } = folder();
    const directory = open();
    const expiresS = Math.floor(clock.nowMs() / 1000) + 10;
    directory.put(IDS[0], token({ id: IDS[0], expiresS }));
    directory.put(IDS[1], token({ id: IDS[1] }));
    expect(directory.expire()).toEqual([]);
    await clock.advance(11_000);
    expect([...directory.tokens()].map(([id]) => id)).toEqual([IDS[1]]);
    expect(directory.expire()).toEqual([IDS[0]]);
    expect(disk.paths()).toEqual([`/jwt/${IDS[1]}.jwt`]);
    expect(directory.hash().toString("hex")).toBe(naiveHash([token({ id: IDS[1] })]));
  });

  test("with a time to live, use keeps a token", async () => {
    const { clock, open } = folder({ ttlMs: 10_000, whenFull: "evict", whenDeleted: "remove" });
    const directory = open();
    for (const id of IDS.slice(0, 2)) directory.put(id, token({ id }));
    await clock.advance(6_000);
    directory.get(IDS[0]);
    await clock.advance(6_000);
    expect(directory.expire()).toEqual([IDS[1]]);
    expect(directory.ids()).toEqual([IDS[0]]);
  });
});

test("merging keeps what is the same or newer", () => {
  const { open } = folder();
  const directory = open();
  const [id] = IDS;
  const old = token({ id, issuedS: 5, jti: "a" });
  expect(directory.merge(id, old)).toBe(true);
  expect(directory.merge(id, token({ id, issuedS: 9, jti: "a" }))).toBe(false);
  expect(directory.merge(id, token({ id, issuedS: 4, jti: "b" }))).toBe(false);
  expect(() => directory.merge(IDS[1], token({ id }))).toThrow(new DirectoryError("subject does not match jwt content"));
  expect(directory.get(id)).toBe(old);
  const newer = token({ id, issuedS: 5, jti: "c" });
  expect(directory.merge(id, newer)).toBe(true);
  expect(directory.get(id)).toBe(newer);
});

test("a full disk refuses a token and leaves the old one", () => {
  const { disk, open } = folder();
  const directory = open();
  const old = token({ id: IDS[0] });
  directory.put(IDS[0], old);
  disk.freeBytes = 10;
  expect(() => directory.put(IDS[0], token({ id: IDS[0] }, "a longer one"))).toThrow("no space left on device");
  expect(directory.get(IDS[0])).toBe(old);
  expect(open().get(IDS[0])).toBe(old);
});

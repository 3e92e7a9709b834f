/**
 * The rules of the house that a machine can check: imports only go down the floors, a room is entered through its `index.ts`, and time, randomness,
 * files and sockets come in through `platform/`. See `src/README.md`.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const SRC = join(import.meta.dir, "../../src");

/** Rooms by floor. A room of floor 2 may also use its neighbours of floor 2, which know nothing of anybody else. */
const FLOORS: Readonly<Record<string, number>> = { util: 0, platform: 1, log: 1, jwt: 1, routing: 2, protocol: 2, config: 2, accounts: 3, auth: 3, links: 4, jetstream: 5, monitor: 7, system: 7, server: 8, cli: 9, "main.ts": 9 };

/** Imports up or sideways that are meant, with their reason. */
const MEANT = new Map([["server -> monitor", "the composition root starts monitoring"]]);

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));

function roomOf(path: string): string {
  return path.split("/")[0];
}

interface Import {
  readonly file: string;
  readonly target: string;
}

const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(SRC, file), "utf8");
  return [...text.matchAll(/(?:from|import) "(\.[^"]+)";/g)].map((match) => ({ file, target: normalize(join(dirname(file), match[1])) }));
});

describe("the house", () => {
  test("every room has its floor", () => {
    expect(imports.length).toBeGreaterThan(100);
    expect([...new Set(files.map(roomOf))].filter((room) => FLOORS[room] === undefined)).toEqual([]);
  });

  test("imports only go down", () => {
    const up = imports.filter(({ file, target }) => {
      const from = roomOf(file);
      const to = roomOf(target);
      return from !== to && !target.startsWith("..") && FLOORS[to] > FLOORS[from] && !MEANT.has(`${from} -> ${to}`);
    });
    expect(up.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  test("a room is entered through its index", () => {
    const entered = new Set(["routing", "protocol", "config", "accounts", "auth", "log", "monitor", "system", "links", "jetstream"]);
    const around = imports.filter(({ file, target }) => roomOf(file) !== roomOf(target) && entered.has(roomOf(target)) && !target.endsWith("/index.ts"));
    expect(around.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  test("only the program itself names the machine behind the platform", () => {
    const named = imports.filter(({ file, target }) => target.startsWith("platform/bun/") && !file.startsWith("platform/bun/") && file !== "main.ts");
    expect(named.map(({ file }) => file)).toEqual([]);
  });

  test("time, randomness, files and sockets come in through platform/", () => {
    const doors = /\b(?:Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|Bun\.(?:listen|connect|serve|spawn|sleep|file|write))\(|from "(?:node:)?(?:fs|net|tls|http|https|child_process)/;
    // The overview page is text that runs in a browser.
    const direct = files.filter((file) => !file.startsWith("platform/") && file !== "monitor/page.ts").flatMap((file) =>
      readFileSync(join(SRC, file), "utf8")
        .split("\n")
        .filter((line) => doors.test(line) && !/^\s*(?:\*|\/\/|\/\*)/.test(line))
        .map((line) => `${file}: ${line.trim()}`),
    );
    expect(direct).toEqual([]);
  });
});

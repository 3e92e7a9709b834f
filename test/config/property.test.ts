/** Properties of the language: what is printed reads back the same in any style, and no bytes do worse than a configuration error. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalJson } from "../../src/config/digest.ts";
import { parseConfigFile, parseConfigText } from "../../src/config/parser.ts";
import { ConfigError } from "../../src/config/values.ts";
import { CORPUS } from "./corpus.ts";
import { fakeDisk } from "./fakes.ts";

const sources = { disk: fakeDisk({}), environment: () => undefined };

type Tree = string | number | boolean | Tree[] | { [key: string]: Tree };

const key = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,8}$/).filter((each) => each.toLowerCase() !== "include" && each !== "__proto__");
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(key, tie("tree"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const root = fc.dictionary(key, tree, { minKeys: 1, maxKeys: 5, noNullPrototype: true });

/** Prints in a style that `choices`, used in turn, decide. */
function print(node: Tree, choices: () => number): string {
  if (typeof node === "string") return `"${node.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\0/g, "\\x00")}"`;
  if (typeof node === "number") return String(node);
  if (typeof node === "boolean") return node ? ["true", "YES", "On"][choices() % 3] : ["false", "No", "off"][choices() % 3];
  const space = (): string => ["", " ", "\n", " # note\n", "\n// note\n"][choices() % 5];
  if (Array.isArray(node)) return `[${space()}${node.map((each) => `${print(each, choices)} `).join([", ", "\n"][choices() % 2])}${space()}]`;
  return `{${space()}${printItems(node, choices)}${space()}}`;
}

function printItems(node: { [key: string]: Tree }, choices: () => number): string {
  return Object.entries(node)
    .map(([name, value]) => {
      const written = [name, `"${name}"`, `'${name}'`][choices() % 3];
      return `${written}${[": ", " = ", " ", ":"][choices() % 4]}${print(value, choices)}${["\n", ", ", " ;", " # note\n"][choices() % 4]}`;
    })
    .join("");
}

test("a tree printed in any style reads back as the same tree", () => {
  fc.assert(
    fc.property(root, fc.array(fc.nat(59), { minLength: 1, maxLength: 40 }), (map, styles) => {
      let at = 0;
      const parsed = parseConfigText(printItems(map, () => styles[at++ % styles.length]), "c", sources);
      expect(JSON.parse(canonicalJson(parsed))).toEqual(map);
    }),
    { numRuns: 500 },
  );
});

test("no bytes do worse than a configuration error", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.constantFrom(...CORPUS), fc.nat(), fc.constantFrom("{", "}", "[", "]", '"', "'", "(", "\n)", "\\", "$", "\0", "")).map(([[text], at, cut]) => {
      const place = text.length === 0 ? 0 : at % text.length;
      return new TextEncoder().encode(text.slice(0, place) + cut + text.slice(place + 1));
    }),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      try {
        const disk = { ...fakeDisk({}), readFile: (path: string) => (path === "c" ? input : fakeDisk({}).readFile(path)) };
        expect(parseConfigFile("c", { ...sources, disk }).kind).toBe("map");
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
      }
    }),
    { numRuns: 3000, interruptAfterTimeLimit: 10_000, markInterruptAsFailure: true },
  );
});

test("nesting without end is an error", () => {
  expect(() => parseConfigText(`a: ${"[".repeat(100_000)}`, "c", sources)).toThrow(ConfigError);
});

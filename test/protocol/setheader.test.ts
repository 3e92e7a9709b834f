/** A header set in a block, against the plain way to do it. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseHeaders, setHeader } from "../../src/protocol/index.ts";

function plainly(block: string, key: string, value: string): string {
  const lines = block.split("\r\n").filter((line) => line !== "" && !line.startsWith(`${key}:`));
  return `${lines.join("\r\n")}\r\n${key}: ${value}\r\n\r\n`;
}

const name = fc.constantFrom("Nats-Request-Info", "Nats-Request", "A", "a", "Nats-Request-Info-2");
const line = fc.tuple(name, fc.stringMatching(/^[ -~]{0,12}$/)).map(([key, value]) => `${key}:${value}`);

test("blocks as clients make them", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), name, (lines, key) => {
      const block = `${["NATS/1.0", ...lines].join("\r\n")}\r\n\r\n`;
      expect(setHeader(block, key, "new")).toBe(plainly(block, key, "new"));
      expect(parseHeaders(setHeader(block, key, "new")).get(key)).toEqual(["new"]);
    }),
  );
});

test.each(["NATS/1.0\r\n", "NATS/1.0", "NATS/1.0\r\nA: b\r\n", "NATS/1.0\r\nA: b"])("a block that is cut short becomes whole: %j", (block) => {
  expect(setHeader(block, "K", "v").endsWith("\r\nK: v\r\n\r\n")).toBe(true);
  expect(parseHeaders(setHeader(block, "K", "v")).get("K")).toEqual(["v"]);
});

/** The texts that configuration shares with the rest of the server: durations, sizes, quoting. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatDuration, formatDurationMs, parseDuration } from "../../src/util/duration.ts";
import { goQuote, goQuoteList } from "../../src/util/quote.ts";
import { formatSize } from "../../src/util/size.ts";

test.each([["1h20m", "1h20m0s"], ["1.5s", "1.5s"], ["-3ms", "-3ms"], [".5h", "30m0s"], ["0", "0s"], ["3us", "3\u00b5s"]])("%s is %s", (written, shown) => {
  const parsed = parseDuration(written);
  expect(parsed.ok && formatDuration(parsed.ns)).toBe(shown);
});

test.each([
  ["abc", 'time: invalid duration "abc"'],
  ["10", 'time: missing unit in duration "10"'],
  ["10x", 'time: unknown unit "x" in duration "10x"'],
  ["", 'time: invalid duration ""'],
  ["9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'],
])("%j is no duration", (written, error) => {
  expect(parseDuration(written)).toEqual({ ok: false, error });
});

test("every duration reads back from its text", () => {
  fc.assert(fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), (ns) => {
    expect(parseDuration(formatDuration(ns))).toEqual({ ok: true, ns });
  }));
});

test("sizes, milliseconds and quotes", () => {
  expect([formatSize(-1), formatSize(1023), formatSize(1024), formatSize(2 * 1024 ** 3)]).toEqual(["-1 B", "1023 B", "1.00 KB", "2.00 GB"]);
  expect(formatDurationMs(120_000)).toBe("2m0s");
  expect(goQuote('a"\n\x00\ufeff\u00e9')).toBe('"a\\"\\n\\x00\\ufeff\u00e9"');
  expect(goQuoteList(["a", "b"])).toBe('["a" "b"]');
});

/** Timestamps: whatever the order in which they are told, they say what the runtime's own dates say. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { timestamp, timestampOf } from "../../src/util/timestamp.ts";

test("seconds are the date's, nanoseconds have no zeros at their end", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 253_402_300_799 }), fc.oneof(fc.integer({ min: 0, max: 999_999_999 }), fc.constantFrom(0, 1, 10, 500_000_000, 999_999_990, 120_000)))), (moments) => {
      for (const [seconds, nanos] of moments) {
        const text = timestampOf(seconds, nanos);
        expect(text.slice(0, 19)).toBe(new Date(seconds * 1000).toISOString().slice(0, 19));
        const fraction = /^(?:\.(\d{0,8}[1-9]))?Z$/.exec(text.slice(19));
        expect(Number((fraction?.[1] ?? "").padEnd(9, "0"))).toBe(nanos);
        expect(fraction).not.toBeNull();
        expect(timestamp(BigInt(seconds) * 1_000_000_000n + BigInt(nanos))).toBe(text);
      }
    }),
  );
});

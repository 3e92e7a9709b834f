/** Parts of streams that need no server. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Cron, UTC, zoneOffset } from "../../../src/jetstream/stream/cron.ts";
import { Deadlines } from "../../../src/jetstream/stream/deadlines.ts";
import { DuplicateWindow } from "../../../src/jetstream/stream/dedup.ts";
import { H, HEADER_NAMES, PublishHeaders, withHeaders, withoutHeaders } from "../../../src/jetstream/stream/headers.ts";
import { TTL_NEVER } from "../../../src/jetstream/stream/judgement.ts";
import { parseTtl } from "../../../src/jetstream/stream/ttl.ts";
import { parseHeaders } from "../../../src/protocol/index.ts";

function nextOf(pattern: string, from: string, zone = ""): string | undefined {
  const offset = zone === "" ? UTC : zoneOffset(zone);
  if (offset === undefined) throw new Error(`no zone ${zone}`);
  const next = Cron.parse(pattern)?.next(Date.parse(from), offset);
  return next === undefined ? undefined : new Date(next).toISOString();
}

describe("schedules in fields", () => {
  test.each([
    ["@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.000Z"],
    ["@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00.000Z"],
    ["0 0 5 * * *", "2026-01-31T05:00:00Z", "2026-02-01T05:00:00.000Z"],
    ["*/15 * * * * *", "2026-01-01T00:00:59Z", "2026-01-01T00:01:00.000Z"],
    ["0 0 0 29 feb ?", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00.000Z"],
    ["0 0 0 ? * mon", "2026-01-01T00:00:00Z", "2026-01-05T00:00:00.000Z"],
    // Without a star in either, one of the two days is enough.
    ["0 0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00.000Z"],
    ["0 30 9 1-3,20 * *", "2026-01-03T10:00:00Z", "2026-01-20T09:30:00.000Z"],
  ])("%s after %s is %s", (pattern, from, expected) => {
    expect(nextOf(pattern, from)).toBe(expected);
  });

  test("count on the wall clock of their zone, also over its changes", () => {
    expect(nextOf("0 0 5 * * *", "2026-01-01T00:00:00Z", "Europe/Berlin")).toBe("2026-01-01T04:00:00.000Z");
    expect(nextOf("0 0 5 * * *", "2026-07-01T00:00:00Z", "Europe/Berlin")).toBe("2026-07-01T03:00:00.000Z");
    // 29 March 2026: clocks go from 2:00 to 3:00.
    expect(nextOf("0 0 5 * * *", "2026-03-28T12:00:00Z", "Europe/Berlin")).toBe("2026-03-29T03:00:00.000Z");
    expect(nextOf("0 0 5 * * *", "2026-10-24T12:00:00Z", "Europe/Berlin")).toBe("2026-10-25T04:00:00.000Z");
  });

  test("a day that never comes has no next time", () => {
    expect(nextOf("0 0 0 31 feb *", "2026-01-01T00:00:00Z")).toBeUndefined();
  });

  test.each(["* * * * *", "60 * * * * *", "* * 24 * * *", "* * * 0 * *", "* * * * 13 *", "* * * * * 7", "5-1 * * * * *", "*/0 * * * * *", "a * * * * *", "1/2/3 * * * * *"])("%s is none", (pattern) => {
    expect(Cron.parse(pattern)).toBeUndefined();
  });

  test("the next time is later and has every field, from any time", () => {
    const fields = Cron.parse("*/7 3-50/4 */5 * * *");
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (fromMs) => {
        const next = fields?.next(fromMs, UTC) ?? 0;
        const date = new Date(next);
        expect(next).toBeGreaterThan(fromMs);
        expect(date.getUTCSeconds() % 7).toBe(0);
        expect((date.getUTCMinutes() - 3) % 4).toBe(0);
        expect(date.getUTCHours() % 5).toBe(0);
      }),
    );
  });
});

test("deadlines come out in the order of their times", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 300 }), (times) => {
      const deadlines = new Deadlines();
      for (const [i, time] of times.entries()) deadlines.add(time, i + 1);
      const taken: number[] = [];
      for (let seq = deadlines.take(2000); seq > 0; seq = deadlines.take(2000)) taken.push(times[seq - 1]);
      expect(taken).toEqual([...times].sort((a, b) => a - b));
    }),
  );
});

test("nothing is due before its time", () => {
  const deadlines = new Deadlines();
  deadlines.add(100, 1);
  expect(deadlines.take(99)).toBe(0);
  expect(deadlines.nextMs).toBe(100);
  expect(deadlines.take(100)).toBe(1);
});

describe("the duplicate window", () => {
  test("agrees with a list of what came, over prunes and what was taken back", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("add" as const), id: fc.integer({ min: 0, max: 9 }).map(String), ms: fc.integer({ min: 0, max: 30 }) }),
      fc.record({ kind: fc.constant("prune" as const) }),
      fc.record({ kind: fc.constant("back" as const), count: fc.integer({ min: 1, max: 3 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const window = new DuplicateWindow(100);
        let known: { id: string; seq: number; ms: number }[] = [];
        let nowMs = 1000;
        let seq = 0;
        for (const each of steps) {
          if (each.kind === "add") {
            nowMs += each.ms;
            const model = known.findLast(({ id, ms }) => id === each.id && ms > nowMs - 100);
            expect(window.find(each.id, nowMs)).toBe(model?.seq ?? 0);
            if (model !== undefined) continue;
            window.add(each.id, ++seq, nowMs);
            known.push({ id: each.id, seq, ms: nowMs });
          } else if (each.kind === "prune") window.prune(nowMs);
          else {
            const first = Math.max(1, seq - each.count + 1);
            window.takeBack(first);
            known = known.filter((entry) => entry.seq < first);
            seq = first - 1;
          }
        }
      }),
    );
  });
});

describe("headers of a publish", () => {
  const name = fc.oneof(fc.constantFrom(...HEADER_NAMES), fc.constantFrom("Foo", "nats-msg-id", "Nats-", "Kv", "Nats-Msg-Id2"));
  const value = fc.stringMatching(/^[ a-z:0-9]{0,8}$/);

  test("are those that a plain reading finds", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (lines) => {
        const block = `NATS/1.0\r\n${lines.map(([key, text]) => `${key}:${text}\r\n`).join("")}\r\n`;
        const plain = parseHeaders(block);
        const headers = new PublishHeaders();
        const buffer = Buffer.from(`xx${block}yy`, "latin1");
        headers.read(buffer, 2, 2 + block.length);
        for (const [place, known] of HEADER_NAMES.entries()) expect(headers.get(place as H)).toBe(plain.get(known)?.[0]);
        headers.clear();
        expect(headers.any).toBe(false);
      }),
    );
  });

  test("a status does not count as a plain version line", () => {
    const headers = new PublishHeaders();
    const block = Buffer.from("NATS/1.0 123 text\r\nNats-Msg-Id: 7\r\n\r\n");
    headers.read(block, 0, block.length);
    expect(headers.hasStatus).toBe(true);
    expect(headers.get(H.MsgId)).toBe("7");
  });

  test("lines are taken out and added", () => {
    const block = "NATS/1.0\r\nA: 1\r\nB: 2\r\n\r\n";
    expect(withoutHeaders(block, (key) => key === "A")).toBe("NATS/1.0\r\nB: 2\r\n\r\n");
    expect(withoutHeaders(block, () => true)).toBe("");
    expect(withHeaders("", [["C", "3"]])).toBe("NATS/1.0\r\nC: 3\r\n\r\n");
    expect(withHeaders(block, [["C", "3"]])).toBe("NATS/1.0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n");
  });
});

test.each([
  ["", 0],
  ["1", 1],
  ["90m", 5400],
  ["1.9s", 1],
  ["never", TTL_NEVER],
  ["NEVER", TTL_NEVER],
  ["0", undefined],
  ["-5", undefined],
  ["0.9s", undefined],
  ["soon", undefined],
])("a time to live of %p is %p", (text, expected) => {
  expect(parseTtl(text)).toBe(expected);
});

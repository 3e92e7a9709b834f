/** Archives: what is written is read, in whatever pieces it arrives; what is missing is noticed; and archives of version 1 are understood. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ArchiveReader, type ArchivedConsumerState, type ArchivedState, type ArchiveSink, EntryWriter, S2Writer } from "../../../src/jetstream/archive/index.ts";

interface Stored {
  readonly seq: number;
  readonly seconds: number;
  readonly nanos: number;
  readonly subject: string;
  readonly header: string;
  readonly payload: string;
}

class Collected implements ArchiveSink {
  states: ArchivedState[] = [];
  consumers: { readonly name: string; readonly config: unknown; readonly state: ArchivedConsumerState }[] = [];
  messages = new Map<number, Stored>();
  isComplete = false;

  state(state: ArchivedState): void {
    this.states.push(state);
  }

  consumer(name: string, config: unknown, state: ArchivedConsumerState): void {
    this.consumers.push({ name, config, state });
  }

  message(seq: number, seconds: number, nanos: number, subject: string, bytes: Buffer, headerStart: number, bodyStart: number, end: number): void {
    this.messages.set(seq, { seq, seconds, nanos, subject, header: bytes.latin1Slice(headerStart, bodyStart), payload: bytes.latin1Slice(bodyStart, end) });
  }

  removed(seq: number): void {
    this.messages.delete(seq);
  }

  complete(): void {
    this.isComplete = true;
  }
}

function readAll(pieces: Iterable<Uint8Array>, name = "S"): Collected {
  const sink = new Collected();
  const reader = new ArchiveReader(sink, { name, account: "$G" });
  for (const piece of pieces) {
    reader.push(piece);
    while (reader.step());
  }
  reader.end();
  return sink;
}

function inPieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

const CONSUMER = {
  config: { durable_name: "D", ack_policy: "explicit" },
  state: { delivered: { consumer_seq: 9, stream_seq: 12 }, ack_floor: { consumer_seq: 1, stream_seq: 2 }, pending: { "5": { Sequence: 3, Timestamp: 1_700_000_000_000_000_000 } }, redelivered: { "5": 2 } },
};

function archiveOf(messages: readonly Stored[]): Buffer {
  const parts: Uint8Array[] = [];
  const frames = new S2Writer((part) => parts.push(part));
  const entries = new EntryWriter((bytes, start, end) => frames.write(bytes, start, end));
  entries.json("state.json", 5n, { first_seq: 1, last_seq: 1000, last_ts: "2026-01-02T03:04:05.5Z", consumer_count: 1 });
  entries.consumer("D", 5n, CONSUMER);
  for (const { seq, seconds, nanos, subject, header, payload } of messages) {
    const bytes = Buffer.from(header + payload, "latin1");
    entries.message(seq, seconds, nanos, subject, bytes, 0, header.length, bytes.length);
  }
  entries.end();
  frames.end();
  return Buffer.concat(parts);
}

const bytesOf = (maxLength: number): fc.Arbitrary<string> => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).latin1Slice());
const messages = fc
  .array(fc.record({ gap: fc.integer({ min: 1, max: 300 }), seconds: fc.integer({ min: 0, max: 2 ** 32 }), nanos: fc.integer({ min: 0, max: 999_999_999 }), subject: bytesOf(20), header: bytesOf(40), payload: bytesOf(500) }))
  .map((list) => {
    let seq = 0;
    return list.map(({ gap, subject, ...rest }) => ({ ...rest, subject: `s${subject}`, seq: (seq += gap) }));
  });

test("what is written is read, in pieces of any size", () => {
  fc.assert(
    fc.property(messages, fc.integer({ min: 1, max: 700 }), (stored, size) => {
      const { states, consumers, messages: read, isComplete } = readAll(inPieces(archiveOf(stored), size));
      expect(isComplete).toBe(true);
      expect([...read.values()]).toEqual([...stored]);
      expect(states).toEqual([{ firstSeq: 1, lastSeq: 1000, lastSeconds: Date.UTC(2026, 0, 2, 3, 4, 5) / 1000, lastNanos: 500_000_000 }]);
      expect(consumers).toEqual([{ name: "D", ...CONSUMER }]);
    }),
    { numRuns: 80 },
  );
});

test("an archive that ends anywhere before its end is refused", () => {
  const whole = archiveOf([{ seq: 1, seconds: 7, nanos: 8, subject: "a", header: "", payload: "one" }]);
  for (let length = 0; length < whole.length; length++) expect(() => readAll([whole.subarray(0, length)])).toThrow(/^(EOF|unexpected EOF|s2: corrupt input)$/);
  expect(readAll([whole]).messages.size).toBe(1);
});

test("messages out of order, and entries that are not expected, are refused", () => {
  const message = { seconds: 1, nanos: 0, subject: "a", header: "", payload: "" };
  expect(() => readAll([archiveOf([{ ...message, seq: 2 }, { ...message, seq: 2 }])])).toThrow("messages out of order");
  const parts: Uint8Array[] = [];
  const frames = new S2Writer((part) => parts.push(part));
  const entries = new EntryWriter((bytes, start, end) => frames.write(bytes, start, end));
  entries.message(1, 1, 0, "a", Buffer.alloc(0), 0, 0, 0);
  frames.end();
  expect(() => readAll(parts)).toThrow("expected stream state first");
});

// Made by nats-server 2.10.27: 40 messages on orders.0 to orders.2, of which 1, 7 (not erased), 8 and 40 were deleted; a consumer that got ten and acknowledged 2, 3 and 6.
const legacy = readFileSync(join(import.meta.dir, "version1.tar.s2"));

test.each([1, 100, 100_000])("an archive of version 1 is read, in pieces of %p bytes", (size) => {
  const { states, consumers, messages: read, isComplete } = readAll(inPieces(legacy, size), "ORDERS");
  expect(isComplete).toBe(true);
  expect([...read.keys()]).toEqual(Array.from({ length: 40 }, (_, i) => i + 1).filter((seq) => ![1, 7, 8, 40].includes(seq)));
  for (const { seq, subject, header, payload } of read.values()) {
    expect(subject).toBe(`orders.${seq % 3}`);
    expect(payload).toBe(seq === 20 ? "x".repeat(3000) : `order ${seq}`);
    expect(header).toBe(seq % 4 === 0 ? `NATS/1.0\r\nNumber: ${seq}\r\n\r\n` : "");
  }
  expect(states).toMatchObject([{ firstSeq: 2, lastSeq: 40 }]);
  expect(consumers).toMatchObject([
    { name: "worker", config: { durable_name: "worker", ack_policy: "explicit" }, state: { delivered: { consumer_seq: 10, stream_seq: 13 }, ack_floor: { consumer_seq: 2, stream_seq: 3 } } },
  ]);
  expect(Object.keys(consumers[0].state.pending ?? {})).toEqual(["4", "5", "9", "10", "11", "12", "13"]);
  expect(consumers[0].config).not.toHaveProperty("Created");
});

test("an archive of version 1 belongs to its stream's name", () => {
  expect(() => readAll([legacy], "OTHER")).toThrow("stream names do not match");
});

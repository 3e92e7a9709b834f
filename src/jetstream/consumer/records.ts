/**
 * What the log of a stream's consumers holds, as bytes: how a consumer was made or changed, its whole state, what happened since, its end. Numbers are
 * varints, lists hold differences: a run of a thousand acknowledgements is three bytes.
 */
import type { Journal } from "./journal.ts";
import type { ConsumerState } from "./state.ts";

export const enum RecordKind {
  /** JSON of `Definition`. */
  Defined = 1,
  /** Positions, pending messages, counts. */
  Whole = 2,
  /** Positions, and what happened since the record before. */
  Changes = 3,
  Deleted = 4,
}

/** Who a consumer is. */
export interface Definition {
  readonly name: string;
  /** Nanoseconds since the Unix epoch, decimal. */
  readonly created: string;
  readonly config: unknown;
}

/** Bytes that cannot be understood. */
export class RecordError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "RecordError";
  }
}

/** Nothing is written for most streams, and more than this for those with consumers. */
const RECORD_MIN = 16;

export class RecordWriter {
  #buffer = Buffer.alloc(RECORD_MIN);
  #length = 0;

  /** What was written since `begin`; valid until the next one. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  begin(kind: RecordKind): this {
    this.#length = 0;
    return this.number(kind);
  }

  /** A whole number of 0 or more. */
  number(value: number): this {
    this.#reserve(10);
    while (value >= 0x80) {
      this.#buffer[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#buffer[this.#length++] = value;
    return this;
  }

  /** A whole number of any sign. */
  signed(value: number): this {
    return this.number(value < 0 ? -value * 2 - 1 : value * 2);
  }

  text(text: string): this {
    const bytes = Buffer.from(text);
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

export class RecordReader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  number(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.bytes[this.#at++];
      if (byte === undefined) throw new RecordError("record ends early");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new RecordError("number too long");
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  rest(): string {
    const text = Buffer.from(this.bytes).toString("utf8", this.#at);
    this.#at = this.bytes.length;
    return text;
  }

  end(): void {
    if (this.#at !== this.bytes.length) throw new RecordError("record too long");
  }
}

// States

export function writeWhole(writer: RecordWriter, state: ConsumerState): void {
  writer.begin(RecordKind.Whole);
  writePositions(writer, state);
  const { pending, redelivered } = state;
  writer.number(pending.size);
  let seq = 0;
  let delivery = 0;
  let atMs = 0;
  for (let slot = pending.head; slot >= 0; slot = pending.after(slot)) {
    const time = Math.round(pending.timeAt(slot));
    writer.number(pending.seqAt(slot) - seq).signed(pending.deliveryAt(slot) - delivery).signed(time - atMs);
    seq = pending.seqAt(slot);
    delivery = pending.deliveryAt(slot);
    atMs = time;
  }
  writer.number(redelivered.size);
  for (const [message, count] of redelivered) writer.number(message).number(count);
}

export function readWhole(reader: RecordReader, state: ConsumerState): void {
  state.restart(1);
  readPositions(reader, state);
  let seq = 0;
  let delivery = 0;
  let atMs = 0;
  for (let left = reader.number(); left > 0; left--) {
    seq += reader.number();
    delivery += reader.signed();
    atMs += reader.signed();
    state.pending.add(seq, delivery, atMs);
  }
  for (let left = reader.number(); left > 0; left--) {
    const message = reader.number();
    state.redelivered.set(message, reader.number());
  }
  reader.end();
}

function writePositions(writer: RecordWriter, { delivered, floor }: ConsumerState): void {
  writer.number(delivered.delivery).number(delivered.seq).number(floor.delivery).number(floor.seq);
}

function readPositions(reader: RecordReader, state: ConsumerState): void {
  state.delivered.delivery = reader.number();
  state.delivered.seq = reader.number();
  state.floor.delivery = reader.number();
  state.floor.seq = reader.number();
  state.next = state.delivered.seq + 1;
}

/** `nowMs` stands for the time of all deliveries: it is a little late at most. */
export function writeChanges(writer: RecordWriter, state: ConsumerState, journal: Journal, nowMs: number): void {
  writer.begin(RecordKind.Changes);
  writePositions(writer, state);
  const { delivered, redelivered, touched, exhausted, settled } = journal;
  writer.number(Math.round(nowMs)).number(delivered.length / 3);
  let seq = 0;
  let delivery = 0;
  for (let i = 0; i < delivered.length; i += 3) {
    writer.signed(delivered[i] - seq).number(delivered[i + 1]).signed(delivered[i + 2] - delivery);
    seq = delivered[i];
    delivery = delivered[i + 2];
  }
  writer.number(redelivered.length / 2);
  for (const value of redelivered) writer.number(value);
  writer.number(touched.length / 2);
  for (let i = 0; i < touched.length; i += 2) writer.number(touched[i]).signed(Math.round(touched[i + 1]));
  writer.number(exhausted.length);
  for (const value of exhausted) writer.number(value);
  writer.number(settled.length / 2);
  seq = 0;
  for (let i = 0; i < settled.length; i += 2) {
    writer.signed(settled[i] - seq).number(settled[i + 1]);
    seq = settled[i];
  }
}

/** Applies what happened to `state`. */
export function readChanges(reader: RecordReader, state: ConsumerState): void {
  readPositions(reader, state);
  const { pending, redelivered } = state;
  const nowMs = reader.number();
  let seq = 0;
  let delivery = 0;
  for (let left = reader.number(); left > 0; left--) {
    seq += reader.signed();
    const count = reader.number();
    delivery += reader.signed();
    for (let i = 0; i < count; i++) pending.add(seq + i, delivery + i, nowMs);
  }
  for (let left = reader.number(); left > 0; left--) {
    const message = reader.number();
    redelivered.set(message, reader.number());
    pending.touch(message, nowMs);
  }
  for (let left = reader.number(); left > 0; left--) {
    const message = reader.number();
    pending.touch(message, reader.signed());
  }
  for (let left = reader.number(); left > 0; left--) {
    const message = reader.number();
    if (!redelivered.has(message)) redelivered.set(message, 1);
    pending.remove(message);
  }
  seq = 0;
  for (let left = reader.number(); left > 0; left--) {
    seq += reader.signed();
    for (let count = reader.number(), i = 0; i < count; i++) {
      pending.remove(seq + i);
      redelivered.delete(seq + i);
    }
  }
  reader.end();
  if (state.settling !== "through") return;
  const floor = state.floor.seq;
  for (let lowest = pending.firstSeq; lowest !== 0 && lowest <= floor; lowest = pending.firstSeq) {
    pending.remove(lowest);
    redelivered.delete(lowest);
  }
}

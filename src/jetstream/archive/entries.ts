/**
 * Archives of version 2: a magic word, then entries of `name length, time, sequence, header size, payload size` (variable-length numbers), name, header block,
 * payload. First `state.json`, then one `consumers/<name>` for each consumer, then the messages under their subjects in the order of their sequences, then
 * an entry of zeros. Spec: streams, section 10.3.
 */
import { encodeJson } from "../../protocol/index.ts";
import { ArchiveError } from "./error.ts";
import { type ByteQueue, NumberReader } from "./bytequeue.ts";
import { consumerOf, stateOf } from "./contents.ts";
import type { ArchiveFormat, ArchiveSink } from "./sink.ts";

export const MAGIC = "NATSARC1";

const NAME_BYTES_MAX = 1 << 20;
/** More than any server takes as one message or keeps of one consumer. */
const BODY_BYTES_MAX = 1 << 30;
const CONSUMER_PREFIX = "consumers/";

export class EntryReader implements ArchiveFormat {
  readonly truncated = "unexpected EOF";
  isComplete = false;
  #hasState = false;
  /** Consumers that are still to come before the messages. */
  #consumers = 0;
  #lastSeq = 0;

  /** The magic word was taken already. */
  constructor(
    private readonly input: ByteQueue,
    private readonly sink: ArchiveSink,
  ) {}

  step(): boolean {
    const { input } = this;
    if (this.isComplete) {
      if (input.length > 0) throw new ArchiveError("unexpected data after end of backup");
      return false;
    }
    const numbers = new NumberReader(input.bytes, input.at);
    const nameLength = numbers.uvarint();
    const timeNs = numbers.varint();
    const seq = numbers.uvarint();
    const headerLength = numbers.uvarint();
    const payloadLength = numbers.uvarint();
    if (numbers.ended) return false;
    if (nameLength > NAME_BYTES_MAX || headerLength > BODY_BYTES_MAX || payloadLength > BODY_BYTES_MAX) throw new ArchiveError("backup entry too large");
    const start = numbers.at + nameLength;
    const bodyStart = start + headerLength;
    const end = bodyStart + payloadLength;
    if (input.bytes.length < end) return false;
    const name = input.bytes.latin1Slice(numbers.at, start);
    input.at = end;
    this.#entry(name, timeNs, seq, start, bodyStart, end);
    return true;
  }

  #entry(name: string, timeNs: bigint, seq: number, start: number, bodyStart: number, end: number): void {
    const { sink, input } = this;
    if (!this.#hasState) {
      if (name !== "state.json") throw new ArchiveError("expected stream state first");
      const { state, consumers } = stateOf(input.bytes.toString("utf8", bodyStart, end));
      this.#hasState = true;
      this.#consumers = consumers;
      sink.state(state);
    } else if (this.#consumers > 0) {
      if (!name.startsWith(CONSUMER_PREFIX)) throw new ArchiveError("expected consumer state");
      this.#consumers--;
      const { config, state } = consumerOf(input.bytes.toString("utf8", bodyStart, end));
      sink.consumer(Buffer.from(name.slice(CONSUMER_PREFIX.length), "latin1").toString("utf8"), config, state);
    } else if (name === "") {
      if (timeNs !== 0n || seq !== 0 || start !== end) throw new ArchiveError("malformed end of backup");
      this.isComplete = true;
      sink.complete();
    } else {
      if (seq <= this.#lastSeq) throw new ArchiveError("messages out of order");
      this.#lastSeq = seq;
      // Whole seconds rounded down, also before 1970.
      const seconds = Number(timeNs >= 0n ? timeNs / NS_PER_S : -((-timeNs + NS_PER_S - 1n) / NS_PER_S));
      sink.message(seq, seconds, Number(timeNs - BigInt(seconds) * NS_PER_S), name, input.bytes, start, bodyStart, end);
    }
  }
}

const NS_PER_S = 1_000_000_000n;

/** Writes entries; the bytes go to `write` at once and are not kept. */
export class EntryWriter {
  readonly #head = Buffer.allocUnsafe(64);

  constructor(private readonly write: (bytes: Uint8Array, start?: number, end?: number) => void) {
    write(Buffer.from(MAGIC));
  }

  /** `state.json` or a consumer. */
  json(name: string, timeNs: bigint, value: unknown): void {
    const payload = Buffer.from(encodeJson(value));
    this.#begin(Buffer.from(name), timeNs, 0, 0, payload.length);
    this.write(payload);
  }

  consumer(name: string, timeNs: bigint, value: { readonly config: unknown; readonly state: unknown }): void {
    this.json(CONSUMER_PREFIX + name, timeNs, value);
  }

  /** `subject` is a byte string; the bytes hold header block and payload next to each other. */
  message(seq: number, seconds: number, nanos: number, subject: string, bytes: Uint8Array, headerStart: number, bodyStart: number, end: number): void {
    this.#begin(Buffer.from(subject, "latin1"), BigInt(seconds) * NS_PER_S + BigInt(nanos), seq, bodyStart - headerStart, end - bodyStart);
    this.write(bytes, headerStart, end);
  }

  end(): void {
    this.write(Buffer.alloc(5));
  }

  #begin(name: Buffer, timeNs: bigint, seq: number, headerLength: number, payloadLength: number): void {
    const head = this.#head;
    let at = putUvarint(head, 0, name.length);
    at = putVarint(head, at, timeNs);
    at = putUvarint(head, at, seq);
    at = putUvarint(head, at, headerLength);
    at = putUvarint(head, at, payloadLength);
    this.write(head, 0, at);
    this.write(name);
  }
}

function putUvarint(to: Buffer, at: number, value: number): number {
  while (value >= 128) {
    to[at++] = (value % 128) | 128;
    value = Math.floor(value / 128);
  }
  to[at++] = value;
  return at;
}

function putVarint(to: Buffer, at: number, value: bigint): number {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  while (rest >= 128n) {
    to[at++] = Number(rest & 127n) | 128;
    rest >>= 7n;
  }
  to[at++] = Number(rest);
  return at;
}

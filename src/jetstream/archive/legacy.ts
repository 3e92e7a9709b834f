/**
 * Archives of version 1, as servers up to 2.14 write them: a tar of their own files. Read only: `meta.inf` and `meta.sum` of the stream, `msgs/<n>.blk` with the
 * records, `msgs/index.db` with the stream's figures and `obs/<consumer>/{meta.inf,meta.sum,o.dat}`. Every checksum is verified. Spec: streams, section 10.4.
 */
import { createHash } from "node:crypto";
import { anything, decodeJson, JsonError, object, record, type Shape, text } from "../json/index.ts";
import { type ByteQueue, NumberReader } from "./bytequeue.ts";
import { ArchiveError } from "./error.ts";
import { highwayHash64 } from "./highwayhash.ts";
import { readIndex } from "./legacyindex.ts";
import type { ArchivedConsumerState, ArchiveFormat, ArchiveSink } from "./sink.ts";
import { type TarFile, TarReader } from "./tar.ts";

/** Length, sequence, time, length of the subject; and the checksum at the end. */
const RECORD_HEAD = 22;
const RECORD_SUM = 8;
const HAS_HEADERS = 0x8000_0000;
/** High words of the marks in a record's sequence. */
const ERASED = 0x8000_0000;
const TOMBSTONE = 0x4000_0000;
/** Records that are read in one step. */
const RECORDS_PER_STEP = 256;
const NS_PER_S = 1_000_000_000n;

interface Block {
  readonly bytes: Buffer;
  readonly key: Buffer;
  at: number;
}

interface Consumer {
  config?: unknown;
  sum?: string;
  meta?: Buffer;
  state?: ArchivedConsumerState;
  done: boolean;
}

export class LegacyReader implements ArchiveFormat {
  readonly truncated = "unexpected EOF";
  isComplete = false;
  readonly #tar: TarReader;
  readonly #consumers = new Map<string, Consumer>();
  #meta: Buffer | undefined = undefined;
  #block: Block | undefined = undefined;
  #scratch = Buffer.allocUnsafe(4096);
  #firstSeq = 0;
  #lastSeq = 0;
  #lastTime = { lastSeconds: 0, lastNanos: 0 };

  constructor(
    input: ByteQueue,
    private readonly sink: ArchiveSink,
    private readonly stream: { readonly name: string; readonly account: string },
  ) {
    this.#tar = new TarReader(input);
  }

  step(): boolean {
    if (this.#block !== undefined) {
      this.#readRecords(this.#block);
      return true;
    }
    const file = this.#tar.next(() => this.#unexpected());
    if (file !== undefined) {
      this.#take(file);
      return true;
    }
    if (!this.#tar.isComplete || this.isComplete) return false;
    this.#finish();
    return true;
  }

  #take({ path, bytes }: TarFile): void {
    if (path === "meta.inf") this.#meta = bytes;
    else if (path === "meta.sum") this.#checkMeta(bytes.latin1Slice());
    else if (path === "msgs/index.db") this.#takeIndex(bytes);
    else {
      const block = /^msgs\/(\d+)\.blk$/.exec(path)?.[1];
      const consumer = /^obs\/([^/]+)\/(meta\.inf|meta\.sum|o\.dat)$/.exec(path);
      if (block !== undefined) this.#block = { bytes, key: keyOf(`${this.stream.name}-${block}`), at: 0 };
      else if (consumer !== null) this.#takeOfConsumer(consumer[1] ?? "", consumer[2] ?? "", bytes);
      else if (path === "errors.txt") throw new ArchiveError(`backup has errors: ${bytes.toString("utf8").trim()}`);
      else throw this.#unexpected();
    }
  }

  #unexpected(): ArchiveError {
    return new ArchiveError(`unexpected content (account=${this.stream.account})`);
  }

  #checkMeta(sum: string): void {
    const meta = this.#meta;
    if (meta === undefined) throw this.#unexpected();
    if (highwayHash64(keyOf(this.stream.name), meta).toString("hex") !== sum) {
      // The key is the name: another name gives another sum.
      const { name } = decode(meta, object({ name: text }));
      throw new ArchiveError(name === this.stream.name ? "stream metadata checksum mismatch" : "stream names do not match");
    }
  }

  // Messages

  #readRecords(block: Block): void {
    const { bytes } = block;
    for (let i = 0; i < RECORDS_PER_STEP && block.at < bytes.length; i++) this.#readRecord(block);
    if (block.at >= bytes.length) this.#block = undefined;
  }

  #readRecord(block: Block): void {
    const { bytes, at } = block;
    const bad = (): ArchiveError => new ArchiveError("malformed message record");
    if (bytes.length - at < RECORD_HEAD + RECORD_SUM) throw bad();
    const word = bytes.readUInt32LE(at);
    const hasHeaders = word >= HAS_HEADERS;
    const end = at + (word % HAS_HEADERS);
    const subjectEnd = at + RECORD_HEAD + bytes.readUInt16LE(at + 20);
    const bodyAt = hasHeaders ? subjectEnd + 4 : subjectEnd;
    if (end > bytes.length || bodyAt + RECORD_SUM > end) throw bad();
    const headerLength = hasHeaders ? bytes.readUInt32LE(subjectEnd) : 0;
    const bodyEnd = end - RECORD_SUM;
    if (bodyAt + headerLength > bodyEnd) throw bad();
    block.at = end;
    const high = bytes.readUInt32LE(at + 8);
    const seq = (high & 0x3fff_ffff) * 0x1_0000_0000 + bytes.readUInt32LE(at + 4);
    if ((high & ERASED) !== 0) {
      this.#lastSeq = Math.max(this.#lastSeq, seq);
      return;
    }
    this.#verify(block, at, subjectEnd, bodyAt, bodyEnd);
    if ((high & TOMBSTONE) !== 0) {
      this.sink.removed(seq);
      return;
    }
    // Servers wrote a record again after a failed write; the first one counts.
    if (seq <= this.#lastSeq) return;
    this.#lastSeq = seq;
    const timeNs = bytes.readBigInt64LE(at + 12);
    const seconds = Number(timeNs / NS_PER_S);
    const nanos = Number(timeNs % NS_PER_S);
    this.#lastTime = { lastSeconds: seconds, lastNanos: nanos };
    this.sink.message(seq, seconds, nanos, bytes.latin1Slice(at + RECORD_HEAD, subjectEnd), bytes, bodyAt, bodyAt + headerLength, bodyEnd);
  }

  /** The sum is over sequence and time, subject, headers and payload: all but the lengths. */
  #verify({ bytes, key }: Block, at: number, subjectEnd: number, bodyAt: number, bodyEnd: number): void {
    const length = 16 + (subjectEnd - at - RECORD_HEAD) + (bodyEnd - bodyAt);
    if (this.#scratch.length < length) this.#scratch = Buffer.allocUnsafe(length * 2);
    const scratch = this.#scratch;
    bytes.copy(scratch, 0, at + 4, at + 20);
    bytes.copy(scratch, 16, at + RECORD_HEAD, subjectEnd);
    bytes.copy(scratch, 16 + subjectEnd - at - RECORD_HEAD, bodyAt, bodyEnd);
    if (highwayHash64(key, scratch, 0, length).compare(bytes, bodyEnd, bodyEnd + RECORD_SUM) !== 0) throw new ArchiveError("message checksum mismatch");
  }

  /** It comes after the blocks. */
  #takeIndex(bytes: Buffer): void {
    const index = readIndex(bytes);
    if (index === undefined) return;
    this.#firstSeq = index.firstSeq;
    for (const seq of index.deleted) this.sink.removed(seq);
    if (index.lastSeq < this.#lastSeq) return;
    this.#lastSeq = index.lastSeq;
    this.#lastTime = { lastSeconds: Number(index.lastNs / NS_PER_S), lastNanos: Number(index.lastNs % NS_PER_S) };
  }

  // Consumers

  #takeOfConsumer(name: string, file: string, bytes: Buffer): void {
    const consumer = this.#consumers.get(name) ?? { done: false };
    this.#consumers.set(name, consumer);
    if (file === "meta.inf") consumer.meta = bytes;
    else if (file === "meta.sum") consumer.sum = bytes.latin1Slice();
    else consumer.state = decodeState(bytes);
  }

  #finish(): void {
    if (this.#meta === undefined) throw new ArchiveError("missing stream metadata");
    this.sink.state({ firstSeq: this.#firstSeq, lastSeq: this.#lastSeq, ...this.#lastTime });
    for (const [directory, { meta, sum, state }] of this.#consumers) {
      if (meta === undefined) throw this.#unexpected();
      const { name = Buffer.from(directory, "latin1").toString("utf8") } = decode(meta, object({ name: text }));
      if (sum !== undefined && highwayHash64(keyOf(`${this.stream.name}/${name}`), meta).toString("hex") !== sum && highwayHash64(keyOf(name), meta).toString("hex") !== sum) {
        throw new ArchiveError("consumer metadata checksum mismatch");
      }
      this.sink.consumer(name, configOf(meta), state ?? EMPTY_STATE);
    }
    this.isComplete = true;
    this.sink.complete();
  }
}

const EMPTY_STATE: ArchivedConsumerState = { delivered: { consumer_seq: 0, stream_seq: 0 }, ack_floor: { consumer_seq: 0, stream_seq: 0 } };

/** The file holds the configuration among what its server knew of the consumer besides. */
function configOf(meta: Buffer): unknown {
  const config = decode(meta, record(anything));
  return Object.fromEntries(Object.entries(config).filter(([field]) => !NOT_CONFIGURED.has(field)));
}

const NOT_CONFIGURED: ReadonlySet<string> = new Set(["Created", "Name"]);

function keyOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function decode<T>(bytes: Buffer, shape: Shape<T>): T {
  try {
    return decodeJson(bytes.toString("utf8"), shape, false);
  } catch (error) {
    if (error instanceof JsonError) throw new ArchiveError(error.message);
    throw error;
  }
}

/** Positions in `o.dat`: variable-length numbers, relative to the ack floor. */
function decodeState(bytes: Buffer): ArchivedConsumerState {
  const numbers = new NumberReader(bytes, 2);
  const floor = { consumer_seq: numbers.uvarint(), stream_seq: numbers.uvarint() };
  const delivered = { consumer_seq: numbers.uvarint(), stream_seq: numbers.uvarint() };
  const pending: Record<string, { Sequence: number; Timestamp: number }> = {};
  const redelivered: Record<string, number> = {};
  let count = numbers.uvarint();
  if (count > 0) {
    const base = numbers.varint();
    for (; count > 0 && !numbers.ended; count--) {
      const seq = floor.stream_seq + numbers.uvarint();
      const Sequence = floor.consumer_seq + numbers.uvarint();
      pending[seq] = { Sequence, Timestamp: Number((base - numbers.varint()) * NS_PER_S) };
    }
  }
  for (count = numbers.uvarint(); count > 0 && !numbers.ended; count--) {
    const seq = floor.stream_seq + numbers.uvarint();
    redelivered[seq] = numbers.uvarint();
  }
  if (bytes[0] !== 22 || bytes[1] !== 2 || numbers.ended) throw new ArchiveError("malformed consumer state");
  return { delivered, ack_floor: floor, pending, redelivered };
}

/**
 * A stream comes back from an archive: chunks arrive as requests, are read in slices, and what they hold goes into a store that nobody sees until the archive
 * is complete. Each chunk is acknowledged when it was read, so a fast sender waits. Spec: streams, sections 10.2 to 10.4.
 */
import type { Timer } from "../../platform/index.ts";
import type { InternalSubscription } from "../../links/internal/index.ts";
import { encodeJson } from "../../protocol/index.ts";
import type { Message } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { formatDurationMs } from "../../util/duration.ts";
import { formatSize } from "../../util/size.ts";
import { timestamp } from "../../util/timestamp.ts";
import type { JetStreamAccount } from "../account.ts";
import { ApiError, apiError, type ApiErrorBody } from "../api/errors.ts";
import type { StreamConsumers } from "../seams.ts";
import { infoAfterChange, StagedStore, type Stream } from "../stream/index.ts";
import type { StreamConfig } from "../wire.ts";
import { ArchiveError } from "./error.ts";
import { ArchiveReader } from "./reader.ts";
import type { ArchivedConsumerState, ArchivedState, ArchiveSink } from "./sink.ts";

const STALL_MS = 5_000;
const SLICE_MS = 4;
const TELL_EVERY_MS = 2_000;
/** Bytes in the store that are not with the kernel yet. */
const UNWRITTEN_BYTES_MAX = 1 << 20;
const RESPONSE_TYPE = "io.nats.jetstream.api.v1.stream_create_response";

export interface RestorePlan {
  /** Normalised; wins over what the archive says. */
  readonly config: StreamConfig;
  /** Bytes as the request tells them; 0: unknown. */
  readonly expectedBytes: number;
  /** Who asked, for advisories. */
  readonly client: Readonly<Record<string, unknown>> | undefined;
  /** Checks again, at the end, whether there is a place for the stream. Throws `ApiError`. */
  readonly checkPlace: () => void;
  readonly onRestored: (stream: Stream) => void;
}

interface Chunk {
  readonly bytes: Buffer;
  readonly reply: string;
}

/** What is read goes to the staged store. */
class StagingSink implements ArchiveSink {
  private readonly consumers: { readonly name: string; readonly config: unknown; readonly state: ArchivedConsumerState }[] = [];
  #state: ArchivedState | undefined = undefined;

  constructor(
    private readonly staged: StagedStore,
    private readonly account: JetStreamAccount,
  ) {}

  state(state: ArchivedState): void {
    this.#state = state;
    this.#reach(state.firstSeq);
  }

  consumer(name: string, config: unknown, state: ArchivedConsumerState): void {
    this.consumers.push({ name, config, state });
  }

  message(seq: number, seconds: number, nanos: number, subject: string, bytes: Buffer, headerStart: number, bodyStart: number, end: number): void {
    const { staged, account } = this;
    const { store, config } = staged;
    if (seq <= store.state.lastSeq || staged.isExpired(bytes, headerStart, bodyStart, seconds)) return;
    const size = store.sizeOf(subject.length, bodyStart - headerStart, end - bodyStart);
    const refusal = account.storeRefusal(config.storage, store.state.bytes + size, config.num_replicas);
    if (refusal !== undefined) throw apiError(refusal);
    if (seq > store.state.lastSeq + 1) store.skip(seq - 1, seconds, nanos);
    store.append({
      subject,
      seconds,
      nanos,
      headerBytes: bytes,
      headerStart,
      headerEnd: bodyStart,
      bodyBytes: bytes,
      bodyStart,
      bodyEnd: end,
      marks: staged.marksOf(bytes, headerStart, bodyStart),
    });
  }

  removed(seq: number): void {
    this.staged.store.remove(seq, false);
  }

  /** What was removed at either end of the stream still counts as used. */
  complete(): void {
    const { store } = this.staged;
    if (this.#state === undefined) return;
    const { firstSeq, lastSeq, lastSeconds, lastNanos } = this.#state;
    if (lastSeq > store.state.lastSeq) store.skip(lastSeq, lastSeconds, lastNanos);
    if (firstSeq > store.state.firstSeq && store.state.messages > 0) store.compact(firstSeq);
  }

  /** Throws `ArchiveError`. */
  importConsumers(consumers: StreamConsumers): void {
    for (const { name, config, state } of this.consumers) {
      try {
        consumers.import(name, config, state);
      } catch (error) {
        throw new ArchiveError(`failed to add consumer ${JSON.stringify(name)}: ${reasonOf(error)}`);
      }
    }
  }

  #reach(firstSeq: number): void {
    const { store } = this.staged;
    if (store.state.messages === 0 && firstSeq > store.state.lastSeq + 1) store.skip(firstSeq - 1, 0, 0);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof ApiError) return `${error.body.description} (${error.body.err_code})`;
  return error instanceof Error ? error.message : String(error);
}

export class Restore {
  /** Where chunks are to be sent. */
  readonly deliverSubject: string;
  readonly #staged: StagedStore;
  readonly #sink: StagingSink;
  readonly #reader: ArchiveReader;
  readonly #startNs: bigint;
  readonly #startMs: number;
  readonly #title: string;
  #chunks: Chunk[] = [];
  /** The chunk that is being read; its sender waits for an answer. */
  #reading: Chunk | undefined = undefined;
  /** Reply of the request that said there is no more. */
  #endReply: string | undefined = undefined;
  #subscription: InternalSubscription | undefined = undefined;
  #stall: Timer | undefined = undefined;
  #scheduled = false;
  #isEnded = false;
  #saidMs: number;

  /** Throws when the files cannot be made. */
  constructor(
    private readonly account: JetStreamAccount,
    private readonly plan: RestorePlan,
  ) {
    const { context } = account;
    const { name } = plan.config;
    this.deliverSubject = `$JS.SNAPSHOT.RESTORE.${name}.${context.nuid()}`;
    this.#title = `'${account.name} > ${name}'`;
    this.#startNs = context.clock.nowNs();
    this.#startMs = this.#saidMs = context.clock.monotonicMs();
    this.#staged = new StagedStore(account, plan.config, this.#startNs);
    this.#sink = new StagingSink(this.#staged, account);
    this.#reader = new ArchiveReader(this.#sink, { name, account: account.name });
  }

  start(): void {
    const { account } = this;
    const { name } = this.plan.config;
    account.context.log.info(`Starting restore for stream ${this.#title}`);
    account.advise(`ADVISORY.STREAM.RESTORE_CREATE.${name}`, "restore_create", { stream: name, client: this.plan.client ?? {} });
    this.#subscription = account.link.subscribe(toByteString(this.deliverSubject), (message) => {
      this.#receive(message);
      return true;
    });
    this.#awaitChunk();
  }

  #awaitChunk(): void {
    this.#stall?.cancel();
    this.#stall = this.account.context.clock.after(STALL_MS, () => {
      this.account.context.log.warn(`restore for stream ${this.#title} is stalled`);
      this.#abort();
    });
  }

  #receive(message: Message): void {
    if (this.#isEnded || this.#endReply !== undefined) return;
    const reply = message.reply();
    const bytes = message.buffer.subarray(message.bodyStart + message.headerLength, message.bodyEnd);
    this.#stall?.cancel();
    if (bytes.length === 0) this.#endReply = reply;
    else if (reply === "") {
      this.account.context.log.warn(`restore for stream ${this.#title} requires reply subject for each chunk`);
      this.#abort();
      return;
    } else this.#chunks.push({ bytes: Buffer.from(bytes), reply });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#isEnded) return;
    this.#scheduled = true;
    this.account.context.atEndOfTurn(this);
  }

  /** One slice. */
  flush(): void {
    this.#scheduled = false;
    if (this.#isEnded) return;
    const { clock } = this.account.context;
    const untilMs = clock.monotonicMs() + SLICE_MS;
    try {
      while (clock.monotonicMs() < untilMs) if (!this.#step()) return;
      this.#write();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#tell(clock.monotonicMs());
    this.#schedule();
  }

  /** False when there is nothing to do for now. */
  #step(): boolean {
    if (this.#reader.step()) {
      if (this.#staged.store.uncommittedBytes > UNWRITTEN_BYTES_MAX) this.#write();
      return true;
    }
    this.#write();
    if (this.#reading !== undefined) this.account.link.publish(this.#reading.reply, "", "", "");
    this.#reading = this.#chunks.shift();
    if (this.#reading !== undefined) {
      this.#reader.push(this.#reading.bytes);
      return true;
    }
    if (this.#endReply === undefined) {
      this.#awaitChunk();
      return false;
    }
    this.#reader.end();
    void this.#complete(this.#endReply);
    return false;
  }

  #write(): void {
    this.#staged.store.flush();
    if (this.#staged.failure !== undefined) throw this.#staged.failure;
  }

  async #complete(reply: string): Promise<void> {
    this.#close();
    const { account, plan } = this;
    let isStaged = true;
    try {
      plan.checkPlace();
      isStaged = false;
      const stream = await this.#staged.complete((consumers) => this.#sink.importConsumers(consumers));
      plan.onRestored(stream);
      account.context.log.info(`Completed restore of ${formatSize(this.#reader.bytes)} for stream ${this.#title} in ${this.#elapsed()}`);
      this.#respond(reply, { ...infoAfterChange(stream, true) });
    } catch (error) {
      if (isStaged) this.#staged.abandon();
      this.#warn();
      this.#respond(reply, { error: this.#bodyOf(error) });
    }
    this.#advise();
  }

  /** Tells whoever waits for an answer. */
  #fail(error: unknown): void {
    if (this.#isEnded) return;
    const reply = this.#reading?.reply ?? this.#endReply ?? "";
    this.#abort();
    this.#respond(reply, { error: this.#bodyOf(error) });
  }

  #abort(): void {
    this.#close();
    this.#staged.abandon();
    this.#warn();
    this.#advise();
  }

  #close(): void {
    this.#isEnded = true;
    this.#stall?.cancel();
    this.#chunks = [];
    if (this.#subscription !== undefined) this.account.link.unsubscribe(this.#subscription);
  }

  #warn(): void {
    this.account.context.log.warn(`Restore failed for ${formatSize(this.#reader.bytes)} for stream ${this.#title} in ${this.#elapsed()}`);
  }

  #bodyOf(error: unknown): ApiErrorBody {
    if (error instanceof ApiError) return error.body;
    return apiError(10062, { err: reasonOf(error) }).body;
  }

  #respond(reply: string, body: Readonly<Record<string, unknown>>): void {
    if (reply !== "") this.account.link.publish(reply, "", "", toByteString(encodeJson({ type: RESPONSE_TYPE, ...body })));
  }

  #advise(): void {
    const { name } = this.plan.config;
    this.account.advise(`ADVISORY.STREAM.RESTORE_COMPLETE.${name}`, "restore_complete", {
      stream: name,
      start: timestamp(this.#startNs),
      end: timestamp(this.account.context.clock.nowNs()),
      bytes: this.#reader.bytes,
      client: this.plan.client ?? {},
    });
  }

  #elapsed(): string {
    return formatDurationMs(this.account.context.clock.monotonicMs() - this.#startMs);
  }

  #tell(nowMs: number): void {
    if (nowMs - this.#saidMs < TELL_EVERY_MS) return;
    this.#saidMs = nowMs;
    const { messages, bytes } = this.#staged.store.state;
    const { expectedBytes } = this.plan;
    const share = expectedBytes > 0 ? `${formatSize(bytes)} of ${formatSize(expectedBytes)}` : formatSize(bytes);
    const perSecond = Math.round(messages / ((nowMs - this.#startMs) / 1000));
    this.account.context.log.info(`Restore for stream ${this.#title}: ${messages} messages, ${share}, ${perSecond} per second`);
  }
}

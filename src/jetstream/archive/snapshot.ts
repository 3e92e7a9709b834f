/**
 * The backup of a stream: its archive is made while it is sent, in slices, and never ahead of what the receiver has acknowledged. Messages published
 * meanwhile are not part of it. Spec: streams, section 10.1.
 */
import type { Timer } from "../../platform/index.ts";
import type { InternalSubscription } from "../../links/internal/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { formatDurationMs } from "../../util/duration.ts";
import { formatSize } from "../../util/size.ts";
import { timestamp } from "../../util/timestamp.ts";
import type { JetStreamAccount } from "../account.ts";
import { StoredMessage } from "../store/index.ts";
import type { Stream } from "../stream/index.ts";
import type { StreamState } from "../wire.ts";
import { EntryWriter } from "./entries.ts";
import { S2Writer } from "./s2stream.ts";

const INTEREST_WAIT_MS = 2_000;
const INTEREST_POLL_MS = 20;
/** Clients may take answer and chunks from different queues: one that finds the backup complete before it has seen the answer gives up (the `nats` CLI does). */
const HEAD_START_MS = 25;
const STALL_MS = 5_000;
const SLICE_MS = 4;
const TELL_EVERY_MS = 2_000;
const ALL: readonly string[] = [];

export interface SnapshotPlan {
  /** Byte string. */
  readonly deliverSubject: string;
  readonly chunkBytes: number;
  /** Chunks that may be under way. */
  readonly window: number;
  readonly withConsumers: boolean;
  /** Only how the log calls it: everything that is read is verified. */
  readonly isCheck: boolean;
  /** Who asked, for advisories. */
  readonly client: Readonly<Record<string, unknown>> | undefined;
}

export class Snapshot {
  readonly #account: JetStreamAccount;
  readonly #title: string;
  readonly #startNs: bigint;
  readonly #startMs: number;
  readonly #lastSeq: number;
  readonly #view = new StoredMessage();
  readonly #frames: S2Writer;
  readonly #entries: EntryWriter;
  readonly #ackPrefix: string;
  #acks: InternalSubscription | undefined = undefined;
  #timer: Timer | undefined = undefined;
  /** Archive bytes that are not sent yet. */
  #parts: Uint8Array[] = [];
  #waiting = 0;
  #next = 1;
  #messages = 0;
  #isWritten = false;
  #isEnded = false;
  #scheduled = false;
  #sent = 0;
  #acknowledged = 0;
  #saidMs: number;

  /** `state` is what the answer to the request said. */
  constructor(
    private readonly stream: Stream,
    private readonly plan: SnapshotPlan,
    private readonly state: StreamState,
  ) {
    this.#account = stream.account;
    const { clock, nuid } = { clock: this.#account.context.clock, nuid: this.#account.context.nuid() };
    this.#title = `'${this.#account.name} > ${stream.name}'`;
    this.#startNs = clock.nowNs();
    this.#startMs = this.#saidMs = clock.monotonicMs();
    this.#lastSeq = state.last_seq;
    this.#ackPrefix = `$JS.SNAPSHOT.ACK.${toByteString(stream.name)}.${nuid}`;
    this.#frames = new S2Writer((part) => {
      this.#parts.push(part);
      this.#waiting += part.length;
    });
    this.#entries = new EntryWriter((bytes, start, end) => this.#frames.write(bytes, start, end));
    this.#writeHead();
  }

  /** Figures and consumers are those of the moment of the request. */
  #writeHead(): void {
    const { stream, state } = this;
    const consumers = this.plan.withConsumers ? stream.consumers.export() : [];
    this.#entries.json("state.json", this.#startNs, { ...state, consumer_count: consumers.length });
    for (const { name, config, state: positions } of consumers) this.#entries.consumer(name, this.#startNs, { config, state: positions });
  }

  start(): void {
    const { context, link } = this.#account;
    context.log.info(`Starting ${this.plan.isCheck ? "health check and " : ""}snapshot for stream ${this.#title}`);
    this.#account.advise(`ADVISORY.STREAM.SNAPSHOT_CREATE.${this.stream.name}`, "snapshot_create", { stream: this.stream.name, state: this.state, client: this.plan.client ?? {} });
    this.#acks = link.subscribe(`${this.#ackPrefix}.*.*`, () => {
      this.#acknowledged++;
      this.#awaitAcks();
      this.#schedule();
      return true;
    });
    const untilMs = context.clock.monotonicMs() + INTEREST_WAIT_MS;
    this.#timer = context.clock.after(HEAD_START_MS, () => this.#awaitInterest(untilMs));
  }

  #awaitInterest(untilMs: number): void {
    const { context, link } = this.#account;
    if (link.hasInterest(this.plan.deliverSubject)) {
      this.#timer = undefined;
      this.#schedule();
    } else if (context.clock.monotonicMs() >= untilMs) this.#fail("408 No Interest", "no interest");
    else this.#timer = context.clock.after(INTEREST_POLL_MS, () => this.#awaitInterest(untilMs));
  }

  /** Whoever takes chunks has so long to say so. */
  #awaitAcks(): void {
    this.#timer?.cancel();
    const isOwed = this.#sent > this.#acknowledged && !this.#isEnded;
    this.#timer = isOwed ? this.#account.context.clock.after(STALL_MS, () => this.#fail("408 No Flow Response", "no flow response")) : undefined;
  }

  #schedule(): void {
    if (this.#scheduled || this.#isEnded) return;
    this.#scheduled = true;
    this.#account.context.atEndOfTurn(this);
  }

  /** One slice. */
  flush(): void {
    this.#scheduled = false;
    if (this.#isEnded) return;
    const { clock } = this.#account.context;
    const untilMs = clock.monotonicMs() + SLICE_MS;
    if (this.stream.isClosed) return this.#fail("500 stream is gone", "stream is gone");
    while (clock.monotonicMs() < untilMs) {
      if (this.#sent - this.#acknowledged >= this.plan.window) return;
      if (this.#waiting >= this.plan.chunkBytes) {
        if (!this.#sendChunk()) return;
      } else if (this.#isWritten) return this.#finish();
      else this.#writeMore();
    }
    this.#tell(clock.monotonicMs());
    this.#schedule();
  }

  /** The next messages, up to about one frame. */
  #writeMore(): void {
    const view = this.#view;
    for (let bytes = 0; bytes < this.plan.chunkBytes && bytes < 65_536; ) {
      const seq = this.#next > this.#lastSeq ? 0 : this.stream.store.next(ALL, this.#next, view);
      if (seq === 0 || seq > this.#lastSeq) {
        this.#entries.end();
        this.#frames.end();
        this.#isWritten = true;
        return;
      }
      this.#entries.message(seq, view.seconds, view.nanos, view.subject, view.buffer, view.headerStart, view.bodyStart, view.end);
      this.#messages++;
      this.#next = seq + 1;
      bytes += view.end - view.headerStart + view.subject.length;
    }
  }

  /** False when nobody takes it. */
  #sendChunk(): boolean {
    const { chunkBytes, deliverSubject } = this.plan;
    const index = ++this.#sent;
    const chunk = this.#cut(chunkBytes);
    if (this.#account.link.publish(deliverSubject, `${this.#ackPrefix}.${chunkBytes}.${index}`, "", chunk) === 0) {
      this.#fail("408 No Interest", "no interest");
      return false;
    }
    if (this.#timer === undefined) this.#awaitAcks();
    return true;
  }

  #cut(length: number): Buffer {
    const all = Buffer.concat(this.#parts);
    const rest = all.subarray(length);
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#waiting = rest.length;
    return all.subarray(0, length);
  }

  #finish(): void {
    const { link, context } = this.#account;
    const { deliverSubject } = this.plan;
    if (this.#waiting > 0) link.publish(deliverSubject, "", "", this.#cut(this.#waiting));
    link.publish(deliverSubject, "", this.#sent > 0 ? "NATS/1.0 204\r\n\r\n" : "", "");
    context.log.info(`Completed snapshot of ${formatSize(this.state.bytes)} for stream ${this.#title} in ${this.#elapsed()}`);
    this.#end(undefined);
  }

  #fail(status: string, reason: string): void {
    const { link, context } = this.#account;
    link.publish(this.plan.deliverSubject, "", `NATS/1.0 ${status}\r\n\r\n`, "");
    context.log.warn(`Snapshot for stream ${this.#title} failed after ${this.#elapsed()}: ${reason}`);
    this.#end(reason);
  }

  #end(error: string | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#timer?.cancel();
    if (this.#acks !== undefined) this.#account.link.unsubscribe(this.#acks);
    this.#parts = [];
    const { name } = this.stream;
    this.#account.advise(`ADVISORY.STREAM.SNAPSHOT_COMPLETE.${name}`, "snapshot_complete", {
      stream: name,
      start: timestamp(this.#startNs),
      end: timestamp(this.#account.context.clock.nowNs()),
      client: this.plan.client ?? {},
      ...(error === undefined ? {} : { error }),
    });
  }

  #elapsed(): string {
    return formatDurationMs(this.#account.context.clock.monotonicMs() - this.#startMs);
  }

  #tell(nowMs: number): void {
    if (nowMs - this.#saidMs < TELL_EVERY_MS) return;
    this.#saidMs = nowMs;
    const perSecond = Math.round(this.#messages / ((nowMs - this.#startMs) / 1000));
    this.#account.context.log.info(
      `Snapshot for stream ${this.#title}: ${this.#messages} of ${this.state.messages} messages, ${perSecond} per second, to ${fromByteString(this.plan.deliverSubject)}`,
    );
  }
}

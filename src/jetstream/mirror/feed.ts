/**
 * One origin that fills a stream: a push consumer at the origin, made by a request like any client's, whose deliveries are checked for gaps and handed on. When
 * anything goes wrong (no answer, an error, a gap, silence, a message that cannot be stored) the consumer is given up and, some time later, another one is made from where
 * the copying stands. Mirrors and sources differ in where they start and in what they do with a message: that is `FeedSink`.
 *
 * Spec: streams, section 8.2. Nothing is published from within a delivery: requests are sent by timers, answers to flow control at the end of the turn.
 */
import type { Timer } from "../../platform/index.ts";
import type { InternalSubscription } from "../../links/internal/index.ts";
import type { Message } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import type { ApiErrorBody } from "../api/errors.ts";
import type { AssetAccount } from "../seams.ts";
import type { MessageStore } from "../store/index.ts";
import type { StreamSource } from "../wire.ts";
import { AckReply } from "./ackreply.ts";
import { type ConsumerAnswer, readAnswer } from "./answer.ts";
import { type FeedKind, LEVELS, makeRequest, makeReset, deleteSubject } from "./request.ts";

const CREATE_TIMEOUT_MS = 30_000;
const RESET_TIMEOUT_MS = 5_000;
const SILENCE_MS = 10_000;
/** Between two attempts. */
const ATTEMPT_MIN_MS = 2_000;
const BACKOFF_STEP_MS = 10_000;
const BACKOFF_MAX_MS = 120_000;
const JITTER_MIN_MS = 100;
const JITTER_MS = 100;
/** Until what flow control asks about is committed. */
const COMMIT_POLL_MS = 5;

const LEVEL_MISSING = 10185;
const BAD_JSON = 10025;
const OTHER_IDENTITY = 10225;

export interface FeedStart {
  readonly deliver_policy: "all" | "by_start_sequence" | "by_start_time";
  readonly opt_start_seq?: number;
  readonly opt_start_time?: string;
}

/** What a feed fills. */
export interface FeedSink {
  readonly kind: FeedKind;
  readonly source: StreamSource;
  readonly account: AssetAccount;
  readonly streamName: string;
  readonly store: MessageStore;
  /** Without what origins add to it. */
  readonly consumerName: string;
  /** Error when the origin's own consumer has another ack policy than `flow_control`. */
  readonly policyError: ApiErrorBody;
  /** Of the origin, as far as known; undefined when this sink does not care. */
  readonly identity: string | undefined;
  start(): FeedStart;
  /** The origin told its identity. */
  identified(identity: string): void;
  /** The origin is another stream than it was: begin anew. */
  forget(): void;
  /** A consumer was made that has delivered up to `seq`. */
  attached(seq: number): void;
  /** Stores a message of the origin; false when it cannot be now. */
  take(seq: number, seconds: number, nanos: number, subject: string, message: Message): boolean;
}

const reply = new AckReply();

export class Feed {
  /** Wall clock; undefined: never. */
  #contactMs: number | undefined = undefined;
  /** Messages at the origin that are still to come, as it last said. */
  lag = 0;
  error: ApiErrorBody | undefined = undefined;
  #failures = 0;
  #attemptMs = Number.NEGATIVE_INFINITY;
  #level = 0;
  #stopped = false;
  /** Byte string; empty while there is no consumer. */
  #consumer = "";
  /** Last name that an origin gave. */
  #lastConsumer = "";
  #consumerSeq = 0;
  #streamSeq = 0;
  #answerTo: InternalSubscription | undefined = undefined;
  #deliveries: InternalSubscription | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #silence: Timer | undefined = undefined;
  /** Reply subjects of flow control that wait for the end of the turn. */
  #flow: { readonly reply: string; readonly consumerSeq: number; readonly streamSeq: number; readonly localSeq: number }[] = [];
  #stalledReply = "";
  #flushing = false;

  constructor(private readonly sink: FeedSink) {}

  /** Nanoseconds since the origin was last heard of; -1: never. */
  get activeNs(): number {
    return this.#contactMs === undefined ? -1 : Math.max(0, Math.round((this.#clock.nowMs() - this.#contactMs) * 1e6));
  }

  get #clock(): AssetAccount["context"]["clock"] {
    return this.sink.account.context.clock;
  }

  /** Whether the origin was asked for anything yet. */
  get hasAsked(): boolean {
    return Number.isFinite(this.#attemptMs);
  }

  start(): void {
    this.#timer = this.#clock.after(this.#jitterMs(), () => this.#attempt());
    this.#silence = this.#clock.every(SILENCE_MS, () => this.#checkSilence());
  }

  /** `removed` also deletes the consumer at the origin, as far as it can be reached. */
  stop(removed: boolean): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#detach();
    this.#silence?.cancel();
    if (!removed || this.sink.source.consumer !== undefined) return;
    const { link } = this.sink.account;
    const name = this.#lastConsumer === "" ? toByteString(this.sink.consumerName) : this.#lastConsumer;
    link.publish(deleteSubject(this.sink.source, name), "", "", "");
  }

  #jitterMs(): number {
    return JITTER_MIN_MS + this.sink.account.context.random.fraction() * JITTER_MS;
  }

  #detach(): void {
    const { link } = this.sink.account;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#answerTo !== undefined) link.unsubscribe(this.#answerTo);
    if (this.#deliveries !== undefined) link.unsubscribe(this.#deliveries);
    this.#answerTo = undefined;
    this.#deliveries = undefined;
    this.#consumer = "";
    this.#flow.length = 0;
    this.#stalledReply = "";
  }

  /** Gives the consumer up and makes another one, not before some time has passed. */
  #retry(isFailure: boolean): void {
    if (this.#stopped) return;
    this.#detach();
    if (isFailure) this.#failures++;
    const sinceLast = this.#clock.monotonicMs() - this.#attemptMs;
    const waitMs = Math.max(0, ATTEMPT_MIN_MS - sinceLast) + Math.min(BACKOFF_MAX_MS, BACKOFF_STEP_MS * this.#failures) + this.#jitterMs();
    this.#timer = this.#clock.after(waitMs, () => this.#attempt());
  }

  #attempt(): void {
    const { sink } = this;
    this.#detach();
    this.#attemptMs = this.#clock.monotonicMs();
    const { context, link } = sink.account;
    const answerSubject = `$JSC.R.${context.nuid().slice(-8)}`;
    this.#answerTo = link.subscribe(answerSubject, (message) => {
      this.#answered(readAnswer(message));
      return true;
    });
    const isDurable = sink.source.consumer !== undefined;
    this.#timer = this.#clock.after(isDurable ? RESET_TIMEOUT_MS : CREATE_TIMEOUT_MS, () => this.#timedOut());
    const { subject, header, body } = (isDurable ? makeReset : makeRequest)(sink, LEVELS[sink.kind][this.#level]);
    link.publish(subject, answerSubject, header, body);
  }

  #timedOut(): void {
    this.#retry(true);
    const { consumer } = this.sink.source;
    if (consumer === undefined || this.#stopped) return;
    // The origin may be reachable for messages although its API is not: whatever comes shows that trying again is worth it.
    this.#deliveries = this.sink.account.link.subscribe(toByteString(consumer.deliver_subject), () => {
      this.#timer?.cancel();
      this.#timer = this.#clock.after(0, () => this.#attempt());
      return true;
    });
  }

  #answered(answer: ConsumerAnswer): void {
    const { sink } = this;
    const { link } = sink.account;
    if (this.#answerTo !== undefined) link.unsubscribe(this.#answerTo);
    this.#answerTo = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (answer.error !== undefined) return this.#refused(answer.error);
    const isDurable = sink.source.consumer !== undefined;
    if (isDurable && answer.ackPolicy !== "flow_control") {
      this.error = sink.policyError;
      return this.#retry(true);
    }
    this.error = undefined;
    this.#failures = 0;
    if (sink.identity !== undefined && answer.identity !== "") sink.identified(answer.identity);
    this.#consumer = this.#lastConsumer = toByteString(answer.name);
    this.#consumerSeq = 0;
    this.#streamSeq = answer.deliveredSeq;
    this.lag = answer.pending;
    this.#heard();
    sink.attached(answer.deliveredSeq);
    this.#deliveries = link.subscribe(toByteString(answer.deliverSubject), (message, subject) => {
      this.#receive(message, subject);
      return true;
    });
  }

  #refused(error: ApiErrorBody): void {
    const { sink } = this;
    if (error.err_code === OTHER_IDENTITY && sink.identity !== undefined) {
      sink.forget();
      return this.#retry(false);
    }
    if ((error.err_code === LEVEL_MISSING || error.err_code === BAD_JSON) && this.#level < LEVELS[sink.kind].length - 1) {
      this.#level++;
      return this.#retry(false);
    }
    this.error = error;
    this.#retry(true);
  }

  #heard(): void {
    this.#contactMs = this.#clock.nowMs();
  }

  #checkSilence(): void {
    // A request that is under way, or waits for its time, has limits of its own.
    if (this.#consumer === "" || this.#contactMs === undefined) return;
    if (this.#clock.nowMs() - this.#contactMs >= SILENCE_MS) this.#retry(false);
  }

  #receive(message: Message, subject: string): void {
    if (this.#consumer === "") return;
    this.#heard();
    if (reply.read(message)) {
      this.#take(message, subject);
      return;
    }
    if (message.headerLength > 0 && message.headerLength === message.size) this.#control(message);
  }

  #take(message: Message, subject: string): void {
    if (reply.deliveries > 1 || !reply.isFrom(this.#consumer, message.buffer)) return;
    if (reply.consumerSeq !== this.#consumerSeq + 1) return this.#retry(false);
    const { streamSeq, consumerSeq } = reply;
    this.lag = Math.max(0, reply.pending - 1);
    if (!this.sink.take(streamSeq, reply.seconds, reply.nanos, subject, message)) return this.#retry(false);
    this.#consumerSeq = consumerSeq;
    this.#streamSeq = streamSeq;
  }

  #control(message: Message): void {
    const block = message.buffer.latin1Slice(message.bodyStart, message.bodyEnd);
    if (!block.startsWith("NATS/1.0 100")) return;
    const to = message.reply();
    if (to !== "") {
      this.#flow.push({ reply: to, consumerSeq: this.#consumerSeq, streamSeq: this.#streamSeq, localSeq: this.sink.store.state.lastSeq });
      this.#flushSoon();
      return;
    }
    const last = Number(headerValue(block, "Nats-Last-Consumer"));
    if (last > 0 && last !== this.#consumerSeq) return this.#retry(false);
    this.#stalledReply = headerValue(block, "Nats-Consumer-Stalled");
    if (this.#stalledReply !== "") this.#flushSoon();
  }

  // Flow control

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.sink.account.context.atEndOfTurn(this);
  }

  /** End of turn: the origin hears how far messages are safe here. */
  flush(): void {
    this.#flushing = false;
    const { link } = this.sink.account;
    if (this.#stalledReply !== "") link.publish(this.#stalledReply, "", "", "");
    this.#stalledReply = "";
    const { committedSeq } = this.sink.store;
    for (let next = this.#flow[0]; next !== undefined; next = this.#flow[0]) {
      if (next.localSeq > committedSeq) {
        this.#clock.after(COMMIT_POLL_MS, () => {
          if (this.#flow.length > 0) this.#flushSoon();
        });
        return;
      }
      this.#flow.shift();
      link.publish(next.reply, "", `NATS/1.0\r\nNats-Last-Consumer: ${next.consumerSeq}\r\nNats-Last-Stream: ${next.streamSeq}\r\n\r\n`, "");
    }
  }
}

/** Of a header block; empty when it is not there. */
export function headerValue(block: string, name: string): string {
  const at = block.indexOf(`\r\n${name}:`);
  if (at < 0) return "";
  const start = at + name.length + 3;
  return block.slice(start, block.indexOf("\r\n", start)).trim();
}

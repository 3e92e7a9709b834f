/**
 * Direct gets: reads that answer with messages instead of JSON, also in batches. Requests are gathered and answered at the end of the turn, after what was
 * published before them; long answers in slices. Spec: streams, section 3.
 */
import type { InternalSubscription } from "../../links/internal/index.ts";
import type { Timer } from "../../platform/index.ts";
import type { Message, SubjectEntry } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { isLevelMet } from "../api/dispatch.ts";
import { type Sliced, startInSlices } from "../slices.ts";
import { StoredMessage } from "../store/index.ts";
import { type BatchPlan, type DirectRequest, planBatch, readRequest, selectMessage, statusOf } from "./directrequest.ts";
import { timeOf } from "./republish.ts";
import type { Stream } from "./stream.ts";
import { whileOpen } from "./whileopen.ts";

const PREFIX = "$JS.API.DIRECT.GET.";
/** Reads are shared out among the servers of a cluster; this server is one of them. */
const QUEUE = "_sys_";
const SLICE_MS = 4;
/** A mirror with so many messages to come is close enough to speak for its origin. */
const MIRROR_LAG_MAX = 10;
const MIRROR_CHECK_MS = 250;
const view = new StoredMessage();

interface Waiting {
  readonly reply: string;
  readonly header: string;
  readonly body: string;
  /** What follows the stream's name in the request's subject; empty: nothing does. Byte string. */
  readonly subject: string;
}

/** A batch that is being answered. */
interface Running {
  readonly plan: BatchPlan;
  readonly to: SubjectEntry;
  sent: number;
  bytes: number;
  pending: number;
  lastSeq: number;
}

export class DirectReader {
  readonly #stream: Stream;
  #subscriptions: InternalSubscription[] = [];
  #waitsForOrigin: Timer | undefined = undefined;
  #waiting: Waiting[] = [];
  readonly #running: Running[] = [];

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** Answers, or not, as the configuration says. */
  configure(): void {
    const { config, nameBytes } = this.#stream;
    this.close();
    if (config.allow_direct) this.#subscribe(nameBytes);
    if (config.mirror !== undefined && config.mirror_direct) this.#awaitOrigin(toByteString(config.mirror.name));
  }

  /** A mirror that is close enough to its origin answers for it too, from then on. */
  #awaitOrigin(origin: string): void {
    const mirror = this.#stream.replenisher?.mirrorInfo();
    if (mirror !== undefined && mirror.active >= 0 && mirror.lag <= MIRROR_LAG_MAX) return this.#subscribe(origin);
    this.#waitsForOrigin = this.#stream.account.context.clock.after(MIRROR_CHECK_MS, () => {
      this.#waitsForOrigin = undefined;
      this.#awaitOrigin(origin);
    });
  }

  /** The mirror took a message: it may have caught up. */
  mirrored(): void {
    const { mirror } = this.#stream.config;
    if (this.#waitsForOrigin === undefined || mirror === undefined) return;
    this.#waitsForOrigin.cancel();
    this.#waitsForOrigin = undefined;
    this.#awaitOrigin(toByteString(mirror.name));
  }

  #subscribe(name: string): void {
    const { link } = this.#stream.account;
    const subject = `${PREFIX}${name}`;
    this.#subscriptions.push(
      link.subscribe(subject, (message) => this.#receive(message, ""), QUEUE),
      link.subscribe(`${subject}.>`, (message, published) => this.#receive(message, published.slice(subject.length + 1)), QUEUE),
    );
  }

  close(): void {
    for (const subscription of this.#subscriptions) this.#stream.account.link.unsubscribe(subscription);
    this.#subscriptions = [];
    this.#waitsForOrigin?.cancel();
    this.#waitsForOrigin = undefined;
  }

  stop(): void {
    this.close();
    this.#waiting = [];
    this.#running.length = 0;
  }

  #receive(message: Message, subject: string): boolean {
    const { buffer, bodyStart, bodyEnd, headerLength } = message;
    const reply = message.reply();
    if (reply === "") return true;
    const payload = bodyStart + headerLength;
    this.#waiting.push({ reply, subject, header: headerLength === 0 ? "" : buffer.latin1Slice(bodyStart, payload), body: buffer.toString("utf8", payload, bodyEnd) });
    this.#stream.touch();
    return true;
  }

  /** Answers what came in; called at the end of the turn. */
  answer(): void {
    if (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const request of waiting) this.#handle(request);
    }
    if (this.#running.length === 0) return;
    this.#goOn();
    if (this.#running.length > 0) this.#stream.touch();
  }

  #handle({ reply, header, body, subject }: Waiting): void {
    const { link } = this.#stream.account;
    const refuse = (status: string): void => void link.publish(reply, "", `NATS/1.0 ${status}\r\n\r\n`, "");
    if (header !== "" && !isLevelMet(header)) return refuse("412 Required Api Level");
    const request = readRequest(body, subject);
    if (typeof request === "string") return refuse(request);
    const to = link.account.interest.findReplySubject(reply);
    const stream = this.#stream;
    if (request.batch === 0 && request.multiLast.length === 0) {
      const answer = (seq: number): void => (seq === 0 ? refuse("404 Message Not Found") : this.#send(to, request, seq, ""));
      const found = selectMessage(stream, request, view);
      if (typeof found === "number") return answer(found);
      return this.#whenFound(found, (seq, isLater) => answer(!isLater || stream.store.load(seq, view) ? seq : 0));
    }
    this.#whenFound(planBatch(stream, request), (plan) => {
      if (typeof plan === "string") return refuse(plan);
      this.#running.push({ plan, to, sent: 0, bytes: 0, pending: plan.pending, lastSeq: 0 });
      stream.touch();
    });
  }

  /** Goes on with what is found in steps: at once, or later, unless the stream is closed by then. */
  #whenFound<T>(work: Sliced<T>, goOn: (found: T, isLater: boolean) => void): void {
    const stream = this.#stream;
    const found = startInSlices(stream.account.context, whileOpen(stream, work));
    if (!(found instanceof Promise)) return goOn(found, false);
    void found.then(
      (found) => {
        if (!stream.isClosed) goOn(found, true);
      },
      (error: unknown) => {
        if (!stream.isClosed) throw error;
      },
    );
  }

  /** Sends what is in `view`. */
  #send(to: SubjectEntry, { noHeaders, multiLast }: DirectRequest, seq: number, added: string): void {
    const stream = this.#stream;
    const bare = noHeaders && multiLast.length === 0;
    const own = bare ? "" : `Nats-Stream: ${stream.nameBytes}\r\nNats-Subject: ${view.subject}\r\nNats-Sequence: ${seq}\r\nNats-Time-Stamp: ${timeOf(view)}\r\n${added}`;
    stream.account.link.forward(to, to.subject, "", own, view.buffer, bare ? view.bodyStart : view.headerStart, view.bodyStart, view.end);
  }

  #goOn(): void {
    const { clock } = this.#stream.account.context;
    const until = clock.monotonicMs() + SLICE_MS;
    // In turns, so that a long answer does not hold up a short one.
    while (this.#running.length > 0) {
      for (let i = this.#running.length - 1; i >= 0; i--) if (!this.#step(this.#running[i])) this.#running.splice(i, 1);
      if (clock.monotonicMs() > until) return;
    }
  }

  /** Sends one message of a batch, or its end; false when it is over. */
  #step(running: Running): boolean {
    const { plan, to } = running;
    const isFull = running.sent >= plan.batch || running.bytes >= plan.maxBytes;
    const seq = isFull ? 0 : plan.next(running.lastSeq, view);
    if (seq === 0) {
      this.#end(running);
      return false;
    }
    running.pending--;
    const added = `Nats-Num-Pending: ${running.pending}\r\nNats-Last-Sequence: ${running.lastSeq}\r\n`;
    this.#send(to, plan.request, seq, added);
    running.sent++;
    running.bytes += view.subject.length + view.end - view.headerStart;
    running.lastSeq = seq;
    return true;
  }

  #end({ plan, to, pending, lastSeq }: Running): void {
    const upTo = plan.upTo === undefined ? "" : `Nats-UpTo-Sequence: ${plan.upTo}\r\n`;
    const left = Math.max(0, plan.pendingAfter(lastSeq) ?? pending);
    this.#stream.account.link.publish(to.subject, "", statusOf(`204 EOB\r\nNats-Num-Pending: ${left}\r\nNats-Last-Sequence: ${lastSeq}\r\n${upTo}`), "");
  }
}

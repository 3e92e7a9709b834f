/**
 * A peer inside the server: JetStream, later the system services. It subscribes and publishes in one account like a client, without a wire. The core knows
 * nothing of who stands behind it.
 *
 * A message is handed to the handler as the reusable view of whoever published it: it is valid during the call only. A handler says whether it took the
 * message; when nobody did, the publisher hears of no responders as if there were no subscription.
 */
import type { Account } from "../../accounts/index.ts";
import { Delivery, distribute, type MatchResult, Message, type SeenSubject, type SubjectEntry, type Subscriber, Subscription } from "../../routing/index.ts";
import { copyBytes, putByteString, putDecimal } from "../../util/bytes.ts";

/** `subject` is what was delivered, after mappings; `origin` the publisher, undefined when that is the server. All strings are byte strings. */
export type InternalHandler = (message: Message, subject: string, origin: Subscriber | undefined) => boolean;

export class InternalSubscription extends Subscription {
  constructor(
    owner: Subscriber,
    subject: string,
    queue: string,
    sid: string,
    readonly handler: InternalHandler,
    private readonly isTelling = false,
  ) {
    super(owner, subject, queue, sid);
  }

  override get tellsTraces(): boolean {
    return this.isTelling;
  }
}

/** Where a message is put together while it is delivered; one per nesting of publications. */
interface Scratch {
  readonly message: Message;
  buffer: Buffer;
  /** The first bytes of `buffer`, where the subject is, by length. */
  readonly heads: (Buffer | undefined)[];
  readonly seen: { subject: string; bytes: Buffer };
}

/** Larger messages get a buffer of their own, so that one of them does not stay in memory for ever. */
const SCRATCH_BYTES_MAX = 256 * 1024;
const EMPTY = Buffer.alloc(0);

export class InternalLink implements Subscriber {
  #lastSid = 0;
  readonly #subscriptions = new Set<InternalSubscription>();
  #depth = 0;
  readonly #scratch: Scratch[] = [];

  constructor(
    readonly account: Account,
    /** How trace events name this kind of peer: 5 is JetStream. */
    private readonly kind: number,
    private readonly name: string,
  ) {}

  /** `subject` and `queue` are valid byte strings. */
  subscribe(subject: string, handler: InternalHandler, queue = ""): InternalSubscription {
    const subscription = new InternalSubscription(this, subject, queue, String(++this.#lastSid), handler);
    this.#subscriptions.add(subscription);
    this.account.interest.insert(subscription);
    return subscription;
  }

  /** As `subscribe`, for a handler that looks at `Message.trace`: it tells of the message there, and does nothing with one that is only to be looked at. */
  subscribeTelling(subject: string, handler: InternalHandler): InternalSubscription {
    const subscription = new InternalSubscription(this, subject, "", String(++this.#lastSid), handler, true);
    this.#subscriptions.add(subscription);
    this.account.interest.insert(subscription);
    return subscription;
  }

  unsubscribe(subscription: InternalSubscription): void {
    if (subscription.closed) return;
    subscription.closed = true;
    this.#subscriptions.delete(subscription);
    this.account.interest.remove(subscription);
  }

  /** Ends all subscriptions. */
  close(): void {
    for (const subscription of this.#subscriptions) this.unsubscribe(subscription);
  }

  /** Whether anybody takes what is published there. */
  hasInterest(subject: string): boolean {
    return hasTakers(this.account.interest.findSubject(subject));
  }

  deliver(subscription: Subscription, message: Message, { subject }: SeenSubject, origin: Subscriber | undefined): Delivery {
    if (subscription.closed || !(subscription instanceof InternalSubscription)) return Delivery.SubscriptionClosed;
    if (!subscription.handler(message, subject, origin)) return Delivery.Denied;
    subscription.delivered++;
    return Delivery.Delivered;
  }

  judge(subscription: Subscription): Delivery {
    return subscription.closed ? Delivery.SubscriptionClosed : Delivery.Delivered;
  }

  describe(): { readonly kind: number; readonly cid: number; readonly name?: string } {
    return { kind: this.kind, cid: 0, name: this.name };
  }

  /**
   * Publishes a message of the server's own; returns how many took it. Byte strings; `header` is a whole header block or empty. An empty reply is none.
   */
  publish(subject: string, reply: string, header: string, payload: string | Uint8Array): number {
    const result = this.account.interest.matchReply(subject);
    if (result.plain.length === 0 && result.queues.length === 0) return 0;
    const text = typeof payload === "string";
    const scratch = this.#begin(subject, reply, header.length, payload.length);
    let at = putByteString(header, scratch.buffer, scratch.message.bodyStart);
    if (text) at = putByteString(payload, scratch.buffer, at);
    else {
      scratch.buffer.set(payload, at);
      at += payload.length;
    }
    return this.#end(scratch, result, subject, at);
  }

  /**
   * Publishes bytes to the takers of `to`, who see it as a message on `subject`: how a stored message travels to a deliver subject or an inbox. The bytes are
   * header blocks and payload as ranges, with `extraHeader` (whole lines, each ending in CR LF) added to the end of the header block.
   */
  forward(to: Pick<SubjectEntry, "result" | "subject">, subject: string, reply: string, extraHeader: string, buffer: Buffer, headerStart: number, bodyStart: number, end: number): number {
    if (!hasTakers(to)) return 0;
    const stored = bodyStart - headerStart;
    const headerLength = extraHeader === "" ? stored : stored === 0 ? EMPTY_BLOCK_LENGTH + extraHeader.length : stored + extraHeader.length;
    const scratch = this.#begin(subject, reply, headerLength, end - bodyStart);
    if (to.subject !== subject) scratch.message.sentTo = to.subject;
    const target = scratch.buffer;
    let at = scratch.message.bodyStart;
    if (extraHeader === "") at = copyBytes(buffer, headerStart, end, target, at);
    else {
      at = stored === 0 ? putByteString("NATS/1.0\r\n", target, at) : copyBytes(buffer, headerStart, bodyStart - 2, target, at);
      at = putByteString(extraHeader, target, at);
      at = putByteString("\r\n", target, at);
      at = copyBytes(buffer, bodyStart, end, target, at);
    }
    return this.#end(scratch, to.result, subject, at);
  }

  /** Lays out `<subject> [reply] <sizes>` CR LF, the wire form that links copy from, and leaves room for the body. */
  #begin(subject: string, reply: string, headerLength: number, payloadLength: number): Scratch {
    const size = headerLength + payloadLength;
    const needed = subject.length + reply.length + size + 40;
    const scratch = this.#take(needed);
    const { message, buffer } = scratch;
    message.sentTo = "";
    message.subjectStart = 0;
    let at = (message.subjectEnd = message.tailStart = putByteString(subject, buffer, 0));
    buffer[at++] = BLANK;
    message.replyStart = at;
    if (reply !== "") {
      at = message.replyEnd = putByteString(reply, buffer, at);
      buffer[at++] = BLANK;
    } else message.replyEnd = at;
    message.sizesStart = at;
    if (headerLength > 0) {
      at = putDecimal(headerLength, buffer, at);
      buffer[at++] = BLANK;
    }
    at = putDecimal(size, buffer, at);
    message.sizesEnd = at;
    buffer[at++] = CR;
    buffer[at++] = LF;
    message.bodyStart = at;
    message.headerLength = headerLength;
    return scratch;
  }

  #end(scratch: Scratch, result: MatchResult, subject: string, bodyEnd: number): number {
    const { message, buffer, seen } = scratch;
    buffer[bodyEnd] = CR;
    buffer[bodyEnd + 1] = LF;
    message.bodyEnd = bodyEnd;
    message.buffer = buffer;
    this.#depth++;
    try {
      seen.subject = subject;
      seen.bytes = headOf(scratch, subject.length);
      return distribute(result, message, seen, undefined);
    } finally {
      this.#depth--;
    }
  }

  #take(needed: number): Scratch {
    const depth = this.#depth;
    if (needed > SCRATCH_BYTES_MAX) return { message: new Message(), buffer: Buffer.allocUnsafe(needed), heads: [], seen: { subject: "", bytes: EMPTY } };
    const scratch = (this.#scratch[depth] ??= { message: new Message(), buffer: EMPTY, heads: [], seen: { subject: "", bytes: EMPTY } });
    if (scratch.buffer.length < needed) {
      scratch.buffer = Buffer.allocUnsafeSlow(Math.min(SCRATCH_BYTES_MAX, Math.max(4096, needed * 2)));
      scratch.heads.length = 0;
    }
    return scratch;
  }
}

function headOf(scratch: Scratch, length: number): Buffer {
  if (length > HEADS_MAX) return scratch.buffer.subarray(0, length);
  return (scratch.heads[length] ??= scratch.buffer.subarray(0, length));
}

/** Longer subjects are rare: they get a view of their own each time. */
const HEADS_MAX = 256;
const BLANK = 32;
const CR = 13;
const LF = 10;
/** `NATS/1.0` CR LF, and the CR LF that ends a block. */
const EMPTY_BLOCK_LENGTH = 12;

export function hasTakers(entry: Pick<SubjectEntry, "result">): boolean {
  return entry.result.plain.length > 0 || entry.result.queues.length > 0;
}

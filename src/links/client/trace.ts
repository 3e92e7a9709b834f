/**
 * Message tracing: a message with a trace header is followed through this server, and what happened to it is published as one JSON event. With
 * `Nats-Trace-Only` it is followed without being delivered. Spec: client protocol, section 16.
 *
 * Nothing of this costs an untraced message more than a look at the beginning of its header lines (`findTraceRequest`).
 */
import type { Account } from "../../accounts/index.ts";
import { encodeJson, parseHeaders, setHeader } from "../../protocol/index.ts";
import { Delivery, distribute, isValidLiteralSubject, type MatchResult, type Message, type MessageTrace, type SeenSubject, type SubjectEntry, type Subscriber, type Subscription } from "../../routing/index.ts";
import { nodeZlib } from "../../util/builtin.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { goQuote } from "../../util/quote.ts";
import { snappyFrame } from "../../util/snappyframe.ts";
import { timestamp } from "../../util/timestamp.ts";
import type { ClientLink } from "./client.ts";
import { internalMessage } from "./noresponders.ts";

const TRACE_DISABLED = "trace disabled";
const DESTINATION = "Nats-Trace-Dest";

/** Why a delivery did not happen, in the words of the event. */
const EGRESS_ERRORS: Readonly<Record<Delivery, string>> = {
  [Delivery.Delivered]: "",
  [Delivery.NoEcho]: "Not delivered because of no echo",
  [Delivery.SubscriptionClosed]: "Not delivered because subscription is closed",
  [Delivery.SubscriberClosed]: "Not delivered because client is closed",
  [Delivery.MaxExceeded]: "Not delivered because auto-unsubscribe exceeded",
  [Delivery.Denied]: "Not delivered because subscription denies this subject",
  [Delivery.StalledConsumer]: "Not delivered because fast producer not stalled and consumer is slow",
};

/** What the header says: `ordinary` messages are not traced, `refused` ones go no further. */
export type TraceVerdict = { readonly kind: "ordinary" } | { readonly kind: "refused"; readonly destination: string } | { readonly kind: "dropped" } | { readonly kind: "replaced"; readonly message: Message } | { readonly kind: "traced"; readonly tracer: MessageTracer };

const ORDINARY: TraceVerdict = { kind: "ordinary" };
const DROPPED: TraceVerdict = { kind: "dropped" };

/** Whether some header line begins like one that concerns tracing. Hot for messages with headers: no allocation. */
export function mayBeTraced(message: Message, account: Account): boolean {
  const buffer = message.buffer;
  const end = message.bodyStart + message.headerLength;
  const external = account.traceDestination !== "";
  // Lines begin after a line feed; 10 bytes are enough to tell `Nats-Trace` from every other key.
  for (let at = message.bodyStart + 8; at + 11 < end; at++) {
    if (buffer[at] !== 10) continue;
    const first = buffer[at + 1];
    if (first === 78 && buffer[at + 5] === 45 && buffer[at + 6] === 84 && buffer[at + 7] === 114 && buffer[at + 8] === 97) return true;
    if (external && (first | 32) === 116 && (buffer[at + 6] | 32) === 112 && (buffer[at + 11] | 32) === 116) return true;
  }
  return false;
}

/** Decides what becomes of a message that `mayBeTraced`. */
export function judgeTrace(link: ClientLink, message: Message): TraceVerdict {
  const block = message.buffer.latin1Slice(message.bodyStart, message.bodyStart + message.headerLength);
  const headers = parseHeaders(block);
  const first = (key: string): string => headers.get(key)?.[0] ?? "";
  let destination = first(DESTINATION);
  if (destination === TRACE_DISABLED) return ORDINARY;
  const only = destination !== "" && /^(?:1|true|on)$/i.test(first("Nats-Trace-Only"));
  const external = destination === "" && isTriggered(headers);
  if (external) {
    destination = toByteString(link.account.traceDestination);
    if (destination === "") return ORDINARY;
    if (link.host.random.integer(100) >= link.account.traceSampling) return { kind: "replaced", message: withDisabledTrace(message, block) };
  }
  if (destination === "") return ORDINARY;
  if (headers.has("Nats-Trace-Origin-Account")) return only ? DROPPED : { kind: "replaced", message: withDisabledTrace(message, block) };
  if (!isValidLiteralSubject(destination)) return only ? DROPPED : ORDINARY;
  const reserved = destination.startsWith("_GR_.") || (destination.startsWith("$NRG.") && !link.account.isSystem);
  if (!external && (reserved || link.permissions?.canPublish(destination) === false)) return { kind: "refused", destination };
  return { kind: "traced", tracer: new MessageTracer(link, message, headers, destination, only) };
}

/** `traceparent: vv-trace-span-FF` whose last field has its lowest bit set. */
function isTriggered(headers: ReadonlyMap<string, readonly string[]>): boolean {
  for (const [key, values] of headers) {
    if (key.toLowerCase() !== "traceparent") continue;
    const fields = values[0].split("-");
    return fields.length === 4 && /^[0-9a-fA-F]{2}$/.test(fields[3]) && (Number.parseInt(fields[3], 16) & 1) === 1;
  }
  return false;
}

/** The same message, marked so that servers further on leave it alone. */
function withDisabledTrace(message: Message, block: string): Message {
  const payload = message.buffer.latin1Slice(message.bodyStart + message.headerLength, message.bodyEnd);
  const subject = message.buffer.latin1Slice(message.subjectStart, message.subjectEnd);
  return internalMessage(subject, message.reply() || undefined, setHeader(block, DESTINATION, TRACE_DISABLED), payload);
}

/** Follows one message. Events are kept in order; `finish` publishes them. */
export class MessageTracer implements MessageTrace {
  readonly #events: Record<string, unknown>[] = [];
  readonly #size: number;
  #isWithheld = false;

  constructor(
    private readonly link: ClientLink,
    message: Message,
    private readonly headers: ReadonlyMap<string, readonly string[]>,
    private readonly destination: string,
    /** Only look, do not deliver. */
    readonly only: boolean,
  ) {
    this.#size = message.size;
    const subject = message.buffer.latin1Slice(message.subjectStart, message.subjectEnd);
    this.#add("in", { kind: 0, cid: link.id, ...(link.connect.name === "" ? {} : { name: link.connect.name }), acc: link.account.name, subj: fromByteString(subject) });
  }

  mapped(subject: string): void {
    this.#add("sm", { to: fromByteString(subject) });
  }

  /** The publish was refused with this error. */
  refused(error: string): void {
    const ingress = this.#events[0];
    if (ingress !== undefined) ingress.error = error;
    this.finish();
  }

  /** Delivers (or only asks everybody whether they would take) the message as published; returns how many took it. */
  follow(entry: SubjectEntry, message: Message): number {
    message.trace = this;
    try {
      return this.distribute(entry.result, message, entry, this.link, this.link.account.name);
    } finally {
      message.trace = undefined;
    }
  }

  distribute(result: MatchResult, message: Message, seen: SeenSubject, origin: Subscriber | undefined, account: string): number {
    let taken = 0;
    const offer = (subscription: Subscription): boolean => {
      const delivery = this.offer(subscription, subscription, message, seen, origin, account);
      if (delivery === Delivery.Delivered) taken++;
      return delivery === Delivery.Delivered;
    };
    result.plain.forEach(offer);
    for (const members of result.queues) {
      const first = this.link.host.random.integer(members.length);
      for (let i = 0; i < members.length && !offer(members[(first + i) % members.length]); i++);
    }
    return taken;
  }

  offer(taker: Subscription, shown: Subscription, message: Message, seen: SeenSubject, origin: Subscriber | undefined, account: string): Delivery {
    const { owner } = taker;
    if (owner.isExchange === true || taker.tellsTraces) return owner.deliver(taker, message, seen, origin);
    const delivery = this.only ? owner.judge(taker, seen.subject, origin) : owner.deliver(taker, message, seen, origin);
    this.#egress(shown, delivery, account);
    return delivery;
  }

  streamed(importer: string, to: string): void {
    this.#add("se", { acc: importer, to: fromByteString(to) });
  }

  served(account: string, from: string, to: string): void {
    this.#add("si", { acc: account, from: fromByteString(from), to: fromByteString(to) });
  }

  /** Publishes the event to the trace destination in the publisher's account. */
  finish(): void {
    if (this.#isWithheld) return;
    const request = { header: Object.fromEntries([...this.headers].map(([key, values]) => [fromByteString(key), values.filter((value) => value !== "").map(fromByteString)]).filter(([, values]) => values.length > 0).sort(([a], [b]) => (a < b ? -1 : 1))), msgsize: this.#size };
    const json = encodeJson({ server: this.link.host.serverBlock(), request, events: this.#events });
    const { header, payload } = encoded(Buffer.from(json, "utf8"), this.headers.get("Accept-Encoding")?.[0] ?? "");
    const event = internalMessage(this.destination, "", header, payload.latin1Slice());
    const entry = this.link.account.interest.findSubject(this.destination);
    distribute(entry.result, event, entry, undefined);
  }

  stored(stream: string, outcome: { readonly subject?: string; readonly nointerest?: true; readonly error?: string }): void {
    this.#add("js", { stream, ...outcome });
  }

  withhold(): void {
    this.#isWithheld = true;
  }

  #egress(subscription: Subscription, delivery: Delivery, account: string): void {
    const error = EGRESS_ERRORS[delivery];
    const owner = subscription.owner.describe();
    this.#add("eg", { ...owner, ...(account === this.link.account.name ? {} : { acc: account }), sub: fromByteString(subscription.subject), ...(subscription.queue === "" ? {} : { queue: fromByteString(subscription.queue) }), ...(error === "" ? {} : { error }) });
  }

  #add(type: string, fields: Record<string, unknown>): void {
    this.#events.push({ type, ts: timestamp(this.link.host.clock.nowNs()), ...fields });
  }
}

/** The event in the encoding that was asked for. */
function encoded(json: Buffer, accepted: string): { readonly header: string; readonly payload: Buffer } {
  const wanted = accepted.toLowerCase();
  if (wanted.includes("snappy") || wanted.includes("s2")) return { header: contentEncoding("snappy"), payload: snappyFrame(json) };
  if (wanted.includes("gzip")) return { header: contentEncoding("gzip"), payload: nodeZlib().gzipSync(json) };
  return { header: "", payload: json };
}

function contentEncoding(name: string): string {
  return `NATS/1.0\r\nContent-Encoding: ${name}\r\n\r\n`;
}

/** The error of a publish to a trace destination that is not allowed. */
export function destinationViolation(destination: string): string {
  return `Permissions Violation for Publish to ${goQuote(fromByteString(destination))}`;
}

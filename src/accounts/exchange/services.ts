/**
 * A service import: a subscription of the importing account that carries each request over to the exporting one, under the exporter's subject, with a reply
 * subject of the exporter's and a header that says who asks. It has taken a request when somebody over there has, so that a requester hears of no responders
 * as if the service were in its own account. Spec: accounts, section 5.2.
 */
import type { ImportRoute } from "../../config/index.ts";
import { encodeJson, parseHeaders } from "../../protocol/index.ts";
import { Delivery, type Message, type SeenSubject, type Subscriber, Subscription } from "../../routing/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import type { Account } from "../account.ts";
import { Crossing, handOn, type SetHeader, TRACE_DESTINATION, TRACE_DISABLED } from "./crossing.ts";
import type { LatencyMeter } from "./latency.ts";
import { ACCOUNT_KIND, type Responses, type ResponseRule } from "./responses.ts";
import type { Waiting } from "./waiting.ts";

const REQUEST_INFO = "Nats-Request-Info";
/** Local subjects whose exporter's subject is remembered. */
const TARGETS_MAX = 4096;
/** How old the round trip may be that a service is told. */
const BRIEF_MS = 1000;

/** What a service is told of a requester, as headers and as a block of its own. Byte strings. */
interface Brief {
  readonly headers: readonly SetHeader[];
  readonly block: string;
  /** Monotonic milliseconds. */
  readonly madeMs: number;
}

export interface ServiceDoors {
  /** Name of this server, as client details tell it. */
  serverName(): string;
  /** Monotonic milliseconds. */
  nowMs(): number;
  responsesOf(account: Account): Responses;
  waitingOf(account: Account): Waiting;
}

export interface ServiceParts {
  readonly importer: Account;
  readonly exporter: Account;
  readonly route: ImportRoute;
  /** Whether the exporter is told all about the client. */
  readonly share: boolean;
  /** The export that is used: no request passes it twice. */
  readonly offer: object;
  readonly rule: ResponseRule;
  /** Whether traces pass. */
  readonly allowTrace: boolean;
  /** Measures some of the requests; undefined: none. */
  readonly meter: LatencyMeter | undefined;
}

export class ServiceImport implements Subscriber {
  readonly isExchange = true;
  readonly #subscription: Subscription;
  readonly #crossing = new Crossing();
  readonly #targets = new Map<string, string>();
  readonly #passed: readonly object[];
  readonly #brief = new WeakMap<Subscriber, Brief>();

  #knownResponses: Responses | undefined = undefined;
  #knownWaiting: Waiting | undefined = undefined;

  constructor(
    readonly parts: ServiceParts,
    private readonly doors: ServiceDoors,
    sid: string,
  ) {
    this.#passed = [parts.offer];
    this.#subscription = new Subscription(this, parts.route.local, "", sid);
    parts.importer.interest.insert(this.#subscription);
    parts.importer.importedServices.add(this);
  }

  /** Local pattern. */
  get pattern(): string {
    return this.parts.route.local;
  }

  close(): void {
    if (this.#subscription.closed) return;
    this.#subscription.closed = true;
    this.parts.importer.importedServices.delete(this);
    this.parts.importer.interest.remove(this.#subscription);
  }

  deliver(subscription: Subscription, message: Message, { subject }: SeenSubject, origin: Subscriber | undefined): Delivery {
    if (subscription.closed) return Delivery.SubscriptionClosed;
    const { exporter, offer, rule, meter } = this.parts;
    if (message.passed.includes(offer)) return Delivery.Denied;
    const target = this.#target(subject);
    if (target === undefined) return Delivery.Denied;
    const trace = message.trace;
    trace?.served(exporter.name, subject, target);
    const follows = trace !== undefined && this.parts.allowTrace;
    if (trace?.only === true && !follows) return Delivery.Denied;
    const entry = exporter.interest.findSubject(target);
    const measurement = meter?.begin(message, origin);
    if (entry.result.plain.length === 0 && entry.result.queues.length === 0) {
      measurement?.meter.end(measurement, 503);
      return Delivery.Denied;
    }
    const asked = message.replyStart === message.replyEnd ? "" : message.reply();
    const isMapped = asked !== "" && !asked.startsWith("$JS.ACK.");
    if (asked === "") measurement?.meter.end(measurement, 400);
    const nowMs = this.doors.nowMs();
    const reply = isMapped ? this.#responses.expect(this.#waiting, asked, rule, nowMs, measurement) : asked;
    const request = this.#crossing.begin(message, target, reply, this.#headers(message, origin, nowMs));
    request.passed = message.passed.length === 0 ? this.#passed : [...message.passed, offer];
    request.trace = follows ? trace : undefined;
    let taken = 0;
    try {
      taken = handOn(exporter, entry.result, request, entry, origin);
    } finally {
      this.#crossing.end();
    }
    if (measurement !== undefined) meter?.handedOver(measurement);
    if (taken === 0 && asked !== "") measurement?.meter.end(measurement, 503);
    // What is only looked at is not answered.
    if (isMapped && (taken === 0 || trace?.only === true)) this.#responses.forget(reply);
    if (taken === 0) return Delivery.Denied;
    subscription.delivered++;
    return Delivery.Delivered;
  }

  judge(subscription: Subscription, subject: string): Delivery {
    if (subscription.closed) return Delivery.SubscriptionClosed;
    const { result } = this.parts.exporter.interest.findSubject(this.#literalTarget(subject));
    return result.plain.length > 0 || result.queues.length > 0 ? Delivery.Delivered : Delivery.Denied;
  }

  describe(): { readonly kind: number; readonly cid: number; readonly name?: string } {
    return { kind: ACCOUNT_KIND, cid: 0 };
  }

  get #responses(): Responses {
    return (this.#knownResponses ??= this.doors.responsesOf(this.parts.exporter));
  }

  get #waiting(): Waiting {
    return (this.#knownWaiting ??= this.doors.waitingOf(this.parts.importer));
  }

  /** The exporter's subject of a request, after the exporter's mappings; undefined when they lead nowhere. */
  #target(subject: string): string | undefined {
    const target = this.#literalTarget(subject);
    const { mapper } = this.parts.exporter;
    return mapper === undefined ? target : mapper.map(target);
  }

  #literalTarget(subject: string): string {
    const { transform } = this.parts.route;
    if (transform === undefined) return subject;
    let target = this.#targets.get(subject);
    if (target === undefined) {
      target = transform.apply(subject, () => 0);
      if (this.#targets.size >= TARGETS_MAX) this.#targets.clear();
      this.#targets.set(subject, target);
    }
    return target;
  }

  /** What `Crossing.begin` sets. */
  #headers(message: Message, origin: Subscriber | undefined, nowMs: number): readonly SetHeader[] | string | undefined {
    const { share, exporter, allowTrace } = this.parts;
    if (message.passed.length === 0 && !share && !exporter.isSystem) {
      const brief = origin === undefined ? undefined : this.#briefInfo(origin, nowMs);
      if (message.headerLength === 0) return brief?.block;
      if (message.trace === undefined) return brief?.headers;
    }
    const info = this.#requestInfo(message, origin, nowMs);
    const headers: SetHeader[] = info === undefined ? [] : [{ key: REQUEST_INFO, value: info }];
    // Servers that the request goes on to would report to a subject of the exporter's, which nobody but they may know.
    if (message.trace !== undefined) headers.push(allowTrace ? { key: TRACE_DESTINATION, value: this.#responses.freshSubject() } : TRACE_DISABLED);
    return headers.length === 0 ? undefined : headers;
  }

  /** What the header tells of the requester: of a chain of imports the first decides, and the last adds the account that asks on its behalf. */
  #requestInfo(message: Message, origin: Subscriber | undefined, nowMs: number): string | undefined {
    const { importer, exporter, share } = this.parts;
    const earlier = message.passed.length === 0 ? undefined : earlierInfo(message);
    if (earlier !== undefined) {
      const { acc, ...rest } = earlier;
      return toByteString(encodeJson({ acc, svc: importer.name, ...rest }));
    }
    if (origin === undefined) return undefined;
    if (!share && !exporter.isSystem) return this.#briefInfo(origin, nowMs)?.headers[0]?.value;
    const details = origin.details?.(this.doors.serverName());
    if (details === undefined) return undefined;
    const { acc, rtt, server } = details;
    return toByteString(encodeJson(share ? details : { acc, rtt, server }));
  }

  /** The account, which is always the importer, and the round trip: made once in a while, since telling a client in full costs more than all the rest. */
  #briefInfo(origin: Subscriber, nowMs: number): Brief | undefined {
    const known = this.#brief.get(origin);
    if (known !== undefined && nowMs - known.madeMs < BRIEF_MS) return known;
    const details = origin.details?.(this.doors.serverName());
    if (details === undefined) return undefined;
    const value = toByteString(encodeJson({ acc: details.acc, rtt: details.rtt }));
    const brief = { headers: [{ key: REQUEST_INFO, value }], block: `NATS/1.0\r\n${REQUEST_INFO}: ${value}\r\n\r\n`, madeMs: nowMs };
    this.#brief.set(origin, brief);
    return brief;
  }
}

function earlierInfo(message: Message): Readonly<Record<string, unknown>> | undefined {
  const block = message.buffer.latin1Slice(message.bodyStart, message.bodyStart + message.headerLength);
  const text = parseHeaders(block).get(REQUEST_INFO)?.[0];
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(fromByteString(text));
  return typeof value === "object" && value !== null ? { ...value } : undefined;
}

/**
 * A service import: a subscription of the importing account that carries each request over to the exporting one, under the exporter's subject, with a reply
 * subject of the exporter's and a header that says who asks. It has taken a request when somebody over there has, so that a requester hears of no responders
 * as if the service were in its own account. Spec: accounts, section 5.2.
 */
import type { ImportRoute } from "../../config/index.ts";
import { encodeJson, parseHeaders } from "../../protocol/index.ts";
import { Delivery, distribute, type Message, type SeenSubject, type Subscriber, Subscription } from "../../routing/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import type { Account } from "../account.ts";
import { Crossing } from "./crossing.ts";
import type { LatencyMeter } from "./latency.ts";
import { ACCOUNT_KIND, type Responses, type ResponseRule } from "./responses.ts";

const REQUEST_INFO = "Nats-Request-Info";
/** Local subjects whose exporter's subject is remembered. */
const TARGETS_MAX = 4096;
/** How old the round trip may be that a service is told. */
const BRIEF_MS = 1000;

export interface ServiceDoors {
  /** Name of this server, as client details tell it. */
  serverName(): string;
  /** Monotonic milliseconds. */
  nowMs(): number;
  responsesOf(account: Account): Responses;
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
  /** Measures some of the requests; undefined: none. */
  readonly meter: LatencyMeter | undefined;
}

export class ServiceImport implements Subscriber {
  readonly isExchange = true;
  readonly #subscription: Subscription;
  readonly #crossing = new Crossing();
  readonly #targets = new Map<string, string>();
  readonly #passed: readonly object[];
  readonly #brief = new WeakMap<Subscriber, { readonly text: string; readonly madeMs: number }>();

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
    const { importer, exporter, offer, rule, meter } = this.parts;
    if (message.passed.includes(offer)) return Delivery.Denied;
    const target = this.#target(subject);
    if (target === undefined) return Delivery.Denied;
    const entry = exporter.interest.findSubject(target);
    const measurement = meter?.begin(message, origin);
    if (entry.result.plain.length === 0 && entry.result.queues.length === 0) {
      measurement?.meter.end(measurement, 503);
      return Delivery.Denied;
    }
    const asked = message.replyStart === message.replyEnd ? "" : message.reply();
    const isMapped = asked !== "" && !asked.startsWith("$JS.ACK.");
    if (asked === "") measurement?.meter.end(measurement, 400);
    const responses = isMapped ? this.doors.responsesOf(exporter) : undefined;
    const reply = responses?.expect(importer, asked, rule, measurement) ?? asked;
    const info = this.#requestInfo(message, origin);
    const passed = message.passed.length === 0 ? this.#passed : [...message.passed, offer];
    const taken = this.#crossing.carry(message, target, reply, info === undefined ? undefined : { key: REQUEST_INFO, value: info }, passed, (request) => distribute(entry.result, request, entry, origin));
    if (measurement !== undefined) meter?.handedOver(measurement);
    if (taken === 0) {
      if (asked !== "") measurement?.meter.end(measurement, 503);
      responses?.forget(reply);
      return Delivery.Denied;
    }
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

  /** What the header tells of the requester: of a chain of imports the first decides, and the last adds the account that asks on its behalf. */
  #requestInfo(message: Message, origin: Subscriber | undefined): string | undefined {
    const { importer, exporter, share } = this.parts;
    const earlier = message.passed.length === 0 ? undefined : earlierInfo(message);
    if (earlier !== undefined) {
      const { acc, ...rest } = earlier;
      return toByteString(encodeJson({ acc, svc: importer.name, ...rest }));
    }
    if (origin === undefined) return undefined;
    if (!share && !exporter.isSystem) return this.#briefInfo(origin);
    const details = origin.details?.(this.doors.serverName());
    if (details === undefined) return undefined;
    const { acc, rtt, server } = details;
    return toByteString(encodeJson(share ? details : { acc, rtt, server }));
  }

  /** The account, which is always the importer, and the round trip: made once in a while, since telling a client in full costs more than all the rest. */
  #briefInfo(origin: Subscriber): string | undefined {
    const nowMs = this.doors.nowMs();
    const known = this.#brief.get(origin);
    if (known !== undefined && nowMs - known.madeMs < BRIEF_MS) return known.text;
    const details = origin.details?.(this.doors.serverName());
    if (details === undefined) return undefined;
    const text = toByteString(encodeJson({ acc: details.acc, rtt: details.rtt }));
    this.#brief.set(origin, { text, madeMs: nowMs });
    return text;
  }
}

function earlierInfo(message: Message): Readonly<Record<string, unknown>> | undefined {
  const block = message.buffer.latin1Slice(message.bodyStart, message.bodyStart + message.headerLength);
  const text = parseHeaders(block).get(REQUEST_INFO)?.[0];
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(fromByteString(text));
  return typeof value === "object" && value !== null ? { ...value } : undefined;
}

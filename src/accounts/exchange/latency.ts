/**
 * How long services take: of the requests that are picked, by chance or because their trace headers ask for it, a metric is published in the exporting account
 * when the answer has come, or when it is clear that none will. Spec: accounts, section 5.5; monitoring, section 17.
 */
import type { LatencyOptions } from "../../config/index.ts";
import { encodeJson, parseHeaders } from "../../protocol/index.ts";
import type { ClientDetails, Message, Subscriber } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { timestamp } from "../../util/timestamp.ts";

const TYPE = "io.nats.server.metric.v1.service_latency";

const DESCRIPTIONS = { 200: undefined, 400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable", 504: "Service Timeout" } as const;
export type LatencyStatus = keyof typeof DESCRIPTIONS;

export interface LatencyDoors {
  readonly clock: { nowNs(): bigint; monotonicMs(): number };
  readonly random: { integer(below: number): number };
  serverName(): string;
  nuid(): string;
  /** Publishes in the exporting account, after what is going on now. Byte strings. */
  publish(subject: string, payload: string): void;
}

/** A request that is measured. */
export interface Measurement {
  readonly meter: LatencyMeter;
  readonly requestor: ClientDetails | undefined;
  readonly header: Readonly<Record<string, readonly string[]>> | undefined;
  readonly arrivedNs: bigint;
  readonly arrivedMs: number;
  /** Milliseconds until the request was handed over. */
  handedMs: number;
}

export class LatencyMeter {
  constructor(
    private readonly options: LatencyOptions,
    /** Whether the requester is told of in full. */
    private readonly share: boolean,
    private readonly doors: LatencyDoors,
  ) {}

  /** Undefined: this request is not measured. */
  begin(message: Message, origin: Subscriber | undefined): Measurement | undefined {
    const { samplingPercent } = this.options;
    let header: Measurement["header"];
    if (samplingPercent < 100 && (samplingPercent === 0 || this.doors.random.integer(100) >= samplingPercent)) {
      header = traceHeaders(message);
      if (header === undefined) return undefined;
    }
    const details = origin?.details?.(this.doors.serverName());
    const requestor = details === undefined || this.share ? details : { acc: details.acc, rtt: details.rtt };
    const { clock } = this.doors;
    return { meter: this, requestor, header, arrivedNs: clock.nowNs(), arrivedMs: clock.monotonicMs(), handedMs: 0 };
  }

  handedOver(measurement: Measurement): void {
    measurement.handedMs = this.doors.clock.monotonicMs() - measurement.arrivedMs;
  }

  /** Tells of a request that has its answer, from `responder`, or will get none. */
  end(measurement: Measurement, status: LatencyStatus, responder?: Subscriber): void {
    const { clock } = this.doors;
    const { requestor, header } = measurement;
    const answering = status === 200 ? responder?.details?.(this.doors.serverName()) : undefined;
    const nowNs = clock.nowNs();
    const requestorRttNs = requestor?.rtt ?? 0;
    const responderRttNs = answering?.rtt ?? 0;
    const sinceNs = Math.max(0, Math.round((clock.monotonicMs() - measurement.arrivedMs) * 1e6));
    const systemNs = Math.min(sinceNs, Math.max(0, Math.round(measurement.handedMs * 1e6)));
    const serviceNs = Math.max(0, sinceNs - systemNs - responderRttNs);
    const counts = status === 200;
    const metric = {
      type: TYPE,
      id: this.doors.nuid(),
      timestamp: timestamp(nowNs),
      status,
      description: DESCRIPTIONS[status],
      requestor,
      responder: answering,
      header,
      start: timestamp(measurement.arrivedNs - BigInt(requestorRttNs)),
      service: counts ? serviceNs : 0,
      system: counts ? systemNs : 0,
      total: counts ? requestorRttNs + responderRttNs + serviceNs + systemNs : 0,
    };
    this.doors.publish(toByteString(this.options.subject), toByteString(encodeJson(metric)));
  }
}

/** The trace headers that ask for a measurement; undefined when there are none, or when they ask for none. The first family that is there decides. */
export function traceHeaders(message: Message): Readonly<Record<string, readonly string[]>> | undefined {
  if (message.headerLength === 0) return undefined;
  const headers = new Map<string, readonly string[]>();
  for (const [key, values] of parseHeaders(message.buffer.latin1Slice(message.bodyStart, message.bodyStart + message.headerLength))) headers.set(canonical(key), values);
  const first = (key: string): string | undefined => headers.get(key)?.[0];
  const pick = (...keys: readonly string[]): Readonly<Record<string, readonly string[]>> => Object.fromEntries([...keys].sort().flatMap((key) => (headers.has(key) ? [[key, headers.get(key) ?? []]] : [])));

  const uber = first("Uber-Trace-Id");
  if (uber !== undefined) {
    const parts = uber.split(":");
    const flags = parts.length === 4 && /^[0-9a-fA-F]{1,2}$/.test(parts[3]) ? Number.parseInt(parts[3], 16) : 0;
    return (flags & 1) === 1 ? pick("Uber-Trace-Id", ...[...headers.keys()].filter((key) => key.startsWith("Uberctx-"))) : undefined;
  }
  const sampled = first("X-B3-Sampled");
  if (sampled === "1") return pick("X-B3-Sampled", "X-B3-Traceid", "X-B3-Parentspanid", "X-B3-Spanid");
  if (sampled === "0") return undefined;
  if (first("X-B3-Traceid") !== undefined) return pick("X-B3-Traceid", "X-B3-Parentspanid", "X-B3-Spanid");
  const b3 = first("B3");
  if (b3 !== undefined) return b3 === "0" || b3.split("-")[2] === "0" ? undefined : pick("B3");
  const parent = first("Traceparent")?.split("-");
  if (parent?.length === 4 && /^[0-9a-fA-F]{1,2}$/.test(parent[3]) && (Number.parseInt(parent[3], 16) & 1) === 1) return pick("Traceparent", "Tracestate");
  return undefined;
}

/** `x-b3-traceid` becomes `X-B3-Traceid`: the MIME form, in which names are compared. */
function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());
}

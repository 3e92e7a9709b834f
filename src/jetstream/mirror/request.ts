/** Requests to the origin's API for the consumer that feeds a stream. Spec: streams, section 8.2. */
import { encodeJson } from "../../protocol/index.ts";
import { toByteString } from "../../util/bytes.ts";
import type { StreamSource } from "../wire.ts";
import type { FeedSink } from "./feed.ts";

export type FeedKind = "mirror" | "source";

const ACK_WAIT_NS = 22 * 3600 * 1e9;
const HEARTBEAT_NS = 1e9;
const INACTIVE_NS = 10e9;
const RANDOM_LENGTH = 8;

/** API levels that a request may ask for, best first; 0 is that of servers which know none of this. */
export const LEVELS: Readonly<Record<FeedKind, readonly (0 | 4 | 5)[]>> = { mirror: [4, 0], source: [5, 4, 0] };

export interface ConsumerRequest {
  /** Byte string, as `header` and `body`. */
  readonly subject: string;
  readonly header: string;
  readonly body: string;
}

/** The request that makes the consumer where the copying stands. */
export function makeRequest(sink: FeedSink, level: 0 | 4 | 5): ConsumerRequest {
  const { source, account, kind } = sink;
  const { context } = account;
  const random = (): string => context.nuid().slice(-RANDOM_LENGTH);
  const name = level === 0 ? `${sink.consumerName}_${random()}` : sink.consumerName;
  const filters = filtersOf(source);
  const config = {
    name,
    ...sink.start(),
    ack_policy: "none",
    ack_wait: ACK_WAIT_NS,
    max_deliver: 1,
    ...(filters.length === 1 ? { filter_subject: filters[0] } : {}),
    ...(filters.length > 1 ? { filter_subjects: filters } : {}),
    replay_policy: "instant",
    flow_control: true,
    deliver_subject: `${deliverPrefix(source)}.${kind === "mirror" ? "M" : "S"}.${random()}`,
    idle_heartbeat: HEARTBEAT_NS,
    inactive_threshold: INACTIVE_NS,
    num_replicas: 0,
    direct: true,
    ...(level === 0 ? {} : { sourcing: true }),
    metadata: metadataOf(sink),
  };
  const path = filters.length === 1 ? `CONSUMER.CREATE.${source.name}.${name}.${filters[0]}` : `CONSUMER.CREATE.${source.name}`;
  return {
    subject: apiSubject(source, toByteString(path)),
    header: headerOf(sink, level),
    body: toByteString(encodeJson({ stream_name: source.name, config, action: "" })),
  };
}

/** What the origin has to know, and which stream it is taken for. */
function headerOf({ identity }: FeedSink, level: 0 | 4 | 5): string {
  if (level === 0) return "";
  return `NATS/1.0\r\nNats-Required-Api-Level: ${level}\r\n${level === 5 ? `Nats-Stream-Identity: ${identity ?? ""}\r\n` : ""}\r\n`;
}

/** The request that lets a consumer of the origin's own begin where the copying stands. Only sources tell which stream they know. */
export function makeReset(sink: FeedSink, level: 0 | 4 | 5): ConsumerRequest {
  return { subject: resetSubject(sink.source), header: sink.kind === "mirror" ? "" : headerOf(sink, level), body: "" };
}

function resetSubject(source: StreamSource): string {
  return apiSubject(source, toByteString(`CONSUMER.RESET.${source.name}.${source.consumer?.name ?? ""}`));
}

/** `consumer` is a byte string. */
export function deleteSubject(source: StreamSource, consumer: string): string {
  return apiSubject(source, `${toByteString(`CONSUMER.DELETE.${source.name}`)}.${consumer}`);
}

function filtersOf({ filter_subject = "", subject_transforms: transforms = [] }: StreamSource): string[] {
  if (transforms.length > 0) return transforms.map(({ src }) => (src === "" ? ">" : src));
  return filter_subject === "" ? [] : [filter_subject];
}

function apiSubject({ external }: StreamSource, path: string): string {
  return external === undefined || external.api === "" ? `$JS.API.${path}` : `${toByteString(external.api)}.${path}`.replaceAll("..", ".");
}

function deliverPrefix({ external }: StreamSource): string {
  return external === undefined || external.deliver === "" ? "$JS" : external.deliver.replace(/\.$/, "");
}

function metadataOf({ kind, streamName, account }: FeedSink): Readonly<Record<string, string>> {
  const prefix = kind === "mirror" ? "_nats.mirror" : "_nats.src";
  const { domain } = account.context.settings;
  return { [`${prefix}.acc`]: account.name, ...(domain === "" ? {} : { [`${prefix}.domain`]: domain }), [`${prefix}.stream`]: streamName };
}

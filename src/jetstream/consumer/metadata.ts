/**
 * What the server itself keeps and shows in a consumer's metadata: the API level that the consumer needs (stored), and the level and version of the server
 * that answers (only shown). Spec: consumers, section 1.2.
 */
import { toByteString } from "../../util/bytes.ts";
import { VERSION } from "../../util/version.ts";
import { API_LEVEL } from "../context.ts";
import type { ConsumerConfig } from "../wire.ts";

const REQUIRED_LEVEL = "_nats.req.level";
const SERVER_LEVEL = "_nats.level";
const SERVER_VERSION = "_nats.ver";

/** The zero time, in whatever zone: no moment at all. */
const ZERO_MS = Date.parse("0001-01-01T00:00:00Z");

type Metadata = Readonly<Record<string, string>>;

/** The API level that the features of a consumer ask for. */
function requiredLevel(config: ConsumerConfig): number {
  if (config.ack_policy === "flow_control") return 4;
  return (config.pause_until !== undefined && Date.parse(config.pause_until) !== ZERO_MS) || config.priority_policy !== undefined || (config.priority_groups?.length ?? 0) > 0 || (config.priority_timeout ?? 0) > 0 ? 1 : 0;
}

/** The metadata to store: that of the request, without what only the server says, and the level. */
export function storedMetadata(config: ConsumerConfig): Metadata {
  const { [SERVER_LEVEL]: _level, [SERVER_VERSION]: _version, ...own } = config.metadata ?? {};
  return inOrder({ ...own, [REQUIRED_LEVEL]: String(requiredLevel(config)) });
}

/** The configuration as responses show it. */
export function withDynamicMetadata(config: ConsumerConfig): ConsumerConfig {
  return { ...config, metadata: inOrder({ ...config.metadata, [SERVER_LEVEL]: String(API_LEVEL), [SERVER_VERSION]: VERSION }) };
}

/** The metadata without anything of the server's. */
export function ownMetadata(config: ConsumerConfig): Metadata {
  return inOrder(Object.fromEntries(Object.entries(config.metadata ?? {}).filter(([key]) => !key.startsWith("_nats."))));
}

/** The level that a stored configuration asks for. */
export function storedLevel(config: { readonly metadata?: Metadata }): number {
  const level = Number(config.metadata?.[REQUIRED_LEVEL] ?? 0);
  return Number.isFinite(level) ? level : 0;
}

/** Go prints the keys of a map in the order of their bytes. */
function inOrder(metadata: Metadata): Metadata {
  return Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (toByteString(a) < toByteString(b) ? -1 : 1)));
}

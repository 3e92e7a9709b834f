/**
 * What the server itself keeps and shows in a stream's metadata: the API level that the stream needs (stored), and the level and version of the server that
 * answers (only shown). Spec: streams, section 4.1.
 */
import { VERSION } from "../../util/version.ts";
import { API_LEVEL } from "../context.ts";
import { toByteString } from "../../util/bytes.ts";
import type { StreamConfig } from "../wire.ts";

const REQUIRED_LEVEL = "_nats.req.level";
const SERVER_LEVEL = "_nats.level";
const SERVER_VERSION = "_nats.ver";

/** The metadata of a request without what only the server says. */
export function withoutDynamicMetadata(metadata: Readonly<Record<string, string>> | undefined): Record<string, string> | undefined {
  if (metadata === undefined) return undefined;
  const { [SERVER_LEVEL]: _level, [SERVER_VERSION]: _version, [REQUIRED_LEVEL]: _required, ...rest } = metadata;
  return rest;
}

/** The API level that the features of a stream ask for. */
export function requiredLevel(config: Pick<StreamConfig, "allow_msg_ttl" | "subject_delete_marker_ttl" | "allow_msg_counter" | "allow_atomic" | "allow_msg_schedules" | "persist_mode" | "allow_batched" | "mirror" | "sources">): number {
  if (config.allow_batched) return 4;
  if (config.allow_msg_counter || config.allow_atomic || config.allow_msg_schedules || config.persist_mode === "async") return 2;
  return config.allow_msg_ttl || config.subject_delete_marker_ttl !== undefined ? 1 : 0;
}

/** The level that stored metadata asks for; 0 when it does not say. */
export function storedLevel(metadata: Readonly<Record<string, string>> | undefined): number {
  const level = Number(metadata?.[REQUIRED_LEVEL] ?? 0);
  return Number.isFinite(level) ? level : 0;
}

/** The configuration as responses show it. */
export function withDynamicMetadata(config: StreamConfig): StreamConfig {
  const metadata = { ...config.metadata, [SERVER_LEVEL]: String(API_LEVEL), [SERVER_VERSION]: VERSION };
  return { ...config, metadata: inOrder(metadata) };
}

/** Go prints the keys of a map in the order of their bytes. */
export function inOrder(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (toByteString(a) < toByteString(b) ? -1 : 1)));
}

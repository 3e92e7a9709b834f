/** A consumer configuration as a request or a file brings it: every field optional, nothing checked but the JSON types. Spec: consumers, section 2.1. */
import { bool, duration, int, list, object, oneOf, oneOfOr, record, type ShapeOf, text, time, uint64 } from "../json/index.ts";

const fields = {
  durable_name: text,
  name: text,
  description: text,
  deliver_policy: oneOf("all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject", "undefined"),
  opt_start_seq: uint64,
  opt_start_time: time,
  ack_policy: oneOf("none", "all", "explicit", "flow_control"),
  ack_wait: duration,
  max_deliver: int,
  backoff: list(duration),
  filter_subject: text,
  filter_subjects: list(text),
  replay_policy: oneOf("instant", "original"),
  rate_limit_bps: uint64,
  sample_freq: text,
  max_waiting: int,
  max_ack_pending: int,
  flow_control: bool,
  headers_only: bool,
  max_batch: int,
  max_expires: duration,
  max_bytes: int,
  deliver_subject: text,
  deliver_group: text,
  idle_heartbeat: duration,
  inactive_threshold: duration,
  num_replicas: int,
  mem_storage: bool,
  direct: bool,
  sourcing: bool,
  metadata: record(text),
  pause_until: time,
  priority_groups: list(text),
  priority_policy: oneOfOr((raw) => `unknown priority policy: ${raw}`, "none", "overflow", "pinned_client", "prioritized"),
  priority_timeout: duration,
} as const;

/** Names of all fields, in the order in which the wire has them. */
export const CONFIG_FIELDS: readonly string[] = Object.keys(fields);

export const consumerConfigShape = object(fields, "ConsumerConfig");

/** Requests to create and update. */
export const consumerRequestShape = object(
  {
    stream_name: text,
    config: consumerConfigShape,
    action: oneOfOr((raw) => `unknown consumer action: ${raw}`, "", "create", "update"),
    pedantic: bool,
  },
  "CreateConsumerRequest",
);

/** A configuration nobody has checked yet. */
export type RawConsumerConfig = ShapeOf<typeof consumerConfigShape>;
export type ConsumerRequest = ShapeOf<typeof consumerRequestShape>;

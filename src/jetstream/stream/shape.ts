/**
 * A stream configuration as a request or a file brings it: every field optional, nothing checked but the JSON types. Spec: streams, section 4.1.
 */
import { bool, compressionWord, duration, int, int32, int64, list, object, oneOf, oneOfAnyCase, record, type ShapeOf, text, time, uint64 } from "../json/index.ts";

const subjectTransform = object({ src: text, dest: text }, "SubjectTransformConfig");

const external = object({ api: text, deliver: text }, "ExternalStream");

const source = object({
  name: text,
  opt_start_seq: uint64,
  opt_start_time: time,
  filter_subject: text,
  subject_transforms: list(subjectTransform),
  external,
  consumer: object({ name: text, deliver_subject: text }, "StreamConsumerSource"),
}, "StreamSource");

const fields = {
  name: text,
  description: text,
  subjects: list(text),
  retention: oneOf("limits", "interest", "workqueue"),
  max_consumers: int,
  max_msgs: int64,
  max_bytes: int64,
  max_age: duration,
  max_msgs_per_subject: int64,
  max_msg_size: int32,
  discard: oneOfAnyCase("old", "new"),
  storage: oneOf("file", "memory"),
  num_replicas: int,
  no_ack: bool,
  duplicate_window: duration,
  placement: object({ cluster: text, tags: list(text), preferred: text }, "Placement"),
  mirror: source,
  sources: list(source, "[]*server.StreamSource"),
  compression: compressionWord,
  first_seq: uint64,
  subject_transform: subjectTransform,
  republish: object({ src: text, dest: text, headers_only: bool }, "RePublish"),
  allow_direct: bool,
  mirror_direct: bool,
  discard_new_per_subject: bool,
  sealed: bool,
  deny_delete: bool,
  deny_purge: bool,
  allow_rollup_hdrs: bool,
  consumer_limits: object({ inactive_threshold: duration, max_ack_pending: int }, "StreamConsumerLimits"),
  allow_msg_ttl: bool,
  subject_delete_marker_ttl: duration,
  allow_msg_counter: bool,
  allow_atomic: bool,
  allow_msg_schedules: bool,
  persist_mode: oneOf("default", "async", ""),
  allow_batched: bool,
  metadata: record(text),
} as const;

/** What stream metadata and restore requests hold. */
export const streamConfigShape = object(fields, "StreamConfig");

/** Requests to create and update say in addition whether silent adjustments are errors. */
export const streamRequestShape = object({ ...fields, pedantic: bool }, "StreamConfigRequest");

/** A configuration nobody has checked yet. */
export type RawStreamConfig = ShapeOf<typeof streamConfigShape>;
export type RawSource = ShapeOf<typeof source>;

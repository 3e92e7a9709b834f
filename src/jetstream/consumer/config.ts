/**
 * From the configuration of a request to one in force: negatives clamped, defaults filled in, everything checked, keys in the order of the wire. The checks
 * and their order are the reference's; each has the text that users know. Spec: consumers, sections 2.2 to 2.4.
 */
import { apiError } from "../api/errors.ts";
import type { ConsumerStream } from "../seams.ts";
import type { AckPolicy, ConsumerConfig, PriorityPolicy } from "../wire.ts";
import { effectiveReplicas } from "./effective.ts";
import { storedMetadata } from "./metadata.ts";
import { CONFIG_FIELDS, type RawConsumerConfig } from "./shape.ts";
import { validate } from "./validate.ts";

const SECOND_NS = 1_000_000_000;
const ACK_WAIT_NS = 30 * SECOND_NS;
const MAX_WAITING = 512;
const MAX_ACK_PENDING = 1000;
/** How long an ephemeral consumer lives without use. */
export const EPHEMERAL_THRESHOLD_NS = 5 * SECOND_NS;
const PIN_TIMEOUT_NS = 120 * SECOND_NS;

/** A configuration while it is put together. */
export type DraftConfig = { -readonly [K in keyof ConsumerConfig]: ConsumerConfig[K] };

/** Completes and checks a configuration. Throws `ApiError`. With `strict` silent adjustments are errors (`pedantic` in a request). */
export function normaliseConsumerConfig(stream: ConsumerStream, raw: RawConsumerConfig, strict: boolean): ConsumerConfig {
  const draft = draftOf(raw);
  clamp(draft, strict);
  complete(stream, draft, strict);
  validate(stream, draft);
  return inWireOrder(draft);
}

/** The configuration of a new consumer: an ephemeral one says how long it lives without use. */
export function withThreshold(config: ConsumerConfig, isDurable: boolean): ConsumerConfig {
  if (isDurable || config.inactive_threshold !== undefined) return config;
  return inWireOrder({ ...config, inactive_threshold: EPHEMERAL_THRESHOLD_NS });
}

/** Orders the fields, drops what is absent, and stamps the level of the API that the consumer needs. */
export function inWireOrder(draft: ConsumerConfig): ConsumerConfig {
  const complete: Readonly<Record<string, unknown>> = { ...draft, metadata: storedMetadata(draft) };
  return JSON.parse(JSON.stringify(Object.fromEntries(CONFIG_FIELDS.map((field) => [field, complete[field]])))) as ConsumerConfig;
}

function pedantic(text: string): Error {
  return apiError(10157, { err: text });
}

/** Empty values are left out in Go's JSON: they are absent here. Negative ones stay for now. */
function draftOf(raw: RawConsumerConfig): DraftConfig {
  const text = (value: string | undefined): string | undefined => (value === "" ? undefined : value);
  const number = (value: number | undefined): number | undefined => (value === 0 ? undefined : value);
  const some = <T>(values: readonly T[] | undefined): readonly T[] | undefined => (values === undefined || values.length === 0 ? undefined : values);
  const policy = raw.deliver_policy === undefined || raw.deliver_policy === "undefined" ? "all" : raw.deliver_policy;
  return {
    durable_name: text(raw.durable_name),
    name: text(raw.name),
    description: text(raw.description),
    deliver_policy: policy,
    opt_start_seq: number(raw.opt_start_seq),
    opt_start_time: raw.opt_start_time,
    ack_policy: (raw.ack_policy ?? "none") satisfies AckPolicy,
    ack_wait: number(raw.ack_wait),
    max_deliver: number(raw.max_deliver),
    backoff: some(raw.backoff),
    filter_subject: text(raw.filter_subject),
    filter_subjects: some(raw.filter_subjects),
    replay_policy: raw.replay_policy ?? "instant",
    rate_limit_bps: number(raw.rate_limit_bps),
    sample_freq: text(raw.sample_freq),
    max_waiting: number(raw.max_waiting),
    max_ack_pending: number(raw.max_ack_pending),
    flow_control: raw.flow_control || undefined,
    headers_only: raw.headers_only || undefined,
    max_batch: number(raw.max_batch),
    max_expires: number(raw.max_expires),
    max_bytes: number(raw.max_bytes),
    deliver_subject: text(raw.deliver_subject),
    deliver_group: text(raw.deliver_group),
    idle_heartbeat: number(raw.idle_heartbeat),
    inactive_threshold: number(raw.inactive_threshold),
    num_replicas: raw.num_replicas ?? 0,
    mem_storage: raw.mem_storage || undefined,
    direct: raw.direct || undefined,
    sourcing: raw.sourcing || undefined,
    metadata: raw.metadata,
    pause_until: raw.pause_until,
    priority_groups: some(raw.priority_groups),
    priority_policy: raw.priority_policy === "none" ? undefined : (raw.priority_policy satisfies PriorityPolicy | undefined),
    priority_timeout: number(raw.priority_timeout),
  };
}

/** Negative values become what they stand for. */
function clamp(draft: DraftConfig, strict: boolean): void {
  if (draft.max_deliver === undefined || draft.max_deliver < -1) {
    if (strict && draft.max_deliver !== undefined) throw pedantic("max_deliver must be set to -1");
    draft.max_deliver = -1;
  }
  if ((draft.max_waiting ?? 0) < 0) {
    if (strict) throw pedantic("max_waiting must not be negative");
    draft.max_waiting = undefined;
  }
  if ((draft.max_ack_pending ?? 0) < -1) {
    if (strict) throw pedantic("max_ack_pending must be set to -1");
    draft.max_ack_pending = -1;
  }
  for (const field of ["max_batch", "max_expires", "max_bytes", "idle_heartbeat", "inactive_threshold", "priority_timeout"] as const) {
    if ((draft[field] ?? 0) >= 0) continue;
    if (strict) throw pedantic(`${field} must not be negative`);
    draft[field] = undefined;
  }
}

/** Fills in what was not said, in the reference's order. */
function complete(stream: ConsumerStream, draft: DraftConfig, strict: boolean): void {
  const isPull = draft.deliver_subject === undefined;
  const { limits } = stream.account.context.settings;
  const { consumer_limits: streamLimits } = stream.config;
  if (isPull) draft.max_waiting ??= MAX_WAITING;
  const waits = draft.ack_policy === "explicit" || draft.ack_policy === "all";
  if (waits) draft.ack_wait ??= ACK_WAIT_NS;
  const first = draft.backoff?.[0];
  if (first !== undefined) {
    if (strict && (draft.ack_wait ?? 0) !== first) throw pedantic("first backoff value has to equal batch AckWait");
    draft.ack_wait = first === 0 ? undefined : first;
  }
  if (draft.max_ack_pending === undefined && streamLimits.max_ack_pending !== undefined) {
    if (strict) throw pedantic("max_ack_pending must be set if it's configured in stream limits");
    draft.max_ack_pending = streamLimits.max_ack_pending;
  }
  if (draft.inactive_threshold === undefined && streamLimits.inactive_threshold !== undefined) {
    if (strict) throw pedantic("inactive_threshold must be set if it's configured in stream limits");
    draft.inactive_threshold = streamLimits.inactive_threshold;
  }
  if (draft.max_ack_pending === undefined && draft.ack_policy !== "none") {
    const bounds = [MAX_ACK_PENDING, limits.maxAckPending, stream.account.limitsFor(effectiveReplicas(stream, draft)).max_ack_pending];
    draft.max_ack_pending = Math.min(...bounds.filter((bound) => bound > 0));
  }
  if (isPull && draft.max_batch === undefined && limits.maxRequestBatch > 0) {
    if (strict) throw pedantic("max_request_batch must be set if it's JetStream limits are set");
    draft.max_batch = limits.maxRequestBatch;
  }
  if (draft.priority_policy === "pinned_client") draft.priority_timeout ??= PIN_TIMEOUT_NS;
  if (draft.ack_policy === "flow_control" && !strict) {
    draft.flow_control = true;
    draft.idle_heartbeat = SECOND_NS;
  }
}

/**
 * Configurations and figures of streams and consumers as they travel in JSON, with the wire's own names. Durations are nanoseconds. A configuration in this
 * form is normalised (`stream/config.ts`, `consumer/config.ts`) unless a comment says otherwise. Subjects are text as JSON has it, not byte strings.
 */
import type { JsonPieces } from "./json/index.ts";

export type Retention = "limits" | "interest" | "workqueue";
export type Storage = "file" | "memory";

export interface SubjectTransformConfig {
  readonly src: string;
  readonly dest: string;
}

export interface ExternalStream {
  /** Replaces `$JS.API`. */
  readonly api: string;
  readonly deliver: string;
}

export interface StreamSource {
  readonly name: string;
  readonly opt_start_seq?: number;
  /** RFC 3339. */
  readonly opt_start_time?: string;
  readonly filter_subject?: string;
  readonly subject_transforms?: readonly SubjectTransformConfig[];
  readonly external?: ExternalStream;
  readonly consumer?: { readonly name: string; readonly deliver_subject: string };
}

export interface StreamConfig {
  readonly name: string;
  readonly description?: string;
  readonly subjects?: readonly string[];
  readonly retention: Retention;
  readonly max_consumers: number;
  readonly max_msgs: number;
  readonly max_bytes: number;
  readonly max_age: number;
  readonly max_msgs_per_subject: number;
  readonly max_msg_size: number;
  readonly discard: "old" | "new";
  readonly storage: Storage;
  readonly num_replicas: number;
  readonly no_ack?: boolean;
  readonly duplicate_window?: number;
  readonly placement?: { readonly cluster?: string; readonly tags?: readonly string[]; readonly preferred?: string };
  readonly mirror?: StreamSource;
  readonly sources?: readonly StreamSource[];
  readonly compression: "none" | "s2";
  readonly first_seq?: number;
  readonly subject_transform?: SubjectTransformConfig;
  readonly republish?: { readonly src?: string; readonly dest: string; readonly headers_only?: boolean };
  readonly allow_direct: boolean;
  readonly mirror_direct: boolean;
  readonly discard_new_per_subject?: boolean;
  readonly sealed: boolean;
  readonly deny_delete: boolean;
  readonly deny_purge: boolean;
  readonly allow_rollup_hdrs: boolean;
  readonly consumer_limits: { readonly inactive_threshold?: number; readonly max_ack_pending?: number };
  readonly allow_msg_ttl: boolean;
  readonly subject_delete_marker_ttl?: number;
  readonly allow_msg_counter?: boolean;
  readonly allow_atomic?: boolean;
  readonly allow_msg_schedules?: boolean;
  readonly persist_mode?: "async";
  readonly allow_batched?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface StreamState {
  readonly messages: number;
  readonly bytes: number;
  readonly first_seq: number;
  readonly first_ts: string;
  readonly last_seq: number;
  readonly last_ts: string;
  readonly num_subjects?: number;
  /** Counts by subject. */
  readonly subjects?: JsonPieces;
  readonly num_deleted?: number;
  /** Sequences. */
  readonly deleted?: JsonPieces;
  readonly lost?: { readonly msgs: readonly number[]; readonly bytes: number };
  readonly consumer_count: number;
}

/** A mirror or source as stream info shows it. `active` is -1 when there was no contact yet. */
export interface SourceInfo {
  readonly name: string;
  readonly external?: ExternalStream;
  readonly lag: number;
  readonly seq?: number;
  readonly active: number;
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string };
  readonly filter_subject?: string;
  readonly subject_transforms?: readonly SubjectTransformConfig[];
}

export interface StreamInfo {
  readonly config: StreamConfig;
  readonly created: string;
  readonly state: StreamState;
  readonly domain?: string;
  readonly cluster?: { readonly leader: string };
  readonly mirror?: SourceInfo;
  readonly sources?: readonly SourceInfo[];
  readonly ts: string;
}

export type DeliverPolicy = "all" | "last" | "new" | "by_start_sequence" | "by_start_time" | "last_per_subject";
export type AckPolicy = "none" | "all" | "explicit" | "flow_control";
export type PriorityPolicy = "overflow" | "pinned_client" | "prioritized";

export interface ConsumerConfig {
  readonly durable_name?: string;
  readonly name?: string;
  readonly description?: string;
  readonly deliver_policy: DeliverPolicy;
  readonly opt_start_seq?: number;
  readonly opt_start_time?: string;
  readonly ack_policy: AckPolicy;
  readonly ack_wait?: number;
  readonly max_deliver?: number;
  readonly backoff?: readonly number[];
  readonly filter_subject?: string;
  readonly filter_subjects?: readonly string[];
  readonly replay_policy: "instant" | "original";
  readonly rate_limit_bps?: number;
  readonly sample_freq?: string;
  readonly max_waiting?: number;
  readonly max_ack_pending?: number;
  readonly flow_control?: boolean;
  readonly headers_only?: boolean;
  readonly max_batch?: number;
  readonly max_expires?: number;
  readonly max_bytes?: number;
  readonly deliver_subject?: string;
  readonly deliver_group?: string;
  readonly idle_heartbeat?: number;
  readonly inactive_threshold?: number;
  readonly num_replicas: number;
  readonly mem_storage?: boolean;
  readonly direct?: boolean;
  readonly sourcing?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly pause_until?: string;
  readonly priority_groups?: readonly string[];
  readonly priority_policy?: PriorityPolicy;
  readonly priority_timeout?: number;
}

export interface SequencePair {
  readonly consumer_seq: number;
  readonly stream_seq: number;
  readonly last_active?: string;
}

export interface ConsumerInfo {
  readonly stream_name: string;
  readonly name: string;
  readonly created: string;
  readonly config?: ConsumerConfig;
  readonly delivered: SequencePair;
  readonly ack_floor: SequencePair;
  readonly num_ack_pending: number;
  readonly num_redelivered: number;
  readonly num_waiting: number;
  readonly num_pending: number;
  readonly push_bound?: boolean;
  readonly paused?: boolean;
  readonly pause_remaining?: number;
  readonly ts: string;
  readonly priority_groups?: readonly { readonly group: string; readonly pinned_client_id?: string; readonly pinned_ts: string }[];
}

/** JetStream limits of an account, or of one of its tiers. */
export interface AccountLimitsBody {
  readonly max_memory: number;
  readonly max_storage: number;
  readonly max_streams: number;
  readonly max_consumers: number;
  readonly max_ack_pending: number;
  readonly memory_max_stream_bytes: number;
  readonly storage_max_stream_bytes: number;
  readonly max_bytes_required: boolean;
}

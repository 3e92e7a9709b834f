/**
 * From the configuration of a request to one in force: defaults filled in, everything checked, keys in the order of the wire. The checks and their order are
 * the reference's; each has the text that users know. Spec: streams, section 4.2.
 *
 * Everything about one stream alone is here; subjects, mirrors and sources, which look at other streams, are in `subjects.ts` and `origins.ts`.
 */
import { SubjectTransform, TransformError, subjectsOverlap } from "../../routing/index.ts";
import { formatDuration } from "../../util/duration.ts";
import { toByteString } from "../../util/bytes.ts";
import { apiError, type ErrorCode } from "../api/errors.ts";
import type { AssetAccount } from "../seams.ts";
import type { StreamConfig, StreamSource } from "../wire.ts";
import { inOrder, requiredLevel, withoutDynamicMetadata } from "./metadata.ts";
import { checkMirror, checkOriginsForCycles, checkSources } from "./origins.ts";
import type { RawSource, RawStreamConfig } from "./shape.ts";
import { checkSubjects } from "./subjects.ts";

const NAME_MAX_BYTES = 255;
const DESCRIPTION_MAX_BYTES = 4096;
const METADATA_MAX_BYTES = 131072;
/** What the server itself keeps there: the API level that is required, one digit. */
const STORED_METADATA_BYTES = "_nats.req.level".length + 1;
const REPLICAS_MAX = 5;
export const MILLISECOND_NS = 1_000_000;
const SECOND_NS = 1_000_000_000;
const SHORTEST_NS = 100 * MILLISECOND_NS;
const DUPLICATE_WINDOW_NS = 120 * SECOND_NS;

/** A refusal with a text of its own. */
export function invalidConfig(text: string): Error {
  return apiError(10052, { err: text });
}

function pedantic(text: string): Error {
  return apiError(10157, { err: text });
}

export function isValidStreamName(name: string): boolean {
  return name !== "" && !/[\s.*>\\/]/.test(name);
}

function byteLength(text: string): number {
  return toByteString(text).length;
}

/** Checks and completes a configuration. Throws `ApiError`. With `strict` silent adjustments are errors (`pedantic` in a request). */
export function normaliseStreamConfig(account: AssetAccount, raw: RawStreamConfig, strict: boolean): StreamConfig {
  const name = raw.name ?? "";
  if (!isValidStreamName(name)) throw invalidConfig("stream name is required and can not contain '.', '*', '>', '\\', '/'");
  if (byteLength(name) > NAME_MAX_BYTES) throw invalidConfig(`stream name is too long, maximum allowed is ${NAME_MAX_BYTES}`);
  if (byteLength(raw.description ?? "") > DESCRIPTION_MAX_BYTES) throw invalidConfig(`stream description is too long, maximum allowed is ${DESCRIPTION_MAX_BYTES}`);
  const metadataBytes = Object.entries(withoutDynamicMetadata(raw.metadata) ?? {}).reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), STORED_METADATA_BYTES);
  if (metadataBytes > METADATA_MAX_BYTES) throw invalidConfig(`stream metadata exceeds maximum size of ${METADATA_MAX_BYTES} bytes`);
  const replicas = raw.num_replicas ?? 0;
  if (replicas > REPLICAS_MAX) throw invalidConfig(`maximum replicas is ${REPLICAS_MAX}`);
  if (replicas < 0) throw apiError(10133);

  const draft = complete(raw, strict);
  checkAges(account, draft, strict);
  checkFeatures(draft, strict);
  checkMirror(account, draft, strict);
  checkSources(account, draft);
  checkOriginsForCycles(account, draft);
  checkSubjects(draft);
  checkRequiredBytes(account, draft);
  checkTransforms(draft, strict);
  if ((raw.placement?.preferred ?? "") !== "") throw invalidConfig("preferred server not permitted in placement");
  return inWireOrder(draft);
}

/** What a request asks for with its defaults, unchecked. */
export function draftOf(raw: RawStreamConfig): StreamConfig {
  return complete(raw, false);
}

/** A configuration while it is put together. */
export type DraftConfig = { -readonly [K in keyof StreamConfig]: StreamConfig[K] };

function limit(field: string, value: number | undefined, strict: boolean): number {
  if (value === undefined || value === 0) return -1;
  if (value >= -1) return value;
  if (strict) throw pedantic(`${field} must be set to -1`);
  return -1;
}

/** `Nothing` in Go's JSON is the empty value: those are left out here. */
function complete(raw: RawStreamConfig, strict: boolean): DraftConfig {
  const name = raw.name ?? "";
  const hasOrigin = raw.mirror !== undefined || (raw.sources?.length ?? 0) > 0;
  const subjects = (raw.subjects?.length ?? 0) > 0 ? raw.subjects : hasOrigin ? undefined : [name];
  const maxMsgs = limit("max_msgs", raw.max_msgs, strict);
  const maxPerSubject = limit("max_msgs_per_subject", raw.max_msgs_per_subject, strict);
  const maxBytes = limit("max_bytes", raw.max_bytes, strict);
  const maxSize = limit("max_msg_size", raw.max_msg_size, strict);
  const maxConsumers = limit("max_consumers", raw.max_consumers, strict);
  return {
    name,
    description: nonEmpty(raw.description),
    subjects,
    retention: raw.retention ?? "limits",
    max_consumers: maxConsumers,
    max_msgs: maxMsgs,
    max_bytes: maxBytes,
    max_age: raw.max_age ?? 0,
    max_msgs_per_subject: maxPerSubject,
    max_msg_size: maxSize,
    discard: raw.discard ?? "old",
    storage: raw.storage ?? "file",
    num_replicas: raw.num_replicas === undefined || raw.num_replicas === 0 ? 1 : raw.num_replicas,
    no_ack: raw.no_ack || undefined,
    duplicate_window: raw.duplicate_window || undefined,
    placement: placementOf(raw.placement),
    mirror: raw.mirror === undefined ? undefined : sourceOf(raw.mirror),
    sources: (raw.sources?.length ?? 0) > 0 ? raw.sources?.map(sourceOf) : undefined,
    compression: raw.compression ?? "none",
    first_seq: raw.first_seq || undefined,
    subject_transform: raw.subject_transform === undefined ? undefined : { src: raw.subject_transform.src ?? "", dest: raw.subject_transform.dest ?? "" },
    republish: republishOf(raw.republish),
    allow_direct: raw.allow_direct ?? false,
    mirror_direct: raw.mirror_direct ?? false,
    discard_new_per_subject: raw.discard_new_per_subject || undefined,
    sealed: raw.sealed ?? false,
    deny_delete: raw.deny_delete ?? false,
    deny_purge: raw.deny_purge ?? false,
    allow_rollup_hdrs: raw.allow_rollup_hdrs ?? false,
    consumer_limits: consumerLimitsOf(raw.consumer_limits),
    allow_msg_ttl: raw.allow_msg_ttl ?? false,
    subject_delete_marker_ttl: raw.subject_delete_marker_ttl || undefined,
    allow_msg_counter: raw.allow_msg_counter || undefined,
    allow_atomic: raw.allow_atomic || undefined,
    allow_msg_schedules: raw.allow_msg_schedules || undefined,
    persist_mode: raw.persist_mode === "async" ? "async" : undefined,
    allow_batched: raw.allow_batched || undefined,
    metadata: withoutDynamicMetadata(raw.metadata),
  };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text;
}

function placementOf(raw: RawStreamConfig["placement"]): StreamConfig["placement"] {
  if (raw === undefined) return undefined;
  // A list of no tags says nothing, but is something.
  return nonEmpty(raw.cluster) === undefined && raw.tags === undefined ? undefined : { cluster: nonEmpty(raw.cluster), tags: (raw.tags?.length ?? 0) > 0 ? raw.tags : undefined };
}

function republishOf(raw: RawStreamConfig["republish"]): DraftConfig["republish"] {
  if (raw === undefined) return undefined;
  return { src: nonEmpty(raw.src), dest: raw.dest ?? "", headers_only: raw.headers_only || undefined };
}

function consumerLimitsOf(raw: RawStreamConfig["consumer_limits"]): StreamConfig["consumer_limits"] {
  return { inactive_threshold: raw?.inactive_threshold || undefined, max_ack_pending: raw?.max_ack_pending || undefined };
}

function sourceOf(raw: RawSource): StreamSource {
  const { external, consumer } = raw;
  return {
    name: raw.name ?? "",
    opt_start_seq: raw.opt_start_seq || undefined,
    opt_start_time: raw.opt_start_time,
    filter_subject: nonEmpty(raw.filter_subject),
    subject_transforms: (raw.subject_transforms?.length ?? 0) > 0 ? raw.subject_transforms?.map(({ src, dest }) => ({ src: src ?? "", dest: dest ?? "" })) : undefined,
    external: external === undefined ? undefined : { api: external.api ?? "", deliver: external.deliver ?? "" },
    consumer: consumer === undefined ? undefined : { name: consumer.name ?? "", deliver_subject: consumer.deliver_subject ?? "" },
  };
}

function checkAges(account: AssetAccount, draft: DraftConfig, strict: boolean): void {
  const age = draft.max_age;
  if (age < 0) throw invalidConfig("max age can not be negative");
  if (age > 0 && age < SHORTEST_NS) throw invalidConfig("max age needs to be >= 100ms");
  const serverMax = account.context.settings.limits.duplicateWindow;
  if (draft.duplicate_window === undefined && draft.mirror === undefined && draft.sources === undefined) draft.duplicate_window = defaultWindow(serverMax, age, strict);
  const window = draft.duplicate_window ?? 0;
  if (window < 0) throw invalidConfig("duplicates window can not be negative");
  if (age > 0 && window > age) throw invalidConfig("duplicates window can not be larger then max age");
  if (serverMax > 0 && window > serverMax) throw invalidConfig(`duplicates window can not be larger then server limit of ${formatDuration(BigInt(serverMax))}`);
  if (window > 0 && window < SHORTEST_NS) throw invalidConfig("duplicates window needs to be >= 100ms");
}

function defaultWindow(serverMax: number, age: number, strict: boolean): number {
  let window = DUPLICATE_WINDOW_NS;
  if (serverMax > 0 && window > serverMax) {
    if (strict) throw pedantic("duplicate window limits are higher than current limits");
    window = serverMax;
  }
  if (age > 0 && age < window) {
    if (strict) throw pedantic("duplicate window cannot be bigger than max age");
    window = age;
  }
  return window;
}

/** Flags that exclude or imply each other. */
function checkFeatures(draft: DraftConfig, strict: boolean): void {
  if (draft.deny_purge && draft.allow_rollup_hdrs) throw invalidConfig("roll-ups require the purge permission");
  if (draft.allow_msg_counter) {
    if (draft.discard === "new") throw invalidConfig("counter stream cannot use discard new");
    if (draft.allow_msg_ttl) throw invalidConfig("counter stream cannot use message TTLs");
    if (draft.allow_msg_schedules) throw invalidConfig("counter stream cannot use message schedules");
    if (draft.retention !== "limits") throw invalidConfig("counter stream can only use limits retention");
  }
  if (draft.discard_new_per_subject) {
    if (draft.discard !== "new") throw invalidConfig("discard new per subject requires discard new policy to be set");
    if (draft.max_msgs_per_subject <= 0) throw invalidConfig("discard new per subject requires max msgs per subject > 0");
  }
  checkMarkers(draft, strict);
  if (draft.allow_msg_schedules) {
    if (draft.discard === "new") throw invalidConfig("message scheduling cannot use discard new");
    if (!draft.allow_rollup_hdrs && strict) throw invalidConfig("message scheduling cannot be set if roll-ups are disabled");
    draft.allow_rollup_hdrs = true;
    draft.deny_purge = false;
  }
  if (draft.persist_mode === "async") {
    if (draft.storage !== "file") throw invalidConfig("async persist mode is only supported on file storage");
    if (draft.num_replicas > 1) throw invalidConfig("async persist mode is not supported on replicated streams");
    if (draft.allow_atomic) throw invalidConfig("async persist mode is not supported with atomic batch publish");
  }
}

/**
 * Whether what a configuration implies goes together with the rest of it, which is asked of changes only: a counter may be made with delete markers, which bring
 * message TTLs along, but not changed to have them.
 */
export function checkImplied(config: StreamConfig): void {
  checkFeatures({ ...config }, false);
}

function checkMarkers(draft: DraftConfig, strict: boolean): void {
  const markerNs = draft.subject_delete_marker_ttl ?? 0;
  if (markerNs === 0) return;
  if (markerNs < 0) throw invalidConfig("subject delete marker TTL must not be negative");
  if (markerNs < SECOND_NS) throw invalidConfig("subject delete marker TTL must be at least 1 second");
  if (!draft.allow_msg_ttl && strict) throw invalidConfig("subject delete marker cannot be set if message TTLs are disabled");
  if (!draft.allow_rollup_hdrs && strict) throw invalidConfig("subject delete marker cannot be set if roll-ups are disabled");
  draft.allow_msg_ttl = true;
  draft.allow_rollup_hdrs = true;
  draft.deny_purge = false;
}

/** What the account demands of `max_bytes`. */
function checkRequiredBytes(account: AssetAccount, draft: DraftConfig): void {
  const limits = account.limitsFor(draft.num_replicas);
  if (limits.max_bytes_required && draft.max_bytes <= 0) throw apiError(10113);
  const most = draft.storage === "memory" ? limits.memory_max_stream_bytes : limits.storage_max_stream_bytes;
  if (most > 0 && draft.max_bytes > most) throw apiError(10122);
}

/** The reason why a transform cannot be used, split as the error table wants it. */
export function checkTransform(src: string, dest: string, sourceError: ErrorCode, destinationError: ErrorCode): void {
  const from = toByteString(src);
  if (from !== "") {
    try {
      SubjectTransform.compile(from, from.endsWith(">") ? ">" : "x");
    } catch (error) {
      if (error instanceof TransformError && error.message === "invalid subject") throw apiError(sourceError, { err: `${error.message} ${src}` });
    }
  }
  if (dest === "") return;
  try {
    SubjectTransform.compile(from, toByteString(dest));
  } catch (error) {
    if (!(error instanceof TransformError)) throw error;
    throw apiError(destinationError, { err: error.message });
  }
}

function checkTransforms(draft: DraftConfig, strict: boolean): void {
  const transform = draft.subject_transform;
  if (transform !== undefined) checkTransform(transform.src, transform.dest, 10155, 10156);
  if (draft.republish === undefined) return;
  if (draft.republish.src === undefined) {
    if (strict) throw pedantic("republish source can not be empty");
    draft.republish = { ...draft.republish, src: ">" };
  }
  draft.republish = republishedAsStored(draft, draft.republish);
  const { src = ">", dest } = draft.republish;
  if (dest === "") return;
  for (const subject of draft.subjects ?? []) {
    if (subjectsOverlap(toByteString(subject), toByteString(dest))) throw invalidConfig("stream configuration for republish destination forms a cycle");
  }
  try {
    SubjectTransform.compile(toByteString(src), toByteString(dest));
  } catch (error) {
    if (!(error instanceof TransformError)) throw error;
    throw invalidConfig(`stream configuration for republish with transform from '${src}' to '${dest}' not valid`);
  }
}

/** Everything to where it is: that is under the subjects that a transform of all the stream makes. */
function republishedAsStored({ subject_transform: transform, subjects = [] }: DraftConfig, republish: NonNullable<DraftConfig["republish"]>): NonNullable<DraftConfig["republish"]> {
  if (republish.src !== ">" || republish.dest !== ">" || transform === undefined || subjects.length !== 1 || subjects[0] !== transform.src) return republish;
  return { ...republish, src: transform.dest, dest: transform.dest };
}

/** Drops what is absent and adds what depends on the whole: the level of the API that the stream needs. */
function inWireOrder(draft: DraftConfig): StreamConfig {
  const metadata = { ...draft.metadata, "_nats.req.level": String(requiredLevel(draft)) };
  return present({ ...draft, metadata: inOrder(metadata) });
}

/** Without fields that are undefined, so that configurations compare and print alike however they came about. */
function present(config: StreamConfig): StreamConfig {
  return JSON.parse(JSON.stringify(config)) as StreamConfig;
}

/** A configuration that was normalised when it was stored. */
export function normaliseStored(raw: RawStreamConfig): StreamConfig {
  return present({ ...complete(raw, false), metadata: raw.metadata });
}

/** Whether two normalised configurations say the same, but for what the server itself adds to the metadata. */
export function sameConfig(a: StreamConfig, b: StreamConfig): boolean {
  return JSON.stringify(comparable(a)) === JSON.stringify(comparable(b));
}

function comparable(config: StreamConfig): StreamConfig {
  const metadata = withoutDynamicMetadata(config.metadata) ?? {};
  return { ...config, metadata: Object.keys(metadata).length === 0 ? undefined : metadata };
}

/** What a consumer's configuration may not say: the checks of section 2.4 of the consumers' spec, in the reference's order, each with its own error. */
import { hasWildcard, isSubsetOf, isValidConfiguredSubject, subjectMatches } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { formatDuration } from "../../util/duration.ts";
import { goQuote } from "../../util/quote.ts";
import { apiError } from "../api/errors.ts";
import type { ConsumerStream } from "../seams.ts";
import type { ConsumerConfig, DeliverPolicy } from "../wire.ts";
import { effectiveReplicas } from "./effective.ts";
import { isInRange, isInteger } from "./integer.ts";

const DESCRIPTION_MAX_BYTES = 4096;
const METADATA_MAX_BYTES = 128 * 1024;
const NAME_MAX_BYTES = 255;
const SHORTEST_HEARTBEAT_NS = 100_000_000;
const MILLISECOND_NS = 1_000_000;
const SECOND_NS = 1_000_000_000;
const FORBIDDEN_IN_NAMES = /[ \t\r\n\f.*>\\/]/;
const GROUP_NAME = /^[a-zA-Z0-9/_=-]{1,16}$/;

/** Throws `ApiError` for the first thing that is wrong. Defaults are filled in already. */
export function validate(stream: ConsumerStream, config: ConsumerConfig): void {
  checkNames(config);
  checkReplicas(stream, config);
  checkAcks(config);
  if (byteLength(config.description ?? "") > DESCRIPTION_MAX_BYTES) throw apiError(10107, { max: DESCRIPTION_MAX_BYTES });
  if (config.deliver_subject === undefined) checkPull(stream, config);
  else checkPush(stream, config, config.deliver_subject);
  checkLimits(stream, config);
  if (config.direct === true && config.deliver_subject === undefined) throw apiError(10090);
  if (config.direct === true && config.durable_name !== undefined) throw apiError(10091);
  checkFilters(config);
  checkStart(config);
  samplingPercent(config.sample_freq);
  if (config.flow_control === true && config.idle_heartbeat === undefined) throw apiError(10108);
  if (config.durable_name !== undefined && config.name !== undefined && config.name !== config.durable_name) throw apiError(10132);
  const metadataBytes = Object.entries(config.metadata ?? {}).reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0);
  if (metadataBytes > METADATA_MAX_BYTES) throw apiError(10135, { limit: "128KB" });
  checkGroups(config);
  if (byteLength(config.durable_name ?? "") > NAME_MAX_BYTES) throw apiError(10102, { max: NAME_MAX_BYTES });
}

/** Whether a priority group may have this name. */
export function isValidGroupName(name: string): boolean {
  return GROUP_NAME.test(name);
}

function byteLength(text: string): number {
  return toByteString(text).length;
}

function invalid(text: string): Error {
  return apiError(10052, { err: text });
}

function checkNames(config: ConsumerConfig): void {
  if (FORBIDDEN_IN_NAMES.test(config.name ?? "")) throw invalid("consumer name can not contain '.', '*', '>', '\\', '/'");
  if (FORBIDDEN_IN_NAMES.test(config.durable_name ?? "")) throw invalid("consumer durable name can not contain '.', '*', '>', '\\', '/'");
}

function checkReplicas({ config: stream }: ConsumerStream, config: ConsumerConfig): void {
  const replicas = config.num_replicas;
  if (replicas > stream.num_replicas) throw apiError(10126);
  if (replicas < 0) throw apiError(10133);
  if (stream.retention !== "limits" && replicas !== 0 && replicas !== stream.num_replicas) throw apiError(10134);
}

function checkAcks(config: ConsumerConfig): void {
  const backoff = config.backoff ?? [];
  if (backoff.some((step) => step < 0)) throw apiError(10184);
  if ((config.ack_wait ?? 0) < 0) throw apiError(10183);
  if (config.ack_policy === "flow_control") {
    if (config.deliver_subject === undefined) throw apiError(10218);
    if (config.flow_control !== true) throw apiError(10219);
    if (config.idle_heartbeat !== SECOND_NS) throw invalid("flow control ack policy heartbeat needs to be 1s");
    if ((config.max_ack_pending ?? 0) <= 0) throw apiError(10220);
    if ((config.ack_wait ?? 0) !== 0 || backoff.length > 0) throw apiError(10221);
    if ((config.max_deliver ?? 0) > 0) throw apiError(10222);
  }
  const most = config.max_deliver ?? -1;
  if (most !== -1 && backoff.length > most) throw apiError(10116);
}

function checkPush(stream: ConsumerStream, config: ConsumerConfig, deliverSubject: string): void {
  const subject = toByteString(deliverSubject);
  if (hasWildcard(subject)) throw apiError(10079);
  if (!isValidConfiguredSubject(subject)) throw apiError(10112);
  if ((stream.config.subjects ?? []).some((pattern) => subjectMatches(subject, toByteString(pattern)))) throw apiError(10081);
  if (config.max_waiting !== undefined) throw apiError(10080);
  if ((config.max_ack_pending ?? 0) > 0 && config.ack_policy === "none") throw apiError(10082);
  if (config.idle_heartbeat !== undefined && config.idle_heartbeat < SHORTEST_HEARTBEAT_NS) throw apiError(10083);
}

function checkPull(stream: ConsumerStream, config: ConsumerConfig): void {
  const { limits } = stream.account.context.settings;
  if (config.ack_policy === "none" && stream.config.retention === "workqueue") throw apiError(10084);
  if (config.rate_limit_bps !== undefined) throw apiError(10086);
  if (config.idle_heartbeat !== undefined) throw apiError(10088);
  if (config.flow_control === true) throw apiError(10089);
  if (config.max_expires !== undefined && config.max_expires < MILLISECOND_NS) throw apiError(10115);
  if (limits.maxRequestBatch > 0 && (config.max_batch ?? 0) > limits.maxRequestBatch) throw apiError(10125, { limit: limits.maxRequestBatch });
}

function checkLimits(stream: ConsumerStream, config: ConsumerConfig): void {
  const asked = config.max_ack_pending ?? 0;
  const bounds = [
    stream.account.context.settings.limits.maxAckPending,
    stream.account.limitsFor(effectiveReplicas(stream, config)).max_ack_pending,
    stream.config.consumer_limits.max_ack_pending ?? 0,
  ];
  for (const bound of bounds) if (bound > 0 && asked > bound) throw apiError(10121, { limit: bound });
  const threshold = stream.config.consumer_limits.inactive_threshold ?? 0;
  if (threshold > 0 && (config.inactive_threshold ?? 0) > threshold) throw apiError(10153, { limit: formatDuration(BigInt(threshold)) });
}

function checkFilters(config: ConsumerConfig): void {
  const { filter_subject: single, filter_subjects: several = [] } = config;
  if (single !== undefined && several.length > 0) throw apiError(10136);
  if (single !== undefined && !isValidConfiguredSubject(toByteString(single))) throw invalid("invalid subject");
  for (const filter of several) {
    if (filter === "") throw apiError(10139);
    if (!isValidConfiguredSubject(toByteString(filter))) throw invalid("invalid subject");
  }
  const filters = several.map(toByteString);
  for (let i = 0; i < filters.length; i++) {
    for (let j = 0; j < filters.length; j++) if (i !== j && isSubsetOf(filters[i], filters[j])) throw apiError(10138);
  }
}

const POLICY_TEXT: Readonly<Record<DeliverPolicy, string>> = {
  all: "all",
  last: "last",
  new: "new",
  by_start_sequence: "by start sequence",
  by_start_time: "by start time",
  last_per_subject: "last per subject",
};

function checkStart(config: ConsumerConfig): void {
  const policy = config.deliver_policy;
  const conflict = (text: string): Error => apiError(10094, { err: `consumer delivery policy is deliver ${POLICY_TEXT[policy]}, but optional ${text}` });
  const hasSeq = config.opt_start_seq !== undefined;
  const hasTime = config.opt_start_time !== undefined;
  if (policy === "by_start_sequence") {
    if (!hasSeq) throw conflict("start sequence is not set");
    if (hasTime) throw conflict("start time is also set");
    return;
  }
  if (policy === "by_start_time") {
    if (!hasTime) throw conflict("start time is not set");
    if (hasSeq) throw conflict("start start sequence is also set");
    return;
  }
  if (hasSeq) throw conflict("start sequence is also set");
  if (hasTime) throw conflict("start time is also set");
  if (policy === "last_per_subject" && config.filter_subject === undefined && config.filter_subjects === undefined) throw conflict("filter subject is not set");
}

/** Share of acknowledgements to sample, in percent; 0: none. Throws `ApiError` for what is not a number. */
export function samplingPercent(frequency: string | undefined): number {
  if (frequency === undefined) return 0;
  const text = frequency.endsWith("%") ? frequency.slice(0, -1) : frequency;
  const refuse = (why: string): Error => apiError(10095, { err: `strconv.Atoi: parsing ${goQuote(text)}: ${why}` });
  if (!isInteger(text)) throw refuse("invalid syntax");
  if (!isInRange(text)) throw refuse("value out of range");
  const percent = Number(text);
  if (percent < 0) throw apiError(10095, { err: "<nil>" });
  return percent;
}

function checkGroups(config: ConsumerConfig): void {
  const groups = config.priority_groups ?? [];
  if (config.priority_policy === undefined) {
    if (groups.length > 0) throw apiError(10196);
    if ((config.priority_timeout ?? 0) > 0) throw apiError(10197);
    return;
  }
  if (config.deliver_subject !== undefined) throw apiError(10178);
  if (groups.length === 0) throw apiError(10159);
  for (const group of groups) {
    if (group === "") throw apiError(10161);
    if (!isValidGroupName(group)) throw apiError(10162);
  }
}

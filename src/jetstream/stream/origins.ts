/** What mirrors and sources of a configuration must be like. Spec: streams, section 4.2, 13 to 16. */
import { hasWildcard, isSubsetOf, isValidConfiguredSubject, subjectsOverlap } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { goQuote } from "../../util/quote.ts";
import { apiError } from "../api/errors.ts";
import type { AssetAccount } from "../seams.ts";
import type { ExternalStream, StreamConfig, StreamSource } from "../wire.ts";
import { checkTransform, type DraftConfig, invalidConfig, isValidStreamName } from "./config.ts";

/** A stream that is reached in several ways waits several times; no more than this, whatever anybody builds. */
const HOPS_MAX = 1000;
const API_PREFIX = "$JS.API";

export function checkMirror(account: AssetAccount, draft: DraftConfig, strict: boolean): void {
  const { mirror } = draft;
  if (mirror === undefined) return;
  if (draft.first_seq !== undefined) throw apiError(10143);
  if (draft.subjects !== undefined) throw apiError(10034);
  if (draft.sources !== undefined) throw apiError(10031);
  if (draft.allow_msg_counter) throw apiError(10173);
  if (draft.allow_atomic) throw apiError(10198);
  if (draft.allow_batched) throw apiError(10209);
  if (draft.allow_msg_schedules) throw apiError(10186);
  if (mirror.consumer !== undefined && !isValidOriginConsumer(mirror)) throw apiError(10213);
  if (mirror.filter_subject !== undefined && mirror.subject_transforms !== undefined) throw apiError(10150);
  if (draft.subject_delete_marker_ttl !== undefined) throw invalidConfig("subject delete markers forbidden on mirrors");
  for (const { src, dest } of mirror.subject_transforms ?? []) checkTransform(src, dest, 10151, 10154);
  if (transformsOverlap(mirror)) throw apiError(10152);
  if (mirror.external === undefined && !isValidStreamName(mirror.name)) throw apiError(10142);
  const origin = mirror.external === undefined ? account.stream(mirror.name)?.config : undefined;
  if (origin !== undefined) {
    if (draft.max_msg_size > 0 && draft.max_msg_size < origin.max_msg_size) throw apiError(10030);
    if (strict && draft.mirror_direct !== origin.allow_direct) throw apiError(10157, { err: "origin stream has direct get set, mirror has it disabled" });
    draft.mirror_direct = origin.allow_direct;
  }
  if (mirror.external !== undefined) checkExternal(mirror.external);
}

export function checkSources(account: AssetAccount, draft: DraftConfig): void {
  if (draft.sources === undefined) return;
  if (draft.allow_msg_schedules) throw apiError(10187);
  const seen = new Set<string>();
  const consumers = new Set<string>();
  for (const source of draft.sources) {
    if (!isValidStreamName(source.name)) throw apiError(10141);
    const identity = JSON.stringify([source.name, source.external?.api, source.filter_subject ?? (source.subject_transforms === undefined ? ">" : undefined), source.subject_transforms, source.consumer?.name]);
    if (seen.has(identity)) throw apiError(10140);
    seen.add(identity);
    if (source.filter_subject !== undefined && source.subject_transforms !== undefined) throw apiError(10144);
    for (const { src, dest } of source.subject_transforms ?? []) checkTransform(src, dest, 10145, 10146);
    if (transformsOverlap(source)) throw apiError(10147);
    if (source.consumer !== undefined) {
      if (!isValidOriginConsumer(source)) throw apiError(10215);
      const consumer = JSON.stringify([source.name, source.external?.api, source.consumer.name]);
      if (consumers.has(consumer)) throw apiError(10216);
      consumers.add(consumer);
    }
    const origin = source.external === undefined ? account.stream(source.name)?.config : undefined;
    if (origin !== undefined && draft.max_msg_size > 0 && draft.max_msg_size < origin.max_msg_size) throw apiError(10046);
  }
  for (const { external } of draft.sources) if (external !== undefined) checkExternal(external);
}

/**
 * Refuses filters that are no subjects. Looked at when there is nothing else against a configuration; the reference looks only at new streams, and has sources
 * that never copy after an update.
 */
export function checkOriginFilters({ mirror, sources = [] }: StreamConfig): void {
  const fault = ({ filter_subject: filter }: StreamSource): boolean => filter !== undefined && !isValidConfiguredSubject(toByteString(filter));
  if (mirror !== undefined && fault(mirror)) throw apiError(10049, { err: `subject filter '${mirror.filter_subject}' for the mirror invalid subject` });
  for (const source of sources) if (fault(source)) throw apiError(10049, { err: `subject filter '${source.filter_subject}' for the source: invalid subject` });
}

/** A consumer made beforehand is named, delivers to a literal subject, and says itself where to start and what to filter. */
function isValidOriginConsumer({ consumer, opt_start_seq, opt_start_time, filter_subject }: StreamSource): boolean {
  if (consumer === undefined || !isValidStreamName(consumer.name)) return false;
  if (opt_start_seq !== undefined || opt_start_time !== undefined || filter_subject !== undefined) return false;
  const deliver = toByteString(consumer.deliver_subject);
  return isValidConfiguredSubject(deliver) && !hasWildcard(deliver);
}

function transformsOverlap({ subject_transforms: transforms = [] }: StreamSource): boolean {
  const filters = transforms.map(({ src }) => toByteString(src === "" ? ">" : src));
  return filters.some((filter, i) => filters.slice(i + 1).some((other) => isSubsetOf(filter, other) || isSubsetOf(other, filter)));
}

function checkExternal(external: ExternalStream): void {
  const deliver = toByteString(external.deliver);
  // The text tells of one kind of what can not be.
  if (deliver !== "" && (!isValidConfiguredSubject(deliver) || hasWildcard(deliver))) throw apiError(10024, { prefix: external.deliver });
  if (external.api === "") return;
  const api = toByteString(external.api);
  if (!isValidConfiguredSubject(api) || hasWildcard(api)) throw invalidConfig(`stream external api prefix ${goQuote(external.api)} must be a valid subject without wildcards`);
  if (subjectsOverlap(api, API_PREFIX)) throw apiError(10021, { prefix: external.api, subject: API_PREFIX });
}

/**
 * Refuses a configuration through which a message could come back to the stream it came from. As in the reference, a stream that was looked at already is taken for
 * such a way back, also where two ways only meet in it, and only the filter of the last hop counts.
 */
export function checkOriginsForCycles(account: AssetAccount, draft: DraftConfig): void {
  const seen = new Set<string>();
  const waiting: StreamConfig[] = [draft];
  for (let config = waiting.shift(); config !== undefined; config = waiting.shift()) {
    seen.add(config.name);
    for (const source of [...(config.mirror === undefined ? [] : [config.mirror]), ...(config.sources ?? [])]) {
      if (source.external !== undefined) continue;
      if (seen.has(source.name)) {
        if (passes(config, source)) throw invalidConfig("detected cycle");
        continue;
      }
      const origin = account.stream(source.name)?.config;
      if (origin !== undefined && waiting.length < HOPS_MAX) waiting.push(origin);
    }
  }
}

/** Whether the filter of `source` meets the subjects of the stream that has it, which is what the reference asks. */
function passes(owner: StreamConfig, source: StreamSource): boolean {
  const filter = source.filter_subject;
  if (filter === undefined) return true;
  return (owner.subjects ?? []).some((subject) => subjectsOverlap(toByteString(subject), toByteString(filter)));
}

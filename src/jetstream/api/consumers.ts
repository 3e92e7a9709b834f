/** Requests about consumers. Spec: consumers, section 1. Pull requests and resets are not here: their consumer answers them itself. */
import { decodeJson, decodeLenient, int, JsonError, object, type Shape, text, time } from "../json/index.ts";
import {
  type Consumer,
  type ConsumerRequest,
  type Consumers,
  consumerInfo,
  consumerRequestShape,
  consumersOf,
  headerValue,
  inUtc,
  isValidGroupName,
  normaliseConsumerConfig,
  ZERO_TIME,
} from "../consumer/index.ts";
import { fromByteString } from "../../util/bytes.ts";
import { apiError } from "./errors.ts";
import { isLevelMet } from "./dispatch.ts";
import { type ApiAnswer, type ApiRequest, isEmptyBody, type Route } from "./router.ts";

const NAMES_PAGE = 1024;
const LIST_PAGE = 256;
const IDENTITY_HEADER = "Nats-Stream-Identity:";
const SOURCING_SUFFIX_LENGTH = 8;

export const consumerRoutes: readonly Route[] = [
  { pattern: "CONSUMER.CREATE.*", type: "consumer_create_response", looksAtLevel: true, handle: (request) => create(request, "unnamed") },
  { pattern: "CONSUMER.CREATE.*.*", type: "consumer_create_response", looksAtLevel: true, handle: (request) => create(request, "named") },
  { pattern: "CONSUMER.CREATE.*.*.>", type: "consumer_create_response", looksAtLevel: true, handle: (request) => create(request, "named") },
  { pattern: "CONSUMER.DURABLE.CREATE.*.*", type: "consumer_create_response", looksAtLevel: true, handle: (request) => create(request, "durable") },
  { pattern: "CONSUMER.NAMES.*", type: "consumer_names_response", informs: true, onError: { total: 0, offset: 0, limit: 0, consumers: [] }, handle: names },
  { pattern: "CONSUMER.LIST.*", type: "consumer_list_response", informs: true, onError: { total: 0, offset: 0, limit: 0, consumers: [] }, handle: list },
  { pattern: "CONSUMER.INFO.*.*", type: "consumer_info_response", informs: true, looksAtLevel: true, handle: info },
  { pattern: "CONSUMER.DELETE.*.*", type: "consumer_delete_response", handle: remove },
  { pattern: "CONSUMER.PAUSE.*.*", type: "consumer_pause_response", looksAtLevel: true, onError: { paused: false, pause_until: ZERO_TIME }, handle: pause },
  { pattern: "CONSUMER.UNPIN.*.*", type: "consumer_unpin_response", handle: unpin },
  {
    pattern: "CONSUMER.LEADER.STEPDOWN.*.*",
    type: "consumer_leader_stepdown_response",
    looksAtLevel: true,
    handle: () => {
      throw apiError(10010);
    },
  },
];

/** What the subject of a create request says: no name, a name, a durable name. */
type CreateForm = "unnamed" | "named" | "durable";

type RawConfig = NonNullable<ConsumerRequest["config"]>;

/** As the server is configured, or as one value whatever that says. */
function decode<T>({ account, body }: ApiRequest, shape: Shape<T>, way: "configured" | "whole" = "configured"): T {
  try {
    if (way === "whole") return decodeJson(body, shape, false);
    return account.context.settings.strict ? decodeJson(body, shape, true) : decodeLenient(body, shape);
  } catch (error) {
    if (error instanceof JsonError) throw apiError(10025, { err: error.message });
    throw error;
  }
}

/** Throws 10185. Where the body is looked at first, the handler calls this itself. */
function checkLevel({ header }: ApiRequest): void {
  if (!isLevelMet(header)) throw apiError(10185);
}

function streamOf({ account, tokens }: ApiRequest): Consumers {
  const consumers = consumersOf(account, fromByteString(tokens[0]));
  if (consumers === undefined) throw apiError(10059);
  return consumers;
}

function consumerOf(request: ApiRequest): { readonly consumers: Consumers; readonly consumer: Consumer } {
  const consumers = streamOf(request);
  const name = fromByteString(request.tokens[1]);
  const consumer = consumers.get(name);
  const offline = consumers.offlineReason(name);
  if (offline !== undefined) throw apiError(10195, { err: offline });
  if (consumer === undefined) throw apiError(10014);
  return { consumers, consumer };
}

// Create

function create(request: ApiRequest, form: CreateForm): ApiAnswer | Promise<ApiAnswer> {
  const body = decode(request, consumerRequestShape);
  checkLevel(request);
  const [streamName, name, filter] = request.tokens.map(fromByteString);
  const raw = { ...body.config };
  if (body.stream_name !== streamName) throw apiError(10056);
  checkForm(raw, form, name, filter);
  if ((raw.num_replicas ?? 0) > 1) throw apiError(10074);
  const consumers = streamOf(request);
  const identity = headerValue(request.header, IDENTITY_HEADER) ?? "";
  const isInternal = raw.direct === true || raw.sourcing === true;
  if (isInternal && identity !== "" && identity !== consumers.streamIdentity) throw apiError(10225, { msg: consumers.streamIdentity });
  const named = form === "unnamed" ? raw : { ...raw, name };
  const { config: wanted, name: internalName } = forSourcing(consumers, named);
  const config = normaliseConsumerConfig(consumers.stream, wanted, body.pedantic ?? false);
  const header = isInternal ? `NATS/1.0\r\n${IDENTITY_HEADER} ${consumers.streamIdentity}\r\n\r\n` : undefined;
  const answer = (consumer: Consumer): ApiAnswer | Promise<ApiAnswer> => {
    if (config.sourcing === true && config.direct !== true) consumers.reset(consumer, consumer.state.floor.seq + 1);
    return whenCounted(consumer, () => ({ body: { ...consumerInfo(consumer, "shown") }, ...(header === undefined ? {} : { header }) }));
  };
  const applied = consumers.apply(internalName ?? config.durable_name ?? config.name ?? consumers.unusedName(), config, body.action ?? "");
  return applied instanceof Promise ? applied.then(answer) : answer(applied);
}

/** Infos tell how many messages wait, which may have to be counted first. */
function whenCounted(consumer: Consumer, answer: () => ApiAnswer): ApiAnswer | Promise<ApiAnswer> {
  return consumer.counted?.then(answer) ?? answer();
}

/** What subject and configuration say must fit together. */
function checkForm(raw: RawConfig, form: CreateForm, subjectName: string | undefined, filter: string | undefined): void {
  const durable = raw.durable_name ?? "";
  if (/[/\\]/.test(subjectName ?? raw.name ?? "")) throw apiError(10127);
  if (form === "durable" && durable === "") throw apiError(10018);
  if (form !== "unnamed" && durable !== "" && durable !== subjectName) throw apiError(10017);
  if (form === "unnamed" && durable !== "") throw apiError(10020);
  if (filter === undefined) return;
  if ((raw.filter_subjects?.length ?? 0) > 0) throw apiError(10137);
  if (filter !== (raw.filter_subject ?? "")) throw apiError(10131);
}

/**
 * A consumer that another stream copies from: where messages stay anyway it is ephemeral, and each has a name of its own; where they go once they are settled
 * it becomes durable, so that nothing goes before it is copied.
 */
function forSourcing({ stream }: Consumers, raw: RawConfig): { readonly config: RawConfig; readonly name?: string } {
  if (raw.direct !== true || raw.sourcing !== true || (raw.name ?? "") === "") return { config: raw };
  if (stream.config.retention === "limits") {
    const name = `${raw.name}-${stream.account.context.nuid().slice(-SOURCING_SUFFIX_LENGTH)}`;
    return { config: { ...raw, name }, name };
  }
  const present = consumersOf(stream.account, stream.name)?.get(raw.name ?? "");
  const start =
    present === undefined
      ? {}
      : { deliver_policy: present.config.deliver_policy, opt_start_seq: present.config.opt_start_seq, opt_start_time: present.config.opt_start_time };
  return {
    config: { ...raw, direct: false, durable_name: raw.name, ack_policy: "flow_control", ack_wait: 0, max_deliver: 0, inactive_threshold: 0, ...start },
  };
}

// Names and lists

const pageShape = object({ offset: int }, "JSApiConsumersRequest");

function offsetOf(request: ApiRequest, total: number): number {
  const body = request.body.trimStart();
  if (!body.startsWith("{") && !body.startsWith("[")) return 0;
  const { offset = 0 } = decode(request, pageShape);
  return Math.min(Math.max(0, offset), total);
}

function names(request: ApiRequest): ApiAnswer {
  // The body is looked at first: a stream that does not exist matters less than a request that cannot be read.
  offsetOf(request, 0);
  const all = streamOf(request).sorted(false);
  const offset = offsetOf(request, all.length);
  return { body: { total: all.length, offset, limit: NAMES_PAGE, consumers: all.slice(offset, offset + NAMES_PAGE).map(({ name }) => name) } };
}

function list(request: ApiRequest): ApiAnswer {
  offsetOf(request, 0);
  const consumers = streamOf(request);
  const all = consumers.sorted(false);
  const offset = offsetOf(request, all.length);
  const offline = Object.fromEntries([...consumers.offline().values()].map(({ name, reason }) => [name, reason]));
  const missing = Object.keys(offline);
  return {
    body: {
      total: all.length,
      offset,
      limit: LIST_PAGE,
      consumers: all.slice(offset, offset + LIST_PAGE).map((consumer) => consumerInfo(consumer, "stored")),
      ...(missing.length === 0 ? {} : { missing, offline }),
    },
  };
}

// One consumer

function info(request: ApiRequest): ApiAnswer | Promise<ApiAnswer> {
  if (!isEmptyBody(request.body)) throw apiError(10038);
  checkLevel(request);
  const { consumer } = consumerOf(request);
  return whenCounted(consumer, () => ({ body: { ...consumerInfo(consumer, "shown") } }));
}

function remove(request: ApiRequest): ApiAnswer {
  if (!isEmptyBody(request.body)) throw apiError(10038);
  const consumers = streamOf(request);
  if (!consumers.deleteOffline(fromByteString(request.tokens[1]))) consumers.delete(consumerOf(request).consumer);
  return { body: { success: true } };
}

const pauseShape = object({ pause_until: time }, "JSApiConsumerPauseRequest");

function pause(request: ApiRequest): ApiAnswer {
  const first = request.body.trimStart()[0];
  const { pause_until: until = ZERO_TIME } = first === "{" || first === "[" ? decode(request, pauseShape) : {};
  const asked = inUtc(until);
  checkLevel(request);
  const { consumers, consumer } = consumerOf(request);
  consumers.pause(consumer, asked === ZERO_TIME ? undefined : asked);
  const { isPaused, remainingNs } = consumer.pause;
  return { body: { paused: isPaused, pause_until: asked, ...(isPaused ? { pause_remaining: remainingNs } : {}) } };
}

const unpinShape = object({ group: text }, "JSApiConsumerUnpinRequest");

function unpin(request: ApiRequest): ApiAnswer {
  const { group = "" } = decode(request, unpinShape, "whole");
  if (group === "") throw apiError(10025, { err: "consumer group not specified" });
  if (!isValidGroupName(group)) throw apiError(10162);
  const { consumer } = consumerOf(request);
  if (!(consumer.config.priority_groups ?? []).includes(group)) throw apiError(10160);
  consumer.pull?.unpin(group);
  return { body: {} };
}

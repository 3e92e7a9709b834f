/** Requests about streams. Spec: streams, section 2. */
import { decodeJson, decodeLenient, JsonError, bool, int, object, type Shape, text, uint64 } from "../json/index.ts";
import { DiskError } from "../../platform/index.ts";
import { subjectsOverlap } from "../../routing/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import type { JetStreamAccount } from "../account.ts";
import { discardFolder } from "../store/index.ts";
import { type Sliced, startInSlices } from "../slices.ts";
import { checkImplied, checkOriginFilters, checkOverlap, checkUpdate, type DetailedInfo, detailedInfo, draftOf, infoAfterChange, invalidConfig, listedInfo, NO_PAGES, normaliseStreamConfig, type RawStreamConfig, sameConfig, Stream, streamRequestShape } from "../stream/index.ts";
import type { StreamConfig, StreamInfo } from "../wire.ts";
import { ApiError, apiError } from "./errors.ts";
import { type ApiAnswer, type ApiRequest, isEmptyBody, type Route } from "./router.ts";

const NAMES_PAGE = 1024;
const LIST_PAGE = 256;
/** The reference takes that long to see that nobody answers for a stream. */
const OFFLINE_DELAY_MS = 500;

export const streamRoutes: readonly Route[] = [
  { pattern: "STREAM.CREATE.*", type: "stream_create_response", handle: create },
  { pattern: "STREAM.UPDATE.*", type: "stream_update_response", handle: update },
  { pattern: "STREAM.DELETE.*", type: "stream_delete_response", handle: remove },
  { pattern: "STREAM.PURGE.*", type: "stream_purge_response", onError: { purged: 0 }, handle: purge },
  { pattern: "STREAM.INFO.*", type: "stream_info_response", informs: true, onError: { ...NO_PAGES }, handle: info },
  { pattern: "STREAM.NAMES", type: "stream_names_response", informs: true, onError: { total: 0, offset: 0, limit: 0, streams: null }, handle: names },
  { pattern: "STREAM.LIST", type: "stream_list_response", informs: true, onError: { total: 0, offset: 0, limit: 0, streams: [] }, handle: list },
];

/** Decodes a body; an empty one is an empty object. Throws 10025. */
export function decodeBody<T>(request: ApiRequest, shape: Shape<T>): T {
  try {
    const body = request.body === "" ? "{}" : request.body;
    return request.account.context.settings.strict ? decodeJson(body, shape, true) : decodeLenient(body, shape);
  } catch (error) {
    if (error instanceof JsonError) throw apiError(10025, { err: error.message });
    throw error;
  }
}

/** As `decodeBody`, for requests whose body is read only when it looks like JSON. */
function decodeOptional<T>(request: ApiRequest, shape: Shape<T>): T {
  return decodeBody(/^\s*[{[]/.test(request.body) ? request : { ...request, body: "" }, shape);
}

/** The stream that a request names in its subject. Throws 10059. */
export function streamOf({ account, tokens }: ApiRequest): Stream {
  const stream = account.stream(fromByteString(tokens[0]));
  if (stream === undefined) throw apiError(10059);
  return stream;
}

/** Waits before an answer about a stream that nobody serves. Rejects with 10194. */
function offline(account: JetStreamAccount, reason: string): Promise<never> {
  return new Promise((_, reject) => account.context.clock.after(OFFLINE_DELAY_MS, () => reject(apiError(10194, { err: reason }))));
}

function create(request: ApiRequest): ApiAnswer | Promise<ApiAnswer> {
  const { account } = request;
  const raw = decodeBody(request, streamRequestShape);
  checkName(request, raw);
  if (raw.sealed) throw invalidConfig("stream configuration for create can not be sealed");
  if (raw.mirror_direct && raw.mirror === undefined) throw invalidConfig("stream has no mirror but does have mirror direct");
  // Whether there is room comes first, as far as the request itself says for what.
  const draft = draftOf(raw);
  if (raw.storage === undefined) account.checkCounts(draft);
  else checkRoom(account, draft);
  const config = normaliseStreamConfig(account, raw, raw.pedantic ?? false);
  if (config.num_replicas > 1) throw apiError(10074);
  const present = account.stream(config.name);
  if (present !== undefined) {
    if (!sameConfig(present.config, config)) throw apiError(10058);
    return { body: { ...infoAfterChange(present, false), did_create: true } };
  }
  if (account.arriving.has(config.name)) throw apiError(10058);
  checkPlace(account, config);
  const stream = make(account, config);
  // Before the advisory, which the stream itself may be the one to store.
  const body = { ...infoAfterChange(stream, false), did_create: true };
  const done = (): ApiAnswer => {
    adviseAction(stream, "create");
    return { body };
  };
  return stream.lasting?.then(done, (error: unknown) => unmade(stream, error)) ?? done();
}

/** The device did not take the new stream's configuration. */
function unmade(stream: Stream, error: unknown): never {
  stream.delete();
  throw refusal(stream.account, stream.name, error);
}

function refusal(account: JetStreamAccount, name: string, error: unknown): ApiError {
  account.context.log.error(`JetStream stream '${account.name} > ${name}' can not be made: ${error instanceof Error ? error.message : String(error)}`);
  return apiError(10049, { err: "error creating store for stream" });
}

function checkRoom(account: JetStreamAccount, config: StreamConfig): void {
  account.checkLimits(config, account.context.reserved(config.storage, { account: account.name, stream: config.name }));
}

/** Whether a new stream of this configuration fits in. Throws `ApiError`. */
export function checkPlace(account: JetStreamAccount, config: StreamConfig): void {
  checkRoom(account, config);
  if (config.num_replicas > 1) throw apiError(10074);
  checkOriginFilters(config);
  checkOverlap(account, config);
}

function make(account: JetStreamAccount, config: StreamConfig): Stream {
  try {
    return Stream.create(account, config, account.context.clock.nowNs());
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw refusal(account, config.name, error);
  }
}

function checkName({ tokens }: ApiRequest, raw: RawStreamConfig): void {
  const name = raw.name ?? "";
  if (toByteString(name) !== tokens[0]) throw apiError(10056);
  if (/[\\/]/.test(name)) throw apiError(10128);
}

function update(request: ApiRequest): ApiAnswer | Promise<ApiAnswer> {
  const { account } = request;
  const raw = decodeBody(request, streamRequestShape);
  const wanted = normaliseStreamConfig(account, raw, raw.pedantic ?? false);
  checkName(request, raw);
  const reason = account.offline.get(wanted.name);
  if (reason !== undefined) return offline(account, reason);
  const stream = streamOf(request);
  checkImplied(wanted);
  const config = checkUpdate(stream.config, wanted);
  checkRoom(account, config);
  checkOverlap(account, config);
  checkOriginFilters(config);
  const violating = stream.consumers.violating(config.consumer_limits);
  if (violating.length > 0) throw apiError(10069, { err: `change to limits violates consumers: ${violating.join(", ")}` });
  const answer = (): ApiAnswer => {
    const body = { ...infoAfterChange(stream, true) };
    adviseAction(stream, "modify");
    return { body };
  };
  try {
    return stream.update(config)?.then(answer) ?? answer();
  } catch (error) {
    throw error instanceof DiskError ? apiError(10069, { err: error.message }) : error;
  }
}

function remove(request: ApiRequest): ApiAnswer {
  const { account } = request;
  if (!isEmptyBody(request.body)) throw apiError(10038);
  const name = fromByteString(request.tokens[0]);
  if (account.offline.delete(name)) {
    discardFolder(account.context, `${account.folder}/${name}`);
    return { body: { success: true } };
  }
  const stream = streamOf(request);
  stream.settle();
  stream.delete();
  adviseAction(stream, "delete");
  return { body: { success: true } };
}

const ACTION_SUBJECTS = { create: "CREATED", modify: "UPDATED", delete: "DELETED" } as const;

/** The advisory about a stream that came, changed or went. */
export function adviseAction({ account, name }: Stream, action: keyof typeof ACTION_SUBJECTS): void {
  account.advise(`ADVISORY.STREAM.${ACTION_SUBJECTS[action]}.${name}`, "stream_action", { stream: name, action });
}

const purgeShape = object({ seq: uint64, filter: text, keep: uint64 }, "JSApiStreamPurgeRequest");

/** Answers once what was done to the messages of the stream is safe. */
export function answerWhenSafe(stream: Stream, body: ApiAnswer["body"]): ApiAnswer | Promise<ApiAnswer> {
  return stream.commit()?.then(() => ({ body })) ?? { body };
}

function purge(request: ApiRequest): ApiAnswer | Promise<ApiAnswer> {
  const { seq = 0, filter = "", keep = 0 } = decodeOptional(request, purgeShape);
  if (seq > 0 && keep > 0) throw apiError(10003);
  const stream = streamOf(request);
  if (stream.config.sealed) throw apiError(10109);
  if (stream.config.deny_purge) throw apiError(10110, { err: "stream purge not permitted" });
  stream.settle();
  const answer = (purged: number): ApiAnswer | Promise<ApiAnswer> => answerWhenSafe(stream, { success: true, purged });
  const purged = stream.purger.purge({ seq, keep, filter: filter === "" ? undefined : toByteString(filter) });
  return purged instanceof Promise ? purged.then(answer) : answer(purged);
}

const infoShape = object({ offset: int, deleted_details: bool, subjects_filter: text }, "JSApiStreamInfoRequest");

function info(request: ApiRequest): ApiAnswer | Promise<ApiAnswer> {
  const { offset = 0, deleted_details: deleted = false, subjects_filter: subjects = "" } = decodeOptional(request, infoShape);
  const reason = request.account.offline.get(fromByteString(request.tokens[0]));
  if (reason !== undefined) return offline(request.account, reason);
  const work = detailedInfo(streamOf(request), { deleted, subjects: toByteString(subjects), offset: Math.max(0, offset) });
  const answer = ({ paging, info }: DetailedInfo): ApiAnswer => ({ body: { ...paging, ...info }, isLarge: info.state.subjects !== undefined || info.state.deleted !== undefined });
  const found = startInSlices(request.account.context, work);
  return found instanceof Promise ? found.then(answer) : answer(found);
}

const namesShape = object({ offset: int, subject: text }, "JSApiStreamNamesRequest");
const listShape = object({ offset: int, subject: text }, "JSApiStreamListRequest");

/** Streams that a paged request asks for, and where its page begins. */
function page(request: ApiRequest, shape: typeof namesShape): { readonly streams: Stream[]; readonly offset: number } {
  const { offset = 0, subject = "" } = decodeOptional(request, shape);
  const filter = toByteString(subject);
  const all = request.account.sortedStreams();
  const streams = filter === "" ? all : all.filter(({ config }) => (config.subjects ?? []).some((own) => subjectsOverlap(toByteString(own), filter)));
  return { streams, offset: Math.min(Math.max(0, offset), streams.length) };
}

function names(request: ApiRequest): ApiAnswer {
  const { streams, offset } = page(request, namesShape);
  const names = streams.slice(offset, offset + NAMES_PAGE).map(({ name }) => name);
  return { body: { total: streams.length, offset, limit: NAMES_PAGE, streams: names.length === 0 ? null : names } };
}

function list(request: ApiRequest): ApiAnswer | Promise<ApiAnswer> {
  const { streams, offset } = page(request, listShape);
  const answer = (infos: readonly StreamInfo[]): ApiAnswer => {
    const { offline } = request.account;
    const reasons = Object.fromEntries([...offline].sort(([a], [b]) => (a < b ? -1 : 1)));
    return {
      body: {
        total: streams.length,
        offset,
        limit: LIST_PAGE,
        streams: infos,
        ...(offline.size === 0 ? {} : { missing: Object.keys(reasons), offline: reasons }),
      },
    };
  };
  const infos = startInSlices(request.account.context, listed(streams.slice(offset, offset + LIST_PAGE)));
  return infos instanceof Promise ? infos.then(answer) : answer(infos);
}

/** For the time of its first message each stream may have to read. */
function* listed(streams: readonly Stream[]): Sliced<readonly StreamInfo[]> {
  const infos: StreamInfo[] = [];
  for (const stream of streams) {
    if (stream.isClosed) continue;
    infos.push(listedInfo(stream));
    yield;
  }
  return infos;
}

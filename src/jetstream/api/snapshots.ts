/** Requests to back a stream up, and to bring one back. Spec: streams, section 10. */
import { bool, int, object, text, time, uint64 } from "../json/index.ts";
import { isValidLiteralSubject } from "../../routing/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { Restore, Snapshot } from "../archive/index.ts";
import { checkOriginFilters, normaliseStreamConfig, stateOf, streamConfigShape } from "../stream/index.ts";
import type { StreamConfig } from "../wire.ts";
import { ApiError, apiError } from "./errors.ts";
import { type ApiAnswer, type ApiRequest, isEmptyBody, type Route } from "./router.ts";
import { adviseAction, checkPlace, decodeBody, streamOf } from "./streams.ts";

export const snapshotRoutes: readonly Route[] = [
  { pattern: "STREAM.SNAPSHOT.*", type: "stream_snapshot_response", handle: snapshot },
  { pattern: "STREAM.RESTORE.*", type: "stream_restore_response", onError: { deliver_subject: "" }, handle: restore },
];

const KIB = 1024;
const CHUNK_BYTES_DEFAULT = 128 * KIB;
const CHUNK_BYTES_MIN = KIB;
const CHUNK_BYTES_MAX = KIB * KIB;
const WINDOW_BYTES_DEFAULT = 8 * KIB * KIB;
const WINDOW_BYTES_MIN = KIB;
const WINDOW_BYTES_MAX = 32 * KIB * KIB;

const snapshotShape = object({ deliver_subject: text, no_consumers: bool, chunk_size: int, window_size: int, jsck: bool }, "JSApiStreamSnapshotRequest");

function snapshot(request: ApiRequest): ApiAnswer {
  const { account } = request;
  if (isEmptyBody(request.body)) throw apiError(10003);
  const stream = streamOf(request);
  const wanted = decodeBody(request, snapshotShape);
  const deliverSubject = toByteString(wanted.deliver_subject ?? "");
  if (!isValidLiteralSubject(deliverSubject) || /\s/.test(deliverSubject)) throw apiError(10015);
  const chunkBytes = within(wanted.chunk_size, CHUNK_BYTES_DEFAULT, CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
  const windowBytes = Math.max(chunkBytes, within(wanted.window_size, WINDOW_BYTES_DEFAULT, WINDOW_BYTES_MIN, WINDOW_BYTES_MAX));
  const state = stateOf(stream);
  new Snapshot(
    stream,
    {
      deliverSubject,
      chunkBytes,
      window: Math.max(1, Math.floor(windowBytes / chunkBytes)),
      withConsumers: wanted.no_consumers !== true,
      isCheck: wanted.jsck === true,
      client: account.context.clientInfo(request.origin),
    },
    state,
  ).start();
  return { body: { config: stream.config, state } };
}

/** What is absent or makes no sense gets the default. */
function within(value: number | undefined, fallback: number, min: number, max: number): number {
  return value === undefined || value <= 0 ? fallback : Math.min(max, Math.max(min, value));
}

const restoreStateShape = object(
  { messages: uint64, bytes: uint64, first_seq: uint64, first_ts: time, last_seq: uint64, last_ts: time, consumer_count: int, num_subjects: int, num_deleted: int },
  "StreamState",
);
const restoreShape = object({ config: streamConfigShape, state: restoreStateShape }, "JSApiStreamRestoreRequest");

function restore(request: ApiRequest): ApiAnswer {
  const { account } = request;
  if (isEmptyBody(request.body)) throw apiError(10003);
  const { config: raw = {}, state = {} } = decodeBody(request, restoreShape);
  const name = fromByteString(request.tokens[0]);
  if (raw.name !== undefined && raw.name !== "" && raw.name !== name) throw apiError(10056);
  if (/[\\/]/.test(name)) throw apiError(10128);
  const config = normaliseStreamConfig(account, { ...raw, name }, false);
  checkOriginFilters(config);
  account.checkLimits(config, account.context.reserved(config.storage, { account: account.name, stream: name }));
  if (account.stream(name) !== undefined || account.arriving.has(name)) throw apiError(10130);
  const session = begin(request, { config, expectedBytes: state.bytes ?? 0, checkPlace: () => checkStillFits(request, config) });
  session.start();
  return { body: { deliver_subject: session.deliverSubject } };
}

/** The archive is complete, and others may have taken the stream's place. Throws `ApiError`. */
function checkStillFits({ account }: ApiRequest, config: StreamConfig): void {
  if (account.stream(config.name) !== undefined || account.arriving.has(config.name)) throw apiError(10130);
  try {
    checkPlace(account, config);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw apiError(10062, { err: `error adding stream: ${error.body.description} (${error.body.err_code})` });
  }
}

function begin({ account, origin }: ApiRequest, plan: Pick<ConstructorParameters<typeof Restore>[1], "config" | "expectedBytes" | "checkPlace">): Restore {
  try {
    return new Restore(account, { ...plan, client: account.context.clientInfo(origin), onRestored: (stream) => adviseAction(stream, "create") });
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw apiError(10062, { err: error instanceof Error ? error.message : String(error) });
  }
}

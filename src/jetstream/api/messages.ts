/** Requests about single messages. Spec: streams, sections 2.4 and 2.5. */
import { bool, int, object, text, time, uint64 } from "../json/index.ts";
import { startInSlices } from "../slices.ts";
import { StoredMessage } from "../store/index.ts";
import { selectMessage, type Stream, timeOf, whileOpen } from "../stream/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { type ApiErrorBody, apiError, errorBody } from "./errors.ts";
import { type ApiAnswer, type ApiRequest, isEmptyBody, type Route } from "./router.ts";
import { answerWhenSafe, decodeBody, streamOf } from "./streams.ts";

export const messageRoutes: readonly Route[] = [
  { pattern: "STREAM.MSG.GET.*", type: "stream_msg_get_response", quiet: true, handle: get },
  { pattern: "STREAM.MSG.DELETE.*", type: "stream_msg_delete_response", handle: remove },
];

const getShape = object(
  {
    seq: uint64,
    last_by_subj: text,
    next_by_subj: text,
    batch: int,
    max_bytes: int,
    start_time: time,
    no_hdr: bool,
  },
  "JSApiMsgGetRequest",
);

const view = new StoredMessage();

function get(request: ApiRequest): ApiAnswer | undefined | Promise<ApiAnswer> {
  if (request.body === "") throw apiError(10003);
  const { seq = 0, last_by_subj: last = "", next_by_subj: next = "", batch = 0, max_bytes: maxBytes = 0, start_time: startTime = "", no_hdr: noHeaders = false } = decodeBody(request, getShape);
  const asksNothing = seq === 0 && last === "" && next === "" && startTime === "";
  const conflicts = (seq > 0 && last !== "") || (seq > 0 && startTime !== "") || (startTime !== "" && last !== "") || (last !== "" && next !== "");
  if (batch !== 0 || maxBytes !== 0 || asksNothing || conflicts) throw apiError(10003);
  if (request.account.offline.has(fromByteString(request.tokens[0]))) return undefined;
  const stream = streamOf(request);
  stream.settle();
  const work = selectMessage(stream, { seq, last: toByteString(last), next: toByteString(next), startTime }, view);
  const found = typeof work === "number" ? work : startInSlices(request.account.context, whileOpen(stream, work));
  // What was found in a later slice is read again: others have used the view since.
  return found instanceof Promise ? found.then((seq) => shown(seq !== 0 && !stream.isClosed && stream.store.load(seq, view) ? seq : 0, noHeaders)) : shown(found, noHeaders);
}

/** What is in the view. Throws 10037. */
function shown(found: number, noHeaders: boolean): ApiAnswer {
  if (found === 0) throw apiError(10037);
  const { buffer, headerStart, bodyStart, end } = view;
  return {
    body: {
      message: {
        subject: fromByteString(view.subject),
        seq: found,
        ...(noHeaders || headerStart === bodyStart ? {} : { hdrs: buffer.toString("base64", headerStart, bodyStart) }),
        ...(bodyStart === end ? {} : { data: buffer.toString("base64", bodyStart, end) }),
        time: timeOf(view),
      },
    },
  };
}

const removeShape = object({ seq: uint64, no_erase: bool }, "JSApiMsgDeleteRequest");

function remove(request: ApiRequest): ApiAnswer | Promise<ApiAnswer> {
  if (isEmptyBody(request.body)) throw apiError(10003);
  const { seq = 0, no_erase: keepsBytes = false } = decodeBody(request, removeShape);
  const stream = streamOf(request);
  if (stream.config.sealed) throw apiError(10109);
  if (stream.config.deny_delete) throw apiError(10057, { err: "message delete not permitted" });
  stream.settle();
  if (stream.removeMessage(seq, !keepsBytes) !== undefined) return answerWhenSafe(stream, { success: true });
  // The reference does not count these as errors.
  return { body: { error: absence(stream, seq) } };
}

/** Why there is no message to remove. A store in memory knows only what it has. */
function absence(stream: Stream, seq: number): ApiErrorBody {
  if (stream.config.storage === "memory") return errorBody(10043, { seq });
  if (seq > stream.lastSeq) return errorBody(10057, { err: "stream store EOF" });
  return seq === 0 || seq < stream.store.state.firstSeq ? errorBody(10057, { err: "no message found" }) : errorBody(10043, { seq });
}

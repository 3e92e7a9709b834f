/**
 * Whether a message may be stored, and how: every header that asks for something, in the order in which the reference looks at them. Nothing is changed here.
 * Messages of an atomic batch are examined one after the other with the effects of those before them. Spec: streams, section 5.2 and 5.9.
 */
import { hasWildcard } from "../../routing/index.ts";
import { fromByteString } from "../../util/bytes.ts";
import { goQuoteBytes } from "../../util/quote.ts";
import { type ApiErrorBody, errorBody } from "../api/errors.ts";
import type { BatchEffects } from "./batcheffects.ts";
import { addToCounter } from "./counter.ts";
import { H, HEADER_NAMES, type PublishHeaders, withHeaders, withoutHeaders } from "./headers.ts";
import { type Judgement, type PublishInput, Rollup } from "./judgement.ts";
import { examineSchedule } from "./schedulecheck.ts";
import type { Stream } from "./stream.ts";
import { parseTtl } from "./ttl.ts";

const RECORD_MAX_BYTES = 32 * 1024 * 1024;
export const HEADER_MAX_BYTES = 65535;

/** Unsigned decimal; anything else is a number that no sequence has. */
function sequenceOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

/** Examines a message with headers. Returns why it is refused; fills `into` otherwise. */
export function examine(stream: Stream, input: PublishInput, headers: PublishHeaders, into: Judgement, batch: BatchEffects | undefined): ApiErrorBody | undefined {
  into.clear();
  const refusal =
    examineFirst(stream, input, headers, batch !== undefined) ??
    (batch === undefined ? undefined : examineBatched(stream, headers, batch)) ??
    examineExpected(stream, input, headers, batch) ??
    examineSchedule(stream, input, headers, into) ??
    ((headers.get(H.StreamSource) ?? "") === "" ? undefined : errorBody(10227)) ??
    examineIdentity(stream, headers, into);
  if (refusal !== undefined || into.duplicateOf > 0) return refusal;
  return examineRollup(stream, input, headers, into, batch) ?? examineCounter(stream, input, headers, into, batch) ?? examineTtl(stream, input, headers, into, batch) ?? edit(stream, input, headers, into);
}

/** What is refused by sight of the headers alone. */
function examineFirst(stream: Stream, input: PublishInput, headers: PublishHeaders, inBatch: boolean): ApiErrorBody | undefined {
  const { config } = stream;
  if (stream.store.kind === "file" && input.end - input.headerStart + input.subject.length > RECORD_MAX_BYTES) return errorBody(10077, { err: "message too large" });
  if (config.sealed) return errorBody(10109);
  const tooLarge = headers.get(H.RequestInfo) === undefined ? examineSizes(stream, input) : examineSizesWithoutInfo(stream, input);
  if (tooLarge !== undefined) return tooLarge;
  const increment = headers.get(H.Incr);
  if (increment !== undefined && increment !== "") {
    if (!/^[+-]?\d+$/.test(increment)) return errorBody(10171);
    if (!config.allow_msg_counter) return errorBody(10168);
    if (input.payloadLength > 0) return errorBody(10170);
    if (COUNTER_EXCLUDES.some((place) => (headers.get(place) ?? "") !== "")) return errorBody(10171);
  }
  const expectedStream = headers.get(H.ExpectedStream);
  if (expectedStream !== undefined && expectedStream !== "" && expectedStream !== stream.nameBytes) return errorBody(10060);
  const ttl = headers.get(H.Ttl);
  if (ttl !== undefined && ttl !== "" && !config.allow_msg_ttl && (inBatch || parseTtl(ttl) !== undefined)) return errorBody(10166);
  if (inBatch && ttl !== undefined && parseTtl(ttl) === undefined) return errorBody(10165);
  return undefined;
}

/** What is looked at earlier in a batch than elsewhere. */
function examineBatched(stream: Stream, headers: PublishHeaders, batch: BatchEffects): ApiErrorBody | undefined {
  if ((headers.get(H.ExpectedLastMsgId) ?? "") !== "") return errorBody(10177, { header: "Nats-Expected-Last-Msg-Id" });
  const id = headers.get(H.MsgId) ?? "";
  if (id !== "" && (batch.ids.has(id) || storedAs(stream, id) > 0)) return errorBody(10201);
  if ((headers.get(H.StreamSource) ?? "") !== "") return errorBody(10227);
  return stream.config.allow_msg_counter && (headers.get(H.Incr) ?? "") === "" ? errorBody(10169) : undefined;
}

const COUNTER_EXCLUDES = [H.Rollup, H.ExpectedStream, H.ExpectedLastSeq, H.ExpectedLastSubjectSeq, H.ExpectedLastSubjectSeqSubject, H.ExpectedLastMsgId];

/** Optimistic concurrency. */
function examineExpected(stream: Stream, input: PublishInput, headers: PublishHeaders, batch: BatchEffects | undefined): ApiErrorBody | undefined {
  const expectedForSubject = headers.get(H.ExpectedLastSubjectSeq);
  const override = headers.get(H.ExpectedLastSubjectSeqSubject);
  if (expectedForSubject !== undefined && expectedForSubject !== "") {
    const subject = override === undefined || override === "" ? input.subject : override;
    if (batch?.wrote(subject) === true) return errorBody(10164);
    const last = hasWildcard(subject) ? stream.store.previous([subject], stream.lastSeq, undefined) : (stream.store.subjectState(subject)?.last ?? 0);
    if (last !== sequenceOf(expectedForSubject)) return errorBody(10071, { seq: last });
  } else if (override !== undefined && override !== "") return errorBody(10193);
  const expected = headers.get(H.ExpectedLastSeq);
  if (expected !== undefined && expected !== "") {
    const last = stream.lastSeq + (batch?.count ?? 0);
    if (last !== sequenceOf(expected)) return errorBody(10071, { seq: last });
    // Right, but only the first of a batch may ask.
    if (last !== stream.lastSeq) return errorBody(10164);
  }
  return undefined;
}

/** Sequence of the message with this id, as long as it is remembered; 0: none. */
function storedAs(stream: Stream, id: string): number {
  return stream.dedup.windowMs > 0 ? stream.dedup.find(id, stream.stamp.ms) : 0;
}

/** Message ids: whether it is here already, and whether the last one is the expected one. */
function examineIdentity(stream: Stream, headers: PublishHeaders, into: Judgement): ApiErrorBody | undefined {
  const id = headers.get(H.MsgId);
  if (id !== undefined && id !== "") {
    into.msgId = id;
    into.duplicateOf = storedAs(stream, id);
    if (into.duplicateOf > 0) return undefined;
  }
  const expected = headers.get(H.ExpectedLastMsgId);
  if (expected === undefined || expected === "") return undefined;
  return expected === stream.lastMsgId ? undefined : errorBody(10070, { id: fromByteString(stream.lastMsgId) });
}

function examineRollup(stream: Stream, input: PublishInput, headers: PublishHeaders, into: Judgement, batch: BatchEffects | undefined): ApiErrorBody | undefined {
  const value = headers.get(H.Rollup);
  if (value === undefined || value === "") return undefined;
  if (!stream.config.allow_rollup_hdrs || stream.config.deny_purge) return errorBody(10111, { err: "rollup not permitted" });
  const kind = value.toLowerCase();
  if (kind === "sub") into.rollup = Rollup.Subject;
  else if (kind === "all") into.rollup = Rollup.All;
  else return errorBody(10111, { err: `rollup value invalid: ${goQuoteBytes(value)}` });
  if (batch === undefined) return undefined;
  if (into.rollup === Rollup.Subject && batch.wrote(input.subject)) return errorBody(10111, { err: "batch rollup sub invalid" });
  return into.rollup === Rollup.All && batch.count > 0 ? errorBody(10111, { err: "batch rollup all invalid" }) : undefined;
}

function examineCounter(stream: Stream, input: PublishInput, headers: PublishHeaders, into: Judgement, batch: BatchEffects | undefined): ApiErrorBody | undefined {
  if (!stream.config.allow_msg_counter) return undefined;
  const increment = headers.get(H.Incr);
  if (increment === undefined || increment === "") return errorBody(10169);
  const value = addToCounter(stream, input.subject, BigInt(increment), batch);
  if (value === undefined) return errorBody(10172);
  into.value = String(value);
  into.body = `{"val":"${value}"}`;
  return undefined;
}

/** What the server itself added on the way through an import is not stored, and does not count. */
function examineSizesWithoutInfo({ config: { max_msg_size: most } }: Stream, input: PublishInput): ApiErrorBody | undefined {
  const headerLength = withoutHeaders(input.headerBlock(), (name) => name === "Nats-Request-Info").length;
  if (most >= 0 && headerLength + input.payloadLength > most) return errorBody(10054);
  return headerLength > HEADER_MAX_BYTES ? errorBody(10097) : undefined;
}

/** Also for messages without headers. */
export function examineSizes(stream: Stream, input: PublishInput): ApiErrorBody | undefined {
  const most = stream.config.max_msg_size;
  if (most >= 0 && input.end - input.headerStart > most) return errorBody(10054);
  return input.headerLength > HEADER_MAX_BYTES ? errorBody(10097) : undefined;
}

/** Looked at last: where nobody is interested nothing is stored, and where the account is full it is no matter. */
function examineTtl(stream: Stream, input: PublishInput, headers: PublishHeaders, into: Judgement, batch: BatchEffects | undefined): ApiErrorBody | undefined {
  const text = headers.get(H.Ttl);
  if (text === undefined || text === "") return undefined;
  const ttl = parseTtl(text);
  if (ttl === undefined) return stream.ingest.skips(input.subject) ? undefined : (stream.ingest.refusalOfAccount(input, into, batch) ?? errorBody(10165));
  // A schedule's own time to live ends the schedule; what it makes has `Nats-Schedule-TTL`.
  if (stream.config.allow_msg_ttl) into.ttl = ttl;
  return undefined;
}

/** Changes that the stored header block needs. Never refuses. */
function edit(stream: Stream, input: PublishInput, headers: PublishHeaders, into: Judgement): undefined {
  const { config } = stream;
  const removed: H[] = [];
  const added: [string, string][] = [];
  if (headers.get(H.RequestInfo) !== undefined) removed.push(H.RequestInfo);
  // A message that is followed says so only as far as here.
  if (headers.get(H.TraceDest) !== undefined && stream.ingest.isFollowed) {
    removed.push(H.TraceDest);
    added.push(["Nats-Trace-Dest", "trace disabled"]);
  }
  const markerSeconds = (config.subject_delete_marker_ttl ?? 0) / 1e9;
  if (into.ttl > 0 && markerSeconds > into.ttl && config.max_msgs_per_subject !== 1) {
    into.ttl = Math.floor(markerSeconds);
    removed.push(H.Ttl);
    added.push(["Nats-TTL", String(into.ttl)]);
  }
  if (into.isSchedule && into.rollup === Rollup.None) {
    into.rollup = Rollup.Subject;
    added.push(["Nats-Rollup", "sub"]);
  }
  if (removed.length === 0 && added.length === 0 && !headers.hasStatus) return undefined;
  const names = removed.map((place) => HEADER_NAMES[place]);
  into.header = withHeaders(withoutHeaders(input.headerBlock(), (name) => names.includes(name)), added);
  return undefined;
}

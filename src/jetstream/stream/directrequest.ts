/** What a direct get asks for, and which messages that is. Spec: streams, section 3. */
import { bool, decodeJson, int, JsonError, list, object, text, time, uint64 } from "../json/index.ts";
import { toByteString } from "../../util/bytes.ts";
import type { StoredMessage } from "../store/index.ts";
import type { Stream } from "./stream.ts";
import { ALL } from "./trim.ts";

const SUBJECTS_MAX = 1024;

const shape = object({
  seq: uint64,
  last_by_subj: text,
  next_by_subj: text,
  batch: int,
  max_bytes: int,
  start_time: time,
  multi_last: list(text),
  up_to_seq: uint64,
  up_to_time: time,
  no_hdr: bool,
});

/** Subjects are byte strings; empty or 0: not asked for. */
export interface DirectRequest {
  readonly seq: number;
  readonly last: string;
  readonly next: string;
  readonly batch: number;
  readonly maxBytes: number;
  readonly startTime: string;
  readonly multiLast: readonly string[];
  readonly upToSeq: number;
  readonly upToTime: string;
  readonly noHeaders: boolean;
}

const EMPTY: DirectRequest = { seq: 0, last: "", next: "", batch: 0, maxBytes: 0, startTime: "", multiLast: [], upToSeq: 0, upToTime: "", noHeaders: false };

/** The request, or the status that refuses it. `subject`: the last message of it is asked for by the request's own subject. */
export function readRequest(body: string, subject: string): DirectRequest | string {
  if (subject !== "" && body === "") return { ...EMPTY, last: subject };
  if (body === "") return "408 Empty Request";
  const request = decode(body);
  if (request === undefined) return "408 Malformed Request";
  if (subject !== "") {
    const asksMore = request.seq > 0 || request.last !== "" || request.next !== "" || request.batch !== 0 || request.startTime !== "" || request.multiLast.length > 0 || request.upToSeq > 0 || request.upToTime !== "";
    return asksMore ? "408 Bad Request" : { ...request, last: subject };
  }
  const { seq, last, next, batch, startTime, multiLast, upToSeq, upToTime } = request;
  if (seq === 0 && last === "" && next === "" && startTime === "" && multiLast.length === 0) return "408 Empty Request";
  const conflicts =
    (seq > 0 && last !== "") ||
    (seq > 0 && startTime !== "") ||
    (startTime !== "" && last !== "") ||
    (last !== "" && next !== "") ||
    (last !== "" && batch > 0) ||
    (multiLast.length > 0 && (last !== "" || next !== "")) ||
    (upToSeq > 0 && upToTime !== "");
  return conflicts ? "408 Bad Request" : request;
}

function decode(body: string): DirectRequest | undefined {
  try {
    const raw = decodeJson(body, shape, false);
    return {
      seq: raw.seq ?? 0,
      last: toByteString(raw.last_by_subj ?? ""),
      next: toByteString(raw.next_by_subj ?? ""),
      batch: raw.batch ?? 0,
      maxBytes: Math.max(0, raw.max_bytes ?? 0),
      startTime: raw.start_time ?? "",
      multiLast: (raw.multi_last ?? []).map(toByteString),
      upToSeq: raw.up_to_seq ?? 0,
      upToTime: raw.up_to_time ?? "",
      noHeaders: raw.no_hdr ?? false,
    };
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** First sequence at or after a time (RFC 3339). */
export function seqAt(stream: Stream, time: string): number {
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? "";
  const seconds = Math.floor(Date.parse(time.replace(/\.\d+/, "")) / 1000);
  return stream.store.seqAtTime(seconds, Number(fraction.padEnd(9, "0").slice(0, 9)));
}

/** Finds the one message that is asked for, into `into`; returns its sequence, or 0. */
export function selectMessage(stream: Stream, request: Pick<DirectRequest, "seq" | "last" | "next" | "startTime">, into: StoredMessage): number {
  const { store } = stream;
  if (request.last !== "") return store.previous([request.last], stream.lastSeq, into);
  const from = request.startTime === "" ? request.seq : seqAt(stream, request.startTime);
  if (request.next !== "") return store.next([request.next], from, into);
  if (request.startTime !== "") return store.next(ALL, from, into);
  return store.load(request.seq, into) ? request.seq : 0;
}

/** A batch that is to be sent. */
export interface BatchPlan {
  readonly request: DirectRequest;
  /** Most messages. */
  readonly batch: number;
  readonly maxBytes: number;
  /** How many there are, before the first is sent. */
  readonly pending: number;
  /** Told at the end of `multi_last`. */
  readonly upTo: number | undefined;
  /** Fills the message after `lastSeq` (0: the first); its sequence, or 0. */
  next(lastSeq: number, into: StoredMessage): number;
  /** How many are left after `lastSeq`; undefined: as counted. */
  pendingAfter(lastSeq: number): number | undefined;
}

/** The batch, or the status that says why there is none. */
export function planBatch(stream: Stream, request: DirectRequest): BatchPlan | string {
  const maxBytes = request.maxBytes > 0 ? request.maxBytes : stream.account.context.settings.maxPending;
  return request.multiLast.length > 0 ? planLast(stream, request, maxBytes) : planRange(stream, request, maxBytes);
}

function planRange(stream: Stream, request: DirectRequest, maxBytes: number): BatchPlan | string {
  const { store } = stream;
  const filters = request.next === "" || request.next === ">" ? ALL : [request.next];
  const start = request.startTime === "" ? Math.max(1, request.seq) : seqAt(stream, request.startTime);
  const first = store.next(filters, start, undefined);
  // Who asks for less than nothing hears only how much there would be.
  if (first === 0 && request.batch > 0) return "404 Message Not Found";
  return {
    request,
    batch: request.batch,
    maxBytes,
    pending: store.countPending(filters, first, false),
    upTo: undefined,
    next: (lastSeq, into) => store.next(filters, lastSeq === 0 ? first : lastSeq + 1, into),
    // Without headers nothing counts down, as in the reference.
    pendingAfter: (lastSeq) => store.countPending(filters, request.noHeaders || lastSeq === 0 ? first || store.state.lastSeq + 1 : lastSeq + 1, false),
  };
}

function planLast(stream: Stream, request: DirectRequest, maxBytes: number): BatchPlan | string {
  const { store } = stream;
  const { state } = store;
  let upTo = state.lastSeq;
  if (request.upToSeq > 0) {
    // Beyond the end files of the reference find nothing, and its memory everything.
    if (request.upToSeq > state.lastSeq && stream.config.storage === "file") return "404 No Results";
    upTo = request.upToSeq;
  }
  else if (request.upToTime !== "") {
    upTo = seqAt(stream, request.upToTime) - 1;
    if (upTo < state.firstSeq) return "404 No Results";
  }
  const found = store.lastPerSubject(request.multiLast, upTo, SUBJECTS_MAX);
  if (found === undefined) return "413 Too Many Results";
  if (found.length === 0) return "404 No Results";
  const sequences = found.filter((seq) => seq >= request.seq);
  return {
    request,
    batch: request.batch <= 0 ? sequences.length : request.batch,
    maxBytes,
    pending: sequences.length,
    upTo,
    next: (lastSeq, into) => {
      for (const seq of sequences) if (seq > lastSeq && store.load(seq, into)) return seq;
      return 0;
    },
    pendingAfter: () => undefined,
  };
}

/** A header block that is a status. */
export function statusOf(status: string): string {
  return `NATS/1.0 ${status}\r\n`;
}

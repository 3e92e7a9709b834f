/** What a direct get asks for, and which messages that is. Spec: streams, section 3. */
import { bool, decodeJson, int, JsonError, list, object, text, time, uint64 } from "../json/index.ts";
import { hasWildcard } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import type { Sliced } from "../slices.ts";
import type { Counting, Filters, StoredMessage } from "../store/index.ts";
import type { Stream } from "./stream.ts";
import { ALL } from "./trim.ts";

const SUBJECTS_MAX = 1024;
/** Messages that are looked at in one step. */
const STEP_MESSAGES = 4096;

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

/** Finds the one message that is asked for, or in steps when a filter may match little; tells its sequence, or 0. It is in `into` until there is a pause. */
export function selectMessage(stream: Stream, request: Pick<DirectRequest, "seq" | "last" | "next" | "startTime">, into: StoredMessage): number | Sliced<number> {
  const { store } = stream;
  const { last, next } = request;
  if (last !== "") return hasWildcard(last) ? lastMessage(stream, [last], into) : store.previous([last], stream.lastSeq, into);
  const from = request.startTime === "" ? request.seq : seqAt(stream, request.startTime);
  if (next !== "") return hasWildcard(next) ? nextMessage(stream, [next], from, into) : store.next([next], from, into);
  if (request.startTime !== "") return store.next(ALL, from, into);
  return store.load(request.seq, into) ? request.seq : 0;
}

/** The first message at or after `from` that matches and, if it is to be read into `into`, can be. */
function* nextMessage({ store }: Stream, filters: Filters, from: number, into: StoredMessage | undefined): Sliced<number> {
  for (let seq = store.nextWithin(filters, from, STEP_MESSAGES); ; seq = store.nextWithin(filters, from, STEP_MESSAGES)) {
    if (seq === 0 || (seq > 0 && (into === undefined || store.load(seq, into)))) return seq;
    from = seq < 0 ? -seq : seq + 1;
    yield;
  }
}

function* lastMessage({ store, lastSeq }: Stream, filters: Filters, into: StoredMessage): Sliced<number> {
  for (let from = lastSeq; ; ) {
    const seq = store.previousWithin(filters, from, STEP_MESSAGES);
    if (seq === 0 || (seq > 0 && store.load(seq, into))) return seq;
    from = seq < 0 ? -seq : seq - 1;
    yield;
  }
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
  /** How many are left after `lastSeq`; undefined, where that takes long to find out: as counted down. */
  pendingAfter(lastSeq: number): number | undefined;
}

/** The batch, or the status that says why there is none; found in steps. */
export function* planBatch(stream: Stream, request: DirectRequest): Sliced<BatchPlan | string> {
  const maxBytes = request.maxBytes > 0 ? request.maxBytes : stream.account.context.settings.maxPending;
  return request.multiLast.length > 0 ? yield* planLast(stream, request, maxBytes) : yield* planRange(stream, request, maxBytes);
}

function* counted(counting: number | Counting): Sliced<number> {
  if (typeof counting === "number") return counting;
  while (!counting.step()) yield;
  return counting.sum;
}

function* planRange(stream: Stream, request: DirectRequest, maxBytes: number): Sliced<BatchPlan | string> {
  const { store } = stream;
  const filters = request.next === "" || request.next === ">" ? ALL : [request.next];
  const start = request.startTime === "" ? Math.max(1, request.seq) : seqAt(stream, request.startTime);
  const first = yield* nextMessage(stream, filters, start, undefined);
  // Who asks for less than nothing hears only how much there would be.
  if (first === 0 && request.batch > 0) return "404 Message Not Found";
  return {
    request,
    batch: request.batch,
    maxBytes,
    pending: yield* counted(store.count(filters, first)),
    upTo: undefined,
    next: (lastSeq, into) => store.next(filters, lastSeq === 0 ? first : lastSeq + 1, into),
    // Without headers nothing counts down, as in the reference.
    pendingAfter: (lastSeq) => {
      const left = store.count(filters, request.noHeaders || lastSeq === 0 ? first || store.state.lastSeq + 1 : lastSeq + 1);
      return typeof left === "number" ? left : undefined;
    },
  };
}

function* planLast(stream: Stream, request: DirectRequest, maxBytes: number): Sliced<BatchPlan | string> {
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
  const found = yield* store.lastOfEach(request.multiLast, upTo, SUBJECTS_MAX);
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

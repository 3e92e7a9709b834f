/** What responses say about a stream: configuration, state, subjects. Field order is the wire's. Spec: streams, section 2.3. */
import { isValidConfiguredSubject } from "../../routing/index.ts";
import { fromByteString } from "../../util/bytes.ts";
import { timestamp } from "../../util/timestamp.ts";
import { encodeJson } from "../../protocol/index.ts";
import { JsonPieces } from "../json/index.ts";
import type { Sliced } from "../slices.ts";
import type { StreamConfig, StreamInfo, StreamState } from "../wire.ts";
import { withDynamicMetadata } from "./metadata.ts";
import { timeOf } from "./republish.ts";
import type { Stream } from "./stream.ts";
import { whileOpen } from "./whileopen.ts";

const ZERO_TIME = "0001-01-01T00:00:00Z";
const SUBJECTS_PAGE = 100_000;

export interface StateDetails {
  /** Lists the gaps. */
  readonly deleted: boolean;
  /** Counts of these subjects (byte string), empty for none. */
  readonly subjects: string;
  readonly offset: number;
}

export interface Paging {
  readonly total: number;
  readonly offset: number;
  readonly limit: number;
}

export interface DetailedInfo {
  readonly paging: Paging;
  readonly info: StreamInfo;
}

export const NO_PAGES: Paging = { total: 0, offset: 0, limit: 0 };

/** What is listed with a state. */
type Lists = Pick<StreamState, "subjects" | "deleted">;

/** The state as stream info shows it. */
export function stateOf(stream: Stream, { subjects, deleted }: Lists = {}): StreamState {
  stream.settle();
  const { state } = stream.store;
  const isEmpty = state.messages === 0;
  return {
    messages: state.messages,
    bytes: state.bytes,
    first_seq: firstSeqOf(stream),
    first_ts: isEmpty ? ZERO_TIME : timeOf({ seconds: state.firstSeconds, nanos: state.firstNanos }),
    last_seq: state.lastSeq,
    last_ts: state.lastSeconds === 0 ? ZERO_TIME : timeOf({ seconds: state.lastSeconds, nanos: state.lastNanos }),
    ...(state.subjects === 0 ? {} : { num_subjects: state.subjects }),
    ...(subjects === undefined ? {} : { subjects }),
    ...gapsOf(stream, deleted),
    ...(state.lost === undefined ? {} : { lost: { msgs: state.lost.sequences, bytes: state.lost.bytes } }),
    consumer_count: stream.consumers.visibleCount,
  };
}

/** 0 where nothing ever happened; a purge, or a first sequence that was asked for, is something. */
function firstSeqOf({ store, purger }: Stream): number {
  return store.state.firstSeq === 0 && purger.hasBegun ? 1 : store.state.firstSeq;
}

/** Such a stream counts its sequence 0 among those that are gone, once somebody asks for the list. */
function isUntouchedFile(stream: Stream): boolean {
  return stream.config.storage === "file" && firstSeqOf(stream) === 0;
}

/** Sequences of the middle that are gone. */
function gapsOf(stream: Stream, listed: Lists["deleted"]): Pick<StreamState, "num_deleted" | "deleted"> {
  const { deleted } = stream.store.state;
  if (listed !== undefined && isUntouchedFile(stream)) return { num_deleted: 1, deleted: listed };
  if (deleted === 0) return {};
  return { num_deleted: deleted, ...(listed === undefined ? {} : { deleted: listed }) };
}

function* deletedOf(stream: Stream): Sliced<JsonPieces> {
  const list = new JsonPieces();
  let separator = "[";
  if (isUntouchedFile(stream)) {
    list.add("[0");
    separator = ",";
  }
  for (const range of stream.store.deletedRanges()) {
    if (range === undefined) {
      yield;
      continue;
    }
    for (let [seq, last] = range; seq <= last; seq++, separator = ",") if (list.add(`${separator}${seq}`)) yield;
  }
  list.add(separator === "[" ? "[]" : "]");
  return list.end();
}

interface InfoParts {
  readonly config: StreamConfig;
  readonly state: StreamState;
  readonly domain?: string;
  readonly leader?: string;
}

function infoOf(stream: Stream, { config, state, domain = "", leader }: InfoParts): StreamInfo {
  const { replenisher, account } = stream;
  const mirror = replenisher?.mirrorInfo();
  const sources = replenisher?.sourceInfos();
  return {
    config,
    created: timestamp(stream.createdNs),
    state,
    ...(domain === "" ? {} : { domain }),
    ...(leader === undefined ? {} : { cluster: { leader } }),
    ...(mirror === undefined ? {} : { mirror }),
    ...(sources === undefined ? {} : { sources }),
    ts: timestamp(account.context.clock.nowNs()),
  };
}

/** As the answer to CREATE (without the domain), UPDATE, and a restore. */
export function infoAfterChange(stream: Stream, withDomain: boolean): StreamInfo {
  const domain = withDomain ? stream.account.context.settings.domain : "";
  return infoOf(stream, { config: withDynamicMetadata(stream.config), state: stateOf(stream), domain });
}

/** As in LIST. */
export function listedInfo(stream: Stream): StreamInfo {
  return infoOf(stream, { config: stream.config, state: stateOf(stream), domain: stream.account.context.settings.domain });
}

/** As the answer to INFO, with the page of subjects that was asked for: up to 100,000 of them, out of as many as there are. */
export function* detailedInfo(stream: Stream, details: StateDetails): Sliced<DetailedInfo> {
  stream.settle();
  const { subjects, paging } = yield* whileOpen(stream, subjectsOf(stream, details));
  const deleted = details.deleted ? yield* whileOpen(stream, deletedOf(stream)) : undefined;
  const { settings, server } = stream.account.context;
  const state = stateOf(stream, { subjects, deleted });
  return { paging, info: infoOf(stream, { config: withDynamicMetadata(stream.config), state, domain: settings.domain, leader: server.name }) };
}

function* subjectsOf(stream: Stream, { subjects: filter, offset }: StateDetails): Sliced<{ readonly subjects: JsonPieces | undefined; readonly paging: Paging }> {
  if (filter === "" || !isValidConfiguredSubject(filter)) return { subjects: undefined, paging: NO_PAGES };
  const page = new JsonPieces();
  let separator = "{";
  const show = (subject: string, messages: number): void => {
    page.add(`${separator}${encodeJson(fromByteString(subject))}:${messages}`);
    separator = ",";
  };
  const total = yield* stream.store.listSubjects(filter, { offset, limit: SUBJECTS_PAGE, show });
  if (total === 0) return { subjects: undefined, paging: NO_PAGES };
  const paging = { total, offset, limit: SUBJECTS_PAGE };
  if (offset >= total) return { subjects: undefined, paging };
  page.add("}");
  return { subjects: page.end(), paging };
}

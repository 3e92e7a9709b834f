/** What responses say about a stream: configuration, state, subjects. Field order is the wire's. Spec: streams, section 2.3. */
import { isValidConfiguredSubject } from "../../routing/index.ts";
import { fromByteString } from "../../util/bytes.ts";
import { timestamp } from "../../util/timestamp.ts";
import type { StreamConfig, StreamInfo, StreamState } from "../wire.ts";
import { withDynamicMetadata } from "./metadata.ts";
import { timeOf } from "./republish.ts";
import type { Stream } from "./stream.ts";
import { ALL } from "./trim.ts";

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

export const NO_PAGES: Paging = { total: 0, offset: 0, limit: 0 };

/** The state as stream info shows it. */
export function stateOf(stream: Stream, subjects?: Readonly<Record<string, number>>, withDeleted = false): StreamState {
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
    ...deletedOf(stream, withDeleted),
    ...(state.lost === undefined ? {} : { lost: { msgs: state.lost.sequences, bytes: state.lost.bytes } }),
    consumer_count: stream.consumers.visibleCount,
  };
}

/** 0 where nothing ever happened; a purge, or a first sequence that was asked for, is something. */
function firstSeqOf({ store, purger }: Stream): number {
  return store.state.firstSeq === 0 && purger.hasBegun ? 1 : store.state.firstSeq;
}

/** Sequences of the middle that are gone. A file that never had a message counts its sequence 0 among them, once somebody asks for the list. */
function deletedOf(stream: Stream, listed: boolean): Pick<StreamState, "num_deleted" | "deleted"> {
  const { store, config } = stream;
  const { deleted } = store.state;
  if (listed && config.storage === "file" && firstSeqOf(stream) === 0) return { num_deleted: 1, deleted: [0] };
  if (deleted === 0) return {};
  return { num_deleted: deleted, ...(listed ? { deleted: sequencesOf(store.deletedRanges()) } : {}) };
}

function sequencesOf(ranges: Iterable<readonly [first: number, last: number]>): number[] {
  const deleted: number[] = [];
  for (const [first, last] of ranges) for (let seq = first; seq <= last; seq++) deleted.push(seq);
  return deleted;
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

/** As the answer to INFO, with the page of subjects that was asked for. */
export function detailedInfo(stream: Stream, details: StateDetails): { readonly paging: Paging; readonly info: StreamInfo } {
  stream.settle();
  const { subjects, paging } = subjectsOf(stream, details);
  const { settings, server } = stream.account.context;
  const state = stateOf(stream, subjects, details.deleted);
  return { paging, info: infoOf(stream, { config: withDynamicMetadata(stream.config), state, domain: settings.domain, leader: server.name }) };
}

function subjectsOf(stream: Stream, { subjects: filter, offset }: StateDetails): { readonly subjects: Readonly<Record<string, number>> | undefined; readonly paging: Paging } {
  if (filter === "" || !isValidConfiguredSubject(filter)) return { subjects: undefined, paging: NO_PAGES };
  const found: [string, number][] = [];
  for (const [subject, { messages }] of stream.store.subjects(filter === ">" ? ALL : [filter])) found.push([subject, messages]);
  if (found.length === 0) return { subjects: undefined, paging: NO_PAGES };
  const paging = { total: found.length, offset, limit: SUBJECTS_PAGE };
  if (offset >= found.length) return { subjects: undefined, paging };
  found.sort(([a], [b]) => (a < b ? -1 : 1));
  const page = found.slice(offset, offset + SUBJECTS_PAGE);
  return {
    subjects: Object.fromEntries(page.map(([subject, messages]) => [fromByteString(subject), messages])),
    paging,
  };
}

/** /jsz: JetStream. Spec: monitoring, section 10. */
import type { JetStream, JetStreamAccount } from "../jetstream/index.ts";
import { API_LEVEL } from "../jetstream/index.ts";
import { timestamp } from "../util/timestamp.ts";
import { optional } from "./format.ts";
import type { Parameters } from "./params.ts";
import type { MonitorSource } from "./source.ts";
import { accountTag } from "./tag.ts";

export interface JszOptions {
  readonly account: string;
  readonly accounts: boolean;
  readonly streams: boolean;
  readonly consumers: boolean;
  readonly directConsumers: boolean;
  readonly config: boolean;
  /** Only the leader of the meta group answers. */
  readonly leaderOnly: boolean;
  readonly offset: number;
  readonly limit: number;
  readonly raft: boolean;
  readonly streamLeaderOnly: boolean;
}

/** This server was asked to answer only as a leader, and is none: status 400 with the message. */
export class NotLeaderError extends Error {
  constructor() {
    super("filtered response: not leader");
    this.name = "NotLeaderError";
  }
}

/** Reads the parameters, in the order in which wrong ones are told. */
export function jszOptions(parameters: Parameters): JszOptions {
  return {
    accounts: parameters.boolean("accounts"),
    streams: parameters.boolean("streams"),
    consumers: parameters.boolean("consumers"),
    directConsumers: parameters.boolean("direct-consumers"),
    config: parameters.boolean("config"),
    offset: parameters.integer("offset"),
    limit: parameters.integer("limit"),
    leaderOnly: parameters.boolean("leader-only"),
    raft: parameters.boolean("raft"),
    streamLeaderOnly: parameters.boolean("stream-leader-only"),
    account: parameters.text("acc"),
  };
}

export type Jsz = ReturnType<typeof jsz>;

function disabled(source: MonitorSource) {
  return {
    ...NO_STATS,
    server_id: source.identity.id,
    now: timestamp(source.platform.clock.nowNs()),
    disabled: true,
    config: { max_memory: 0, max_storage: 0 },
    streams: 0,
    consumers: 0,
    messages: 0,
    bytes: 0,
    total: 0,
  };
}

const DEFAULT_PAGE = 1024;
/** What the reference shows where there is no limit. */
const UNLIMITED = 18446744073709551615n;

/** Throws `NotLeaderError`. */
export function jsz(source: MonitorSource, options: JszOptions) {
  const { jetstream } = source;
  if (jetstream === undefined) {
    if (options.leaderOnly) throw new NotLeaderError();
    return disabled(source);
  }
  const streams = [...jetstream.accounts.values()].flatMap((account) => [...account.streams()]);
  const consumers = streams.reduce((sum, stream) => sum + stream.consumers.visibleCount, 0);
  const stores = streams.map((stream) => stream.store.state);
  return {
    ...jetstreamStats(jetstream),
    server_id: source.identity.id,
    now: timestamp(source.platform.clock.nowNs()),
    config: jetstreamConfig(source, jetstream),
    limits: jetstreamLimits(source),
    streams: streams.length,
    streams_leader: options.raft ? optional(streams.length) : undefined,
    consumers,
    consumers_leader: options.raft ? optional(consumers) : undefined,
    messages: stores.reduce((sum, state) => sum + state.messages, 0),
    bytes: stores.reduce((sum, state) => sum + state.bytes, 0),
    account_details: accountDetails(source, jetstream, options),
    total: jetstream.accounts.size,
  };
}

const NO_STATS = { memory: 0, storage: 0, reserved_memory: 0, reserved_storage: 0, accounts: 0, ha_assets: 0, api: { level: 0, total: 0, errors: 0 } };

/** Figures of the server, as /varz shows them too. */
export function jetstreamStats(jetstream: JetStream) {
  const accounts = [...jetstream.accounts.values()];
  return {
    memory: jetstream.usage.memory,
    storage: jetstream.usage.store,
    reserved_memory: jetstream.reserved("memory"),
    reserved_storage: jetstream.reserved("file"),
    accounts: accounts.length,
    ha_assets: 0,
    api: {
      level: API_LEVEL,
      total: accounts.reduce((sum, { api }) => sum + api.total, 0),
      errors: accounts.reduce((sum, { api }) => sum + api.errors, 0),
      inflight: optional(jetstream.apiInflight),
    },
  };
}

export function jetstreamConfig({ options }: MonitorSource, { settings }: JetStream) {
  const always = settings.syncIntervalMs === "always";
  return {
    max_memory: settings.maxMemoryBytes,
    max_storage: settings.maxStoreBytes,
    store_dir: settings.folder,
    sync_interval: always ? 120e9 : Number(settings.syncIntervalMs) * 1e6,
    sync_always: optional(always),
    domain: optional(settings.domain),
    // The reference says so when both limits are given.
    compress_ok: optional(options.jetstream.maxMemoryBytes >= 0 && options.jetstream.maxStoreBytes >= 0),
    unique_tag: optional(options.jetstream.uniqueTag),
    strict: optional(settings.strict),
  };
}

export function jetstreamLimits({ options }: MonitorSource) {
  const { limits } = options.jetstream;
  return {
    max_request_batch: optional(limits.maxRequestBatch),
    max_ack_pending: optional(limits.maxAckPending),
    max_ha_assets: optional(limits.maxHaAssets),
    max_duplicate_window: optional(limits.duplicateWindowMs * 1e6),
    max_batch_inflight_per_stream: limits.batch.maxInflightPerStream,
    max_batch_inflight_total: limits.batch.maxInflightTotal,
    max_batch_size: optional(limits.batch.maxMessages),
    max_batch_timeout: optional(limits.batch.timeoutMs * 1e6),
    default_max_consumers: 1000,
  };
}

function accountDetails(source: MonitorSource, jetstream: JetStream, options: JszOptions) {
  const one = options.account === "" ? undefined : jetstream.accounts.get(options.account);
  if (one !== undefined) return [accountDetail(source, one, options)];
  if (!options.accounts && !options.streams && !options.consumers) return undefined;
  const sorted = [...jetstream.accounts.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const limit = options.limit === 0 ? DEFAULT_PAGE : options.limit;
  const offset = Math.max(0, options.offset);
  const page = limit < 0 ? sorted : sorted.slice(offset, offset + limit);
  return optional(page.map((account) => accountDetail(source, account, options)));
}

function accountDetail(source: MonitorSource, account: JetStreamAccount, options: JszOptions) {
  const limits = account.tiers.get("");
  const withStreams = options.streams || options.consumers;
  return {
    name: accountTag(source, account.name),
    id: account.name,
    memory: account.usage.memory,
    storage: account.usage.store,
    reserved_memory: reservation(limits?.max_memory),
    reserved_storage: reservation(limits?.max_storage),
    accounts: 0,
    ha_assets: 0,
    api: { level: 0, total: account.api.total, errors: account.api.errors },
    stream_detail: withStreams ? optional(account.sortedStreams().map((stream) => streamDetail(account, stream, options))) : undefined,
  };
}

/** JSON has no unsigned 64 bit integers that JavaScript could hold; the raw text does. */
function reservation(limit: number | undefined): unknown {
  if (limit === undefined) return 0;
  return limit < 0 ? JSON.rawJSON(String(UNLIMITED)) : limit;
}

function streamDetail(account: JetStreamAccount, stream: ReturnType<JetStreamAccount["sortedStreams"]>[number], options: JszOptions) {
  const info = stream.info();
  return {
    name: stream.name,
    created: info.created,
    cluster: { leader: account.context.server.name },
    config: options.config ? info.config : undefined,
    state: info.state,
    consumer_detail: options.consumers ? optional(stream.consumers.infos({ withConfig: options.config, direct: false })) : undefined,
    direct_consumer_detail: options.consumers && options.directConsumers ? optional(stream.consumers.infos({ withConfig: options.config, direct: true }).filter(({ config }) => config?.direct === true)) : undefined,
    mirror: info.mirror,
    sources: info.sources,
  };
}

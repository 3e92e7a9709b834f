/** Requests about the account, and those that need a cluster. Spec: streams, sections 2 and 2.1. */
import { API_LEVEL } from "../context.ts";
import { type JetStreamAccount, tierName } from "../account.ts";
import type { AccountLimitsBody } from "../wire.ts";
import { apiError } from "./errors.ts";
import type { Route } from "./router.ts";

const ZERO_LIMITS: AccountLimitsBody = {
  max_memory: 0,
  max_storage: 0,
  max_streams: 0,
  max_consumers: 0,
  max_ack_pending: 0,
  memory_max_stream_bytes: 0,
  storage_max_stream_bytes: 0,
  max_bytes_required: false,
};

export const accountRoutes: readonly Route[] = [
  {
    pattern: "INFO",
    type: "account_info_response",
    informs: true,
    handle: ({ account }) => ({ body: accountInfo(account) }),
  },
  needsCluster("STREAM.LEADER.STEPDOWN.*", "stream_leader_stepdown_response"),
  needsCluster("STREAM.PEER.REMOVE.*", "stream_remove_peer_response"),
  needsCluster("STREAM.PEER.EVACUATE.*", "stream_evacuate_peer_response"),
  needsCluster("STREAM.CANCEL_MOVE.*", "stream_cancel_move_response"),
];

function needsCluster(pattern: string, type: string): Route {
  return {
    pattern,
    type,
    handle: () => {
      throw apiError(10010);
    },
  };
}

function accountInfo(account: JetStreamAccount) {
  const { domain } = account.context.settings;
  const figures = {
    memory: account.usage.memory,
    storage: account.usage.store,
    reserved_memory: account.reserved("memory"),
    reserved_storage: account.reserved("file"),
    streams: account.streamCount,
    consumers: [...account.streams()].reduce((sum, stream) => sum + stream.consumers.count, 0),
  };
  return {
    ...figures,
    limits: account.tiers.get("") ?? ZERO_LIMITS,
    ...(domain === "" ? {} : { domain }),
    // Without the request at hand, which counts when it is answered.
    api: { level: API_LEVEL, total: account.api.total, errors: account.api.errors },
    ...(account.isTiered ? { tiers: tiers(account) } : {}),
  };
}

/** Those with limits, and those that streams are in although their limits are gone. */
function tiers(account: JetStreamAccount) {
  const used = [...account.streams()].map(({ config }) => tierName(config.num_replicas));
  const names = [...new Set([...account.tiers.keys(), ...used])].sort();
  return Object.fromEntries(names.map((name) => [name, { ...tierFigures(account, name), limits: account.tiers.get(name) ?? ZERO_LIMITS }]));
}

function tierFigures(account: JetStreamAccount, tier: string) {
  const streams = [...account.streams()].filter(({ config }) => tierName(config.num_replicas) === tier);
  const stored = (storage: "memory" | "file"): number => streams.filter(({ config }) => config.storage === storage).reduce((sum, stream) => sum + stream.store.state.bytes, 0);
  return {
    memory: stored("memory"),
    storage: stored("file"),
    reserved_memory: account.reserved("memory", { tier }),
    reserved_storage: account.reserved("file", { tier }),
    streams: streams.length,
    consumers: streams.reduce((sum, stream) => sum + stream.consumers.count, 0),
  };
}

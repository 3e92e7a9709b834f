/** Requests about the account, and those that need a cluster. Spec: streams, sections 2 and 2.1. */
import { API_LEVEL } from "../context.ts";
import type { JetStreamAccount } from "../account.ts";
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
  const tiers = account.isTiered ? Object.fromEntries([...account.tiers].map(([name, limits]) => [name, { ...tierFigures(account, name), limits }])) : undefined;
  return {
    ...figures,
    limits: account.tiers.get("") ?? ZERO_LIMITS,
    ...(domain === "" ? {} : { domain }),
    // Without the request at hand.
    api: { level: API_LEVEL, total: account.api.total - 1, errors: account.api.errors },
    ...(tiers === undefined ? {} : { tiers }),
  };
}

function tierFigures(account: JetStreamAccount, tier: string) {
  const streams = [...account.streams()].filter(({ config }) => `R${config.num_replicas}` === tier);
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

/** /jsz: JetStream. Spec: monitoring, section 10. This server has none, and says so. */
import { timestamp } from "../util/timestamp.ts";
import type { Parameters } from "./params.ts";
import type { MonitorSource } from "./source.ts";

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

/** Throws `NotLeaderError`. */
export function jsz(source: MonitorSource, options: JszOptions) {
  if (options.leaderOnly) throw new NotLeaderError();
  return {
    memory: 0,
    storage: 0,
    reserved_memory: 0,
    reserved_storage: 0,
    accounts: 0,
    ha_assets: 0,
    api: { level: 0, total: 0, errors: 0 },
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

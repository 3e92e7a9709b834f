/** /leafz: leafnode connections. Spec: monitoring, section 7. This server takes none, so the list is empty. */
import { timestamp } from "../util/timestamp.ts";
import type { Parameters } from "./params.ts";
import type { MonitorSource } from "./source.ts";

export interface LeafzOptions {
  readonly subscriptions: boolean;
  readonly account: string;
}

export interface Leafz {
  readonly server_id: string;
  readonly now: string;
  readonly leafnodes: number;
  readonly leafs: readonly never[];
}

export function leafzOptions(parameters: Parameters): LeafzOptions {
  return { subscriptions: parameters.boolean("subs"), account: parameters.text("acc") };
}

/** Without leafnodes the options choose among nothing. */
export function leafz(source: MonitorSource, _options: LeafzOptions): Leafz {
  return { server_id: source.identity.id, now: timestamp(source.platform.clock.nowNs()), leafnodes: 0, leafs: [] };
}

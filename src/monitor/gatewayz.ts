/** /gatewayz: the connections to other clusters. Spec: monitoring, section 6. This server has no gateways, so both maps are empty. */
import { timestamp } from "../util/timestamp.ts";
import type { Parameters, SubscriptionsWanted } from "./params.ts";
import type { MonitorSource } from "./source.ts";

export interface GatewayzOptions {
  /** Only this remote gateway; empty: all. */
  readonly name: string;
  readonly accounts: boolean;
  readonly accountName: string;
  readonly subscriptions: SubscriptionsWanted;
}

export interface Gatewayz {
  readonly server_id: string;
  readonly now: string;
  readonly outbound_gateways: Readonly<Record<string, never>>;
  readonly inbound_gateways: Readonly<Record<string, never>>;
}

/** Reads the parameters, in the order in which wrong ones are told. */
export function gatewayzOptions(parameters: Parameters): GatewayzOptions {
  return { subscriptions: parameters.subscriptions(), accounts: parameters.boolean("accs"), name: parameters.text("gw_name"), accountName: parameters.text("acc_name") };
}

/** Without gateways the options choose among nothing. */
export function gatewayz(source: MonitorSource, _options: GatewayzOptions): Gatewayz {
  return { server_id: source.identity.id, now: timestamp(source.platform.clock.nowNs()), outbound_gateways: {}, inbound_gateways: {} };
}

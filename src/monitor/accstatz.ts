/** /accstatz: connections and traffic per account. Spec: monitoring, section 9. */
import { type Account, noTraffic, type Traffic } from "../accounts/index.ts";
import { timestamp } from "../util/timestamp.ts";
import type { MonitorSource } from "./source.ts";
import { accountTag } from "./tag.ts";

export interface AccstatzOptions {
  /** Only these; unknown ones are skipped; empty: all. */
  readonly accounts: readonly string[];
  /** Also accounts without a local connection. */
  readonly includeUnused: boolean;
}

interface Volume {
  readonly msgs: number;
  readonly bytes: number;
}

interface VolumeByKind extends Volume {
  readonly gateways: Volume;
  readonly routes: Volume;
  readonly leafs: Volume;
}

export interface AccountStat {
  readonly acc: string;
  readonly name: string;
  readonly conns: number;
  readonly leafnodes: number;
  readonly total_conns: number;
  readonly num_subscriptions: number;
  readonly sent: VolumeByKind;
  readonly received: VolumeByKind;
  readonly slow_consumers: number;
}

export interface Accstatz {
  readonly server_id: string;
  readonly now: string;
  readonly account_statz: readonly AccountStat[];
}

export function accstatz(source: MonitorSource, options: AccstatzOptions): Accstatz {
  const traffic = trafficByAccount(source);
  const chosen = [...source.accounts.byName.values()].filter(
    (account) => (options.accounts.length === 0 || options.accounts.includes(account.name)) && (options.includeUnused || account.clientConnections > 0),
  );
  return {
    server_id: source.identity.id,
    now: timestamp(source.platform.clock.nowNs()),
    account_statz: chosen.map((account) => accountStat(source, account, traffic.get(account) ?? account.pastTraffic)),
  };
}

/** Traffic of each account's connections since the start, those that are gone and those that are here. */
function trafficByAccount({ accounts, connections }: MonitorSource): ReadonlyMap<Account, Traffic> {
  const sums = new Map<Account, Traffic>();
  for (const account of accounts.byName.values()) sums.set(account, { ...account.pastTraffic });
  for (const link of connections.live.values()) {
    const sum = sums.get(link.account) ?? noTraffic();
    const { inMsgs, inBytes, outMsgs, outBytes } = link.traffic.present;
    sums.set(link.account, { inMsgs: sum.inMsgs + inMsgs, inBytes: sum.inBytes + inBytes, outMsgs: sum.outMsgs + outMsgs, outBytes: sum.outBytes + outBytes });
  }
  return sums;
}

function accountStat(source: MonitorSource, account: Account, traffic: Traffic): AccountStat {
  return {
    acc: account.name,
    name: accountTag(source, account.name),
    conns: account.clientConnections,
    leafnodes: 0,
    total_conns: account.clientConnections,
    num_subscriptions: account.interest.size,
    sent: ofClients(traffic.outMsgs, traffic.outBytes),
    received: ofClients(traffic.inMsgs, traffic.inBytes),
    slow_consumers: account.slowConsumers,
  };
}

function ofClients(msgs: number, bytes: number): VolumeByKind {
  const none = { msgs: 0, bytes: 0 };
  return { msgs, bytes, gateways: none, routes: none, leafs: none };
}

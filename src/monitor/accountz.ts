/** /accountz: the accounts, or one of them in detail. Spec: monitoring, section 9. */
import { type Account, GLOBAL_ACCOUNT } from "../accounts/index.ts";
import type { MappingDestination, MappingOptions, Options } from "../config/index.ts";
import { timestamp } from "../util/timestamp.ts";
import { optional, optionalRecord, sortedRecord } from "./format.ts";
import { ParameterError } from "./params.ts";
import type { MonitorSource } from "./source.ts";
import { type SublistStats, sublistStats } from "./subsz.ts";

interface MappedTo {
  readonly subject: string;
  /** Percent drawn up to and including this destination. */
  readonly weight: number;
  readonly cluster?: string | undefined;
}

export interface AccountDetail {
  readonly account_name: string;
  readonly update_time: string;
  readonly is_system?: boolean | undefined;
  readonly expired: boolean;
  readonly complete: boolean;
  readonly jetstream_enabled: boolean;
  readonly leafnode_connections: number;
  readonly client_connections: number;
  readonly subscriptions: number;
  readonly mappings?: Readonly<Record<string, readonly MappedTo[]>> | undefined;
  readonly name_tag: string;
  readonly sublist_stats: SublistStats;
}

export interface Accountz {
  readonly server_id: string;
  readonly now: string;
  readonly system_account?: string | undefined;
  readonly accounts?: readonly string[];
  readonly account_detail?: AccountDetail;
}

/** `account` empty: the list. Throws `ParameterError` for an unknown one. */
export function accountz(source: MonitorSource, account: string): Accountz {
  const found = source.accounts.byName.get(account);
  if (account !== "" && found === undefined) throw new ParameterError(`Account ${account} does not exist`);
  return {
    server_id: source.identity.id,
    now: timestamp(source.platform.clock.nowNs()),
    system_account: optional(source.options.systemAccount),
    ...(found === undefined ? { accounts: [...source.accounts.byName.keys()] } : { account_detail: detail(source, found) }),
  };
}

function detail({ options, jetstream }: MonitorSource, account: Account): AccountDetail {
  return {
    account_name: account.name,
    update_time: timestamp(account.updatedAtNs),
    is_system: optional(account.isSystem),
    expired: false,
    complete: true,
    jetstream_enabled: jetstream?.accounts.has(account.name) === true,
    leafnode_connections: 0,
    client_connections: account.clientConnections,
    subscriptions: account.interest.size,
    mappings: optionalRecord(sortedRecord(mappingsOf(options, account.name).map((mapping) => [mapping.source, destinations(mapping)] as const))),
    name_tag: account.name,
    sublist_stats: sublistStats([account.interest.stats()]),
  };
}

function mappingsOf(options: Options, account: string): readonly MappingOptions[] {
  return account === GLOBAL_ACCOUNT ? options.mappings : (options.accounts.find((each) => each.name === account)?.mappings ?? []);
}

/** Destinations without a cluster first, then cluster by cluster, each group as it is drawn from: lightest first, weights summed up. */
function destinations(mapping: MappingOptions): readonly MappedTo[] {
  const clusters = new Set(["", ...mapping.destinations.map((destination) => destination.cluster)]);
  return [...clusters].flatMap((cluster) => {
    const group = mapping.destinations.filter((destination) => destination.cluster === cluster);
    return group.length === 0 ? [] : drawn(mapping.source, cluster, group);
  });
}

function drawn(source: string, cluster: string, group: readonly MappingDestination[]): readonly MappedTo[] {
  const total = group.reduce((sum, destination) => sum + destination.weight, 0);
  const listsItself = group.some((destination) => destination.subject === source);
  const stays = total < 100 && !listsItself ? [{ subject: inOrder(source), weight: 100 - total }] : [];
  let reached = 0;
  return [...group, ...stays]
    .sort((a, b) => a.weight - b.weight)
    .map(({ subject, weight }) => ({ subject, weight: (reached += weight), cluster: optional(cluster) }));
}

/** The source as a destination: its wildcards become `$1`, `$2`, ... */
function inOrder(source: string): string {
  let wildcard = 0;
  return source
    .split(".")
    .map((token) => (token === "*" ? `$${++wildcard}` : token))
    .join(".");
}

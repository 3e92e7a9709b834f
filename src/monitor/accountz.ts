/** /accountz: the accounts, or one of them in detail. Spec: monitoring, section 9. */
import type { Account } from "../accounts/index.ts";
import type { AccountOptions, ExportOptions, ImportOptions, MappingDestination, MappingOptions, Options } from "../config/index.ts";
import { type AccountClaims, shownClaims, validateAccount } from "../jwt/index.ts";
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

interface Exported {
  readonly subject: string;
  readonly type: "stream" | "service";
  readonly token_req?: boolean | undefined;
  readonly response_type?: string | undefined;
  readonly approved_accounts?: readonly string[] | undefined;
  readonly revoked_activations?: Readonly<Record<string, string>> | undefined;
}

interface Imported {
  readonly subject: string;
  readonly account: string;
  readonly to?: string | undefined;
  readonly local_subject: string;
  readonly type: "stream" | "service";
  readonly invalid: boolean;
  readonly share: boolean;
  readonly tracking: boolean;
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
  readonly exports?: readonly Exported[] | undefined;
  readonly imports?: readonly Imported[] | undefined;
  readonly jwt?: string;
  readonly issuer_key?: string;
  readonly name_tag: string;
  readonly tags?: readonly string[] | undefined;
  readonly decoded_jwt?: Readonly<Record<string, unknown>>;
  readonly validation_result_jwt?: readonly { readonly description: string; readonly blocking: boolean; readonly time_check: boolean }[] | undefined;
  readonly revoked_user?: Readonly<Record<string, string>> | undefined;
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

function detail(source: MonitorSource, account: Account): AccountDetail {
  const { options, jetstream, tokens } = source;
  const loaded = tokens?.claims(account.name);
  // A stand-in has no token to tell of.
  const claims = loaded?.token === "" ? undefined : loaded;
  const configured = source.accountOptions(account.name);
  return {
    account_name: account.name,
    update_time: timestamp(account.updatedAtNs),
    is_system: optional(account.isSystem),
    expired: tokens?.isExpired(account.name) ?? false,
    complete: (configured?.imports ?? []).every((wanted) => source.accounts.byName.has(wanted.account)),
    jetstream_enabled: jetstream?.accounts.has(account.name) === true,
    leafnode_connections: 0,
    client_connections: account.clientConnections,
    subscriptions: account.interest.size,
    mappings: optionalRecord(sortedRecord(mappingsOf(options, configured).map((mapping) => [mapping.source, destinations(mapping)] as const))),
    exports: optional([...(configured?.exports ?? []).map((offer) => exported(offer, claims)), ...offered(source, account)]),
    imports: optional([...(configured?.imports ?? []).map((wanted) => imported(wanted, source)), ...builtIn(source, account, configured?.imports ?? [])]),
    ...(claims === undefined ? {} : { jwt: claims.token, issuer_key: claims.iss }),
    name_tag: claims === undefined || claims.name === "" ? account.name : claims.name,
    ...(claims === undefined ? {} : ofClaims(claims, tokens?.nowS ?? 0)),
    sublist_stats: sublistStats([account.interest.stats()]),
  };
}

function mappingsOf(options: Options, configured: AccountOptions | undefined): readonly MappingOptions[] {
  return configured === undefined ? options.mappings : configured.mappings;
}

function ofClaims(claims: AccountClaims, nowS: number): Pick<AccountDetail, "tags" | "decoded_jwt" | "validation_result_jwt" | "revoked_user"> {
  return {
    tags: optional(claims.tags),
    decoded_jwt: shownClaims(claims.token),
    validation_result_jwt: optional(validateAccount(claims, nowS).all.map(({ level, text }) => ({ description: text, blocking: level === "error", time_check: level === "time" }))),
    revoked_user: revocations(claims.revocations),
  };
}

function revocations(times: ReadonlyMap<string, number>): Readonly<Record<string, string>> | undefined {
  return optionalRecord(sortedRecord([...times].map(([key, atS]) => [key, timestamp(BigInt(atS) * 1_000_000_000n)] as const)));
}

const RESPONSE_TYPES = { singleton: "Singleton", stream: "Streamed", chunked: "Chunked" } as const;

function exported(offer: ExportOptions, claims: AccountClaims | undefined): Exported {
  const token = claims?.exports.find(({ claims: each }) => each?.subject === offer.subject && each.kind === offer.kind)?.claims;
  return {
    subject: offer.subject,
    type: offer.kind,
    token_req: optional(token?.needsToken ?? offer.accounts !== undefined),
    response_type: offer.kind === "service" ? RESPONSE_TYPES[offer.responseType] : undefined,
    approved_accounts: optional(offer.accounts ?? []),
    revoked_activations: token === undefined ? undefined : revocations(token.revocations),
  };
}

/** What the system account offers to every account. */
function offered({ jetstream }: MonitorSource, { isSystem }: Account): readonly Exported[] {
  if (!isSystem) return [];
  const service = (subject: string, response_type: string): Exported => ({ subject, type: "service", response_type });
  return [
    service("$SYS.REQ.ACCOUNT.*.CONNZ", RESPONSE_TYPES.stream),
    service("$SYS.REQ.ACCOUNT.*.STATZ", RESPONSE_TYPES.stream),
    service("$SYS.DEBUG.SUBSCRIBERS", RESPONSE_TYPES.singleton),
    service("$SYS.REQ.USER.*.INFO", RESPONSE_TYPES.singleton),
    ...(jetstream === undefined ? [] : [service("$JS.API.>", RESPONSE_TYPES.singleton)]),
  ];
}

/** What every account has from the system account, unless it has imported that itself. */
function builtIn({ options: { systemAccount }, jetstream }: MonitorSource, { name, isSystem }: Account, own: readonly ImportOptions[]): readonly Imported[] {
  if (systemAccount === "") return [];
  const from = (subject: string, to: string, share: boolean): Imported => ({ subject, account: systemAccount, to, local_subject: to, type: "service", invalid: false, share, tracking: false });
  const about = from(`$SYS.REQ.USER.${name}.INFO`, "$SYS.REQ.USER.INFO", true);
  if (isSystem) return [about];
  const all = [
    about,
    from(`$SYS.REQ.ACCOUNT.${name}.CONNZ`, "$SYS.REQ.ACCOUNT.PING.CONNZ", false),
    from(`$SYS.REQ.ACCOUNT.${name}.CONNZ`, "$SYS.REQ.SERVER.PING.CONNZ", false),
    from(`$SYS.REQ.ACCOUNT.${name}.STATZ`, "$SYS.REQ.ACCOUNT.PING.STATZ", false),
    ...(jetstream === undefined ? [] : [from("$JS.API.>", "$JS.API.>", true)]),
  ];
  return all.filter(({ local_subject }) => !own.some(({ kind, account, to, subject }) => kind === "service" && account === systemAccount && (to || subject) === local_subject));
}

function imported(wanted: ImportOptions, source: MonitorSource): Imported {
  const local = wanted.prefix !== "" ? `${wanted.prefix}.${wanted.subject}` : wanted.to || wanted.subject;
  return {
    subject: wanted.subject,
    account: wanted.account,
    to: wanted.kind === "service" ? local : undefined,
    local_subject: local,
    type: wanted.kind,
    invalid: !source.accounts.byName.has(wanted.account),
    share: wanted.share,
    tracking: false,
  };
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

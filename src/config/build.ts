/** From the values of the tables to `Options`: what concerns several blocks at once is checked here, and defaults are filled in. */
import { goQuote } from "../util/quote.ts";
import { msOfNs } from "../util/duration.ts";
import { joinPath } from "./parser.ts";
import { exchangeProblems } from "./exchange.ts";
import type { AccountOptions, ImportOptions, MappingOptions, OperatorOptions, Options } from "./options.ts";
import type { ReadAccount } from "./schema/accounts.ts";
import { type BlockReading, type Reading, readBlock } from "./schema/form.ts";
import { DEFAULT_JETSTREAM } from "./schema/jetstream.ts";
import { serverBlock } from "./schema/server.ts";
import { UserRegistry } from "./schema/users.ts";
import { DEFAULT_WEBSOCKET } from "./schema/websocket.ts";
import type { MapValue, Position } from "./values.ts";

type Read = BlockReading<typeof serverBlock>;

export const GLOBAL_ACCOUNT = "$G";
export const DEFAULT_SYSTEM_ACCOUNT = "$SYS";
const DEFAULT_HOST = "0.0.0.0";
const DEFAULT_PORT = 4222;

/** The options of a parsed file; what is wrong with them goes to `reading`. Host and ports are still 0 or empty where nothing was said. */
export function buildOptions(root: MapValue, file: { readonly path: string; readonly digest: string }, reading: Reading): Options {
  const read = readBlock(serverBlock, root, reading);
  const { values } = read;
  const storeDirAt = values.jetstream?.storeDirAt;
  if (storeDirAt !== undefined && values.store_dir !== undefined) reading.error(storeDirAt, "Duplicate 'store_dir' configuration");
  const jetstream = values.jetstream?.options ?? { ...DEFAULT_JETSTREAM, enabled: false };

  return {
    ...networkOptions(read),
    ...limitOptions(read),
    ...authOptions(read, reading),
    operator: operatorOptions(read),
    configFile: file.path,
    configDigest: file.digest,
    clientAdvertise: values.client_advertise ?? "",
    serverName: values.server_name ?? "",
    serverTags: values.server_tags ?? [],
    serverMetadata: values.server_metadata ?? {},
    featureFlags: values.feature_flags ?? {},
    log: logOptions(read),
    pidFile: values.pid_file ?? "",
    portsFileDir: values.ports_file_dir ?? "",
    profPort: values.prof_port ?? 0,
    profBlockRate: values.prof_block_rate ?? 0,
    jetstream: values.store_dir === undefined ? jetstream : { ...jetstream, storeDir: values.store_dir },
    unsupported: reading.unsupported,
  };
}

/** Fills in what is left to say when neither file nor flags said it. */
export function withDefaults(given: Options): Options {
  const options = withDomainMappings(given);
  const host = options.host === "" ? DEFAULT_HOST : options.host;
  return {
    ...options,
    host,
    port: options.port === 0 ? DEFAULT_PORT : options.port,
    httpHost: options.httpHost === "" ? host : options.httpHost,
    websocket: options.websocket.host === "" ? { ...options.websocket, host: DEFAULT_HOST } : options.websocket,
  };
}

/** Whether the account may use JetStream: those that say so, or the global one where no accounts are configured. */
export function hasJetStream(options: Options, account: string): boolean {
  if (!options.jetstream.enabled) return false;
  const configured = options.accounts.filter(({ name }) => name !== options.systemAccount);
  if (configured.length === 0) return account === GLOBAL_ACCOUNT;
  return configured.some(({ name, jetstream }) => name === account && jetstream !== undefined);
}

/** With a domain, its API subjects are mapped to the plain ones in every account. Source: JetStream pages, "domains". */
function withDomainMappings(options: Options): Options {
  return {
    ...options,
    mappings: [...options.mappings, ...domainMappings(GLOBAL_ACCOUNT, options)],
    accounts: options.accounts.map((account) => (account.name === GLOBAL_ACCOUNT ? account : withDomain(account, options))),
  };
}

/** The account with the mappings that a domain gives to all of them. */
export function withDomain(account: AccountOptions, options: Options): AccountOptions {
  const mappings = domainMappings(account.name, options);
  return mappings.length === 0 ? account : { ...account, mappings: [...account.mappings, ...mappings] };
}

function domainMappings(account: string, { jetstream: { domain, enabled }, systemAccount }: Options): readonly MappingOptions[] {
  if (domain === "" || !enabled) return [];
  const to = (source: string, subject: string): MappingOptions => ({ source: `$JS.${domain}.API.${source}`, destinations: [{ subject, weight: 100, cluster: "" }] });
  if (account === systemAccount) return [to(">", "$JS.API.>")];
  const families = ["STREAM", "CONSUMER", "DIRECT", "META", "SERVER", "ACCOUNT"].map((family) => to(`${family}.>`, `$JS.API.${family}.>`));
  return [to("INFO", "$JS.API.INFO"), ...families, to("$KV.>", "$KV.>"), to("$OBJ.>", "$OBJ.>")];
}

function operatorOptions({ values }: Read): OperatorOptions {
  const operators = values.operator ?? [];
  // One operator alone names the server of its accounts.
  const url = operators.length === 1 && values.resolver === undefined ? operators[0].accountServerUrl : "";
  return {
    operators,
    trustedKeys: values.trusted ?? [],
    resolver: values.resolver ?? (url === "" ? undefined : { kind: "url", url: `${url.replace(/\/$/, "")}/accounts` }),
    resolverTls: values.resolver_tls,
    preloads: values.resolver_preload ?? new Map(),
    pinnedAccounts: values.resolver_pinned_accounts ?? [],
    defaultSentinel: values.default_sentinel ?? "",
  };
}

/** Whether accounts and users come as tokens. */
export function isOperatorMode({ operator }: Pick<Options, "operator">): boolean {
  return operator.operators.length > 0 || operator.trustedKeys.length > 0;
}

type Network = Pick<
  Options,
  "host" | "port" | "httpHost" | "httpPort" | "httpsPort" | "httpBasePath" | "tls" | "allowNonTls" | "websocket" | "proxyProtocol" | "trustedProxies"
>;

function networkOptions({ values }: Read): Network {
  return {
    host: values.host ?? values.listen?.host ?? "",
    port: values.port ?? values.listen?.port ?? 0,
    httpHost: values.http?.host ?? values.https?.host ?? "",
    httpPort: values.http_port ?? values.http?.port ?? 0,
    httpsPort: values.https_port ?? values.https?.port ?? 0,
    httpBasePath: cleanBasePath(values.http_base_path ?? ""),
    tls: values.tls,
    allowNonTls: values.allow_non_tls ?? false,
    websocket: values.websocket ?? DEFAULT_WEBSOCKET,
    proxyProtocol: values.proxy_protocol ?? false,
    trustedProxies: values.proxies ?? [],
  };
}

function cleanBasePath(path: string): string {
  const cleaned = joinPath("/", path);
  return cleaned === "/" ? "" : cleaned;
}

type Limits = Pick<
  Options,
  | "maxConnections"
  | "maxControlLine"
  | "maxPayload"
  | "maxPending"
  | "maxSubscriptions"
  | "maxSubscriptionTokens"
  | "maxClosedClients"
  | "pingIntervalMs"
  | "pingMax"
  | "writeDeadlineMs"
  | "writeTimeout"
  | "lameDuckDurationMs"
  | "lameDuckGracePeriodMs"
  | "noFastProducerStall"
  | "disableSublistCache"
  | "noHeaderSupport"
  | "connectErrorReports"
  | "reconnectErrorReports"
>;

function limitOptions({ values }: Read): Limits {
  const ms = (ns: bigint | undefined, whenAbsent: number): number => (ns === undefined || ns === 0n ? whenAbsent : msOfNs(ns));
  return {
    maxConnections: values.max_connections ?? 65536,
    maxControlLine: values.max_control_line || 4096,
    maxPayload: values.max_payload || 1_048_576,
    maxPending: values.max_pending || 67_108_864,
    maxSubscriptions: values.max_subscriptions ?? 0,
    maxSubscriptionTokens: values.max_sub_tokens ?? 0,
    maxClosedClients: values.max_closed_clients || 10_000,
    pingIntervalMs: ms(values.ping_interval, 120_000),
    pingMax: values.ping_max || 2,
    writeDeadlineMs: ms(values.write_deadline, 10_000),
    writeTimeout: values.write_timeout ?? "default",
    lameDuckDurationMs: ms(values.lame_duck_duration, 120_000),
    lameDuckGracePeriodMs: ms(values.lame_duck_grace_period, 10_000),
    noFastProducerStall: values.no_fast_producer_stall ?? false,
    disableSublistCache: values.disable_sublist_cache ?? false,
    noHeaderSupport: values.no_header_support ?? false,
    connectErrorReports: values.connect_error_reports || 3600,
    reconnectErrorReports: values.reconnect_error_reports || 1,
  };
}

function logOptions({ values }: Read): Options["log"] {
  const traceVerbose = values.trace_verbose ?? false;
  const traceHeaders = values.trace_headers ?? false;
  return {
    debug: values.debug ?? false,
    trace: traceVerbose || traceHeaders || (values.trace ?? false),
    traceVerbose,
    traceHeaders,
    logtime: values.logtime ?? true,
    logtimeUtc: values.logtime_utc ?? false,
    logFile: values.log_file ?? "",
    logSizeLimitBytes: values.log_size_limit ?? 0,
    logMaxFiles: values.log_max_num ?? 0,
    syslog: values.syslog ?? false,
    remoteSyslog: values.remote_syslog ?? "",
    maxTracedMsgLen: values.max_traced_msg_len ?? 0,
  };
}

type Auth = Pick<
  Options,
  | "authorization"
  | "authorizationProxyRequired"
  | "authorizationPermissions"
  | "authCallout"
  | "users"
  | "noAuthUser"
  | "accounts"
  | "mappings"
  | "systemAccount"
>;

function authOptions({ values, entries }: Read, reading: Reading): Auth {
  const registry = new UserRegistry(reading);
  const single = values.authorization;
  if (single !== undefined) registry.add(single.users, GLOBAL_ACCOUNT, single.defaultPermissions, single.position);
  for (const { account, users, defaultPermissions, usersPosition } of values.accounts ?? []) {
    if (users.length > 0 && single !== undefined && single.username !== "") reading.error(usersPosition, "Can not have a single user/pass and accounts");
    if (users.length > 0 && single !== undefined && single.token !== "") reading.error(usersPosition, "Can not have a token and accounts");
    // Names are only compared across blocks when the blocks themselves are in order.
    if (reading.errors.length === 0) registry.add(users, account.name, defaultPermissions, usersPosition);
  }
  const systemAccount = values.no_system_account === true ? "" : systemAccountName(values);
  const accountsAt = entries.get("accounts")?.node.position;
  if (accountsAt !== undefined && reading.errors.length === 0) checkExchange(values.accounts ?? [], systemAccount, accountsAt, reading);
  return {
    authorization: {
      username: single?.username ?? "",
      password: single?.password ?? "",
      token: single?.token ?? "",
      timeoutMs: single?.timeoutMs || undefined,
    },
    authorizationProxyRequired: single?.proxyRequired ?? false,
    authCallout: single?.callout,
    authorizationPermissions: single?.users.length === 0 ? single.defaultPermissions : undefined,
    users: registry.users,
    noAuthUser: values.no_auth_user ?? "",
    accounts: (values.accounts ?? []).map(({ account }) => account),
    mappings: values.mappings ?? [],
    systemAccount,
  };
}

/** The one configured, or that of the only operator; empty: none, for nobody could be a user of an account that is not the operators'. */
function systemAccountName({ system_account: configured, operator = [], trusted: trustedKeys = [] }: Read["values"]): string {
  if (configured !== undefined) return configured;
  if (operator.length === 0 && trustedKeys.length === 0) return DEFAULT_SYSTEM_ACCOUNT;
  return operator.length === 1 ? operator[0].systemAccount : "";
}

/** What concerns several accounts is reported where `accounts` begins, but for a local subject that is used twice: its own item is told. */
function checkExchange(accounts: readonly ReadAccount[], systemAccount: string, accountsAt: Position, reading: Reading): void {
  for (const { imports } of accounts) {
    const used = new Map<string, ImportOptions>();
    for (const { position, options } of imports) {
      if (options.kind !== "service") continue;
      const local = options.to === "" ? options.subject : options.to;
      const key = `${options.account} ${local}`;
      const first = used.get(key);
      if (first === undefined) used.set(key, options);
      else reading.error(position, `Duplicate service import subject ${goQuote(local)}, previously used in import for account ${goQuote(first.account)}, subject ${goQuote(first.subject)}`);
    }
  }
  if (reading.errors.length > 0) return;
  for (const problem of exchangeProblems(accounts.map(({ account }) => account), systemAccount)) reading.error(accountsAt, problem);
}

/** The first reason why a no-auth user cannot be; undefined when it can. */
export function noAuthUserProblem(noAuthUser: string, options: Options): string | undefined {
  if (noAuthUser === "") return undefined;
  if (options.users.length === 0) return `no_auth_user: ${goQuote(noAuthUser)} present, but users/nkeys are not defined`;
  if (options.users.some(({ user, nkey }) => user === noAuthUser || nkey === noAuthUser)) return undefined;
  return `no_auth_user: ${goQuote(noAuthUser)} not present as user or nkey in authorization block or account configuration`;
}

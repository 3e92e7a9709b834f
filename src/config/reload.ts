/**
 * What a reload would change: either the one option that cannot change while the server runs, or the list of changes in the order in which they are
 * logged. Two tables, compared row by row; an option in neither may change without anyone needing to know.
 */
import { formatDurationMs } from "../util/duration.ts";
import { goQuoteList } from "../util/quote.ts";
import { formatSize } from "../util/size.ts";
import { DEFAULT_SYSTEM_ACCOUNT } from "./build.ts";
import type { JetStreamOptions, Options, TlsOptions } from "./options.ts";

/** A part of the server that must take up new options. */
export type ReloadSubject =
  | "client_advertise"
  | "logging"
  | "max_connections"
  | "authorization"
  | "accounts"
  | "ping"
  | "limits"
  | "tls"
  | "pinned_certs"
  | "pid_file"
  | "ports_file_dir"
  | "write_deadline"
  | "tags"
  | "metadata"
  | "proxies"
  | "jetstream"
  | "other";

export interface ReloadChange {
  readonly subject: ReloadSubject;
  /** The whole log line; empty for a change that is not logged. */
  readonly line: string;
}

export type ReloadDiff =
  | { readonly ok: false; readonly refused: string }
  /** `options` are the new ones, with ports that were asked for as -1 kept at what they became. */
  | { readonly ok: true; readonly options: Options; readonly changes: readonly ReloadChange[] };

interface Fixed {
  readonly field: string;
  readonly show: (options: Options) => string;
  /** What is compared, when `show` hides secrets. */
  readonly value?: (options: Options) => string;
}

const durationField = (field: string, ms: (options: Options) => number): Fixed => ({ field, show: (options) => formatDurationMs(ms(options)) });
const field = (name: string, value: (options: Options) => string | number | boolean): Fixed => ({ field: name, show: (options) => String(value(options)) });

/** Options that need a restart, by the names and values of the error text. */
function resolverText({ operator: { resolver } }: Options): string {
  return resolver === undefined ? "" : resolver.kind === "url" ? "url" : resolver.kind;
}

const FIXED: readonly Fixed[] = [
  field("Host", (o) => o.host),
  field("Port", (o) => o.port),
  field("ServerName", (o) => o.serverName),
  field("HTTPHost", (o) => o.httpHost),
  field("HTTPPort", (o) => o.httpPort),
  field("HTTPSPort", (o) => o.httpsPort),
  field("HTTPBasePath", (o) => o.httpBasePath),
  field("MaxSubs", (o) => o.maxSubscriptions),
  field("MaxSubTokens", (o) => o.maxSubscriptionTokens),
  field("MaxPending", (o) => o.maxPending),
  field("MaxClosedClients", (o) => o.maxClosedClients),
  field("NoSublistCache", (o) => o.disableSublistCache),
  field("NoHeaderSupport", (o) => o.noHeaderSupport),
  field("NoSystemAccount", (o) => o.systemAccount === ""),
  field("ProxyRequired", (o) => o.authorizationProxyRequired),
  field("ProxyProtocol", (o) => o.proxyProtocol),
  { field: "TrustedKeys", show: (o) => `[${o.operator.trustedKeys.join(" ")}]` },
  { field: "AuthCallout", show: (o) => shownCallout(o.authCallout), value: (o) => JSON.stringify(o.authCallout ?? null) },
  { field: "AccountResolver", show: (o) => resolverText(o), value: (o) => JSON.stringify([o.operator.resolver, o.operator.resolverTls]) },
  { field: "TrustedOperators", show: (o) => `[${o.operator.operators.map(({ sub }) => sub).join(" ")}]`, value: (o) => o.operator.operators.map(({ token }) => token).join(" ") },
  field("AllowNonTLS", (o) => o.allowNonTls),
  field("TLSMap", (o) => o.tls?.verifyAndMap ?? false),
  field("TLSRateLimit", (o) => o.tls?.connectionRateLimit ?? 0),
  field("WriteTimeout", (o) => (o.writeTimeout === "default" ? "" : o.writeTimeout)),
  durationField("LameDuckDuration", (o) => o.lameDuckDurationMs),
  durationField("LameDuckGracePeriod", (o) => o.lameDuckGracePeriodMs),
  field("LogSizeLimit", (o) => o.log.logSizeLimitBytes),
  field("LogMaxFiles", (o) => o.log.logMaxFiles),
  field("ProfPort", (o) => o.profPort),
  field("FeatureFlags", (o) => goMap(o.featureFlags)),
  field("SyncInterval", (o) => (o.jetstream.syncIntervalMs === "always" ? "2m0s" : formatDurationMs(o.jetstream.syncIntervalMs))),
  field("SyncAlways", (o) => o.jetstream.syncIntervalMs === "always"),
  field("NoJetStreamStrict", (o) => !o.jetstream.strict),
  field("JetStreamDomain", (o) => o.jetstream.domain),
  field("JetStreamExtHint", (o) => o.jetstream.extensionHint),
  { field: "JetStreamKey", show: () => "[REDACTED]", value: (o) => o.jetstream.key },
  { field: "JetStreamOldKey", show: () => "[REDACTED]", value: (o) => o.jetstream.previousKey },
  field("JetStreamCipher", (o) => (o.jetstream.cipher === "aes" ? 1 : 0)),
  field("JetStreamUniqueTag", (o) => o.jetstream.uniqueTag),
  { field: "JetStreamLimits", show: (o) => goLimits(o.jetstream.limits), value: (o) => JSON.stringify(o.jetstream.limits) },
  field("JetStreamMaxCatchup", (o) => o.jetstream.maxCatchupBytes),
  field("JetStreamRequestQueueLimit", (o) => o.jetstream.requestQueueLimit),
  field("JetStreamInfoQueueLimit", (o) => o.jetstream.infoQueueLimit),
  field("StreamMaxBufferedMsgs", (o) => o.jetstream.maxBufferedMessages),
  field("StreamMaxBufferedSize", (o) => o.jetstream.maxBufferedBytes),
  { field: "Websocket", show: websocketText, value: (o) => JSON.stringify({ ...o.websocket, tls: o.websocket.tls !== undefined }) },
];

interface Reloadable {
  readonly subject: ReloadSubject;
  /** What is compared; the change is logged when the texts differ. */
  readonly value: (options: Options) => string | number | boolean;
  /** The line's text after `Reloaded: `; without it the change is silent. */
  readonly line?: (options: Options) => string;
}

function setting(subject: ReloadSubject, name: string, value: Reloadable["value"]): Reloadable {
  return { subject, value, line: (options) => `${name} = ${value(options)}` };
}

function named(subject: ReloadSubject, name: string, value: Reloadable["value"]): Reloadable {
  return { subject, value, line: () => name };
}

const LOGGING: readonly Reloadable[] = [
  setting("logging", "trace", (o) => o.log.trace),
  setting("logging", "trace_verbose", (o) => o.log.traceVerbose),
  setting("logging", "trace_headers", (o) => o.log.traceHeaders),
  setting("logging", "debug", (o) => o.log.debug),
  setting("logging", "logtime", (o) => o.log.logtime),
  setting("logging", "logtime_utc", (o) => o.log.logtimeUtc),
  setting("logging", "log_file", (o) => o.log.logFile),
  setting("logging", "syslog", (o) => o.log.syslog),
  setting("logging", "remote_syslog", (o) => o.log.remoteSyslog),
  setting("max_connections", "max_connections", (o) => o.maxConnections),
];

const AUTHORIZATION: readonly Reloadable[] = [
  named("authorization", "authorization username", (o) => o.authorization.username),
  named("authorization", "authorization password", (o) => o.authorization.password),
  named("authorization", "authorization token", (o) => o.authorization.token),
];

const REST: readonly Reloadable[] = [
  setting("ping", "ping_interval", (o) => formatDurationMs(o.pingIntervalMs)),
  setting("ping", "ping_max", (o) => o.pingMax),
  setting("authorization", "authorization timeout", authTimeoutSeconds),
  setting("limits", "max_control_line", (o) => o.maxControlLine),
  setting("limits", "max_payload", (o) => o.maxPayload),
  {
    subject: "other",
    value: (o) => o.noFastProducerStall,
    line: (o) => `fast producers will ${o.noFastProducerStall ? "not " : ""}be stalled`,
  },
  setting("other", "prof_block_rate", (o) => o.profBlockRate),
  { subject: "tls", value: (o) => tlsText(o.tls), line: (o) => `tls = ${o.tls === undefined ? "disabled" : "enabled"}` },
  setting("tls", "tls timeout", (o) => (o.tls?.timeoutMs ?? 2000) / 1000),
  { subject: "pinned_certs", value: (o) => JSON.stringify([...(o.tls?.pinnedCerts ?? [])].sort()), line: (o) => `${o.tls?.pinnedCerts.length ?? 0} pinned_certs` },
  { subject: "tls", value: (o) => o.tls?.handshakeFirst ?? false, line: (o) => `Client TLS handshake first: ${o.tls?.handshakeFirst ?? false}` },
  {
    subject: "tls",
    value: (o) => o.tls?.handshakeFirstFallbackMs ?? 0,
    line: (o) => `Client TLS handshake first fallback delay: ${formatDurationMs(o.tls?.handshakeFirstFallbackMs ?? 0)}`,
  },
  { subject: "tls", value: (o) => tlsText(o.websocket.tls) },
  setting("pid_file", "pid_file", (o) => o.pidFile),
  setting("ports_file_dir", "ports_file_dir", (o) => o.portsFileDir),
  setting("write_deadline", "write_deadline", (o) => formatDurationMs(o.writeDeadlineMs)),
  setting("other", "max_traced_msg_len", (o) => o.log.maxTracedMsgLen),
  setting("other", "connect_error_reports", (o) => o.connectErrorReports),
  setting("other", "reconnect_error_reports", (o) => o.reconnectErrorReports),
  setting("jetstream", "JetStream", (o) => o.jetstream.enabled),
  { subject: "jetstream", value: (o) => o.jetstream.maxMemoryBytes, line: (o) => `JetStream max_mem_store = ${formatSize(o.jetstream.maxMemoryBytes)}` },
  { subject: "jetstream", value: (o) => o.jetstream.maxStoreBytes, line: (o) => `JetStream max_file_store = ${formatSize(o.jetstream.maxStoreBytes)}` },
  named("tags", "tags", (o) => JSON.stringify(o.serverTags)),
  named("metadata", "metadata", (o) => goMap(o.serverMetadata)),
];

/**
 * Compares the options in force with new, valid ones. Both come from `loadOptions` with the server's flags. `old` may hold the ports that the server
 * really listens on where -1 was asked for: then the new -1 means these.
 */
export function diffOptions(old: Options, fresh: Options): ReloadDiff {
  if (fresh.unsupported.length > 0) return { ok: false, refused: `not in this version: ${fresh.unsupported.join(", ")}` };
  const options = keepRandomPorts(old, fresh);
  for (const { field: name, show, value = show } of FIXED) {
    if (value(old) !== value(options)) return refusal(name, show(old), show(options));
  }
  const jetstream = jetstreamRefusal(old.jetstream, options.jetstream);
  if (jetstream !== undefined) return { ok: false, refused: `config reload not supported for ${jetstream}` };
  const account = systemAccountRefusal(old, options) ?? noAuthUserRefusal(old, options);
  if (account !== undefined) return account;
  return { ok: true, options, changes: changesBetween(old, options) };
}

function refusal(name: string, before: string, after: string): ReloadDiff {
  return { ok: false, refused: `config reload not supported for ${name}: old=${before}, new=${after}` };
}

/** Storage may only grow while it is in use, and stays where it is. */
function jetstreamRefusal(old: JetStreamOptions, fresh: JetStreamOptions): string | undefined {
  if (!old.enabled || !fresh.enabled) return undefined;
  if (old.storeDir !== fresh.storeDir) return "jetstream storage directory";
  const isDynamic = (options: JetStreamOptions): boolean => options.maxMemoryBytes === -1 || options.maxStoreBytes === -1;
  const same = old.maxMemoryBytes === fresh.maxMemoryBytes && old.maxStoreBytes === fresh.maxStoreBytes;
  if (same) return undefined;
  if (isDynamic(old) || isDynamic(fresh)) return "jetstream dynamic max memory and store";
  if (fresh.maxMemoryBytes < old.maxMemoryBytes || fresh.maxStoreBytes < old.maxStoreBytes) return "decreasing jetstream max memory and store";
  return undefined;
}

/** The default account shows as nothing; a reload may put it back, and nothing else. */
function systemAccountRefusal(old: Options, fresh: Options): ReloadDiff | undefined {
  if (old.systemAccount === fresh.systemAccount) return undefined;
  const shown = (name: string): string => (name === DEFAULT_SYSTEM_ACCOUNT ? "" : name);
  return refusal("SystemAccount", shown(old.systemAccount), shown(fresh.systemAccount));
}

/** A no-auth user may only vanish together with the user itself. */
function noAuthUserRefusal(old: Options, fresh: Options): ReloadDiff | undefined {
  if (old.noAuthUser === fresh.noAuthUser) return undefined;
  const gone = !fresh.users.some(({ user, nkey }) => user === old.noAuthUser || nkey === old.noAuthUser);
  return fresh.noAuthUser === "" && gone ? undefined : refusal("NoAuthUser", old.noAuthUser, fresh.noAuthUser);
}

function keepRandomPorts(old: Options, fresh: Options): Options {
  const keep = (before: number, after: number): number => (after === -1 ? before : after);
  return {
    ...fresh,
    port: keep(old.port, fresh.port),
    httpPort: keep(old.httpPort, fresh.httpPort),
    httpsPort: keep(old.httpsPort, fresh.httpsPort),
    websocket: { ...fresh.websocket, port: keep(old.websocket.port, fresh.websocket.port) },
  };
}

function changesBetween(old: Options, fresh: Options): readonly ReloadChange[] {
  const changes: ReloadChange[] = [];
  const compare = (rows: readonly Reloadable[]): void => {
    for (const { subject, value, line } of rows) {
      if (value(old) === value(fresh)) continue;
      const silent = line === undefined || (subject === "pid_file" && fresh.pidFile === "");
      changes.push({ subject, line: silent ? "" : `Reloaded: ${line(fresh)}` });
    }
  };
  if (old.clientAdvertise !== fresh.clientAdvertise) {
    changes.push({ subject: "client_advertise", line: `Reload: client_advertise = ${fresh.clientAdvertise}` });
  }
  compare(LOGGING);
  // Users and accounts always count as changed: comparing all they hold costs more than taking them up.
  changes.push({ subject: "authorization", line: "Reloaded: authorization users" }, { subject: "accounts", line: "Reloaded: accounts" });
  compare(AUTHORIZATION);
  compare(REST);
  compareProxies(old, fresh, changes);
  return changes;
}

function compareProxies(old: Options, fresh: Options, changes: ReloadChange[]): void {
  const removed = old.trustedProxies.filter((key) => !fresh.trustedProxies.includes(key));
  const added = fresh.trustedProxies.filter((key) => !old.trustedProxies.includes(key));
  if (removed.length > 0) changes.push({ subject: "proxies", line: `Reloaded: proxies trusted keys ${goQuoteList(removed)} were removed` });
  if (added.length > 0) changes.push({ subject: "proxies", line: `Reloaded: proxies trusted keys ${goQuoteList(added)} were added` });
}

/** Seconds; without a configured value it follows the TLS timeout. */
function authTimeoutSeconds(options: Options): number {
  const { timeoutMs } = options.authorization;
  if (timeoutMs !== undefined) return timeoutMs / 1000;
  return options.tls === undefined ? 2 : options.tls.timeoutMs / 1000 + 1;
}

/** Everything of a TLS block that is not a row of its own. */
function tlsText(tls: TlsOptions | undefined): string {
  if (tls === undefined) return "";
  return JSON.stringify({ ...tls, timeoutMs: 0, pinnedCerts: [], handshakeFirst: false, handshakeFirstFallbackMs: 0, connectionRateLimit: 0 });
}

function goLimits(limits: Options["jetstream"]["limits"]): string {
  return `{${limits.maxRequestBatch} ${limits.maxAckPending} ${limits.maxHaAssets} ${formatDurationMs(limits.duplicateWindowMs)}}`;
}

/** All of the block but its TLS, which may change. */
function websocketText({ websocket: { tls, authorization, headers, allowedOrigins, ...rest } }: Options): string {
  const plain = Object.values(rest).join(" ");
  const secret = [authorization.username, authorization.password === "" ? "" : "[REDACTED]", authorization.token === "" ? "" : "[REDACTED]"];
  return `{${plain} ${secret.join(" ")} ${authorization.timeoutMs ?? 0} ${goMap(headers)} [${allowedOrigins.join(" ")}] ${tls === undefined ? "<nil>" : "tls"}}`;
}

function goMap(map: Readonly<Record<string, string | boolean>>): string {
  const keys = Object.keys(map).sort();
  return `map[${keys.map((key) => `${key}:${map[key]}`).join(" ")}]`;
}

/** As the reference shows it: the fields in the order of its own type. */
function shownCallout(callout: Options["authCallout"]): string {
  if (callout === undefined) return "<nil>";
  const { issuer, account, authUsers, xkey, allowedAccounts } = callout;
  return `&{${issuer} ${account} [${authUsers.join(" ")}] ${xkey} [${allowedAccounts.join(" ")}]}`;
}

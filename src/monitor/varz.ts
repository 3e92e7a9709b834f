/** /varz: the server as a whole. Spec: monitoring, section 3. The order of the fields is that of the wire. */
import type { Options } from "../config/index.ts";
import { advertisedAddress } from "./advertise.ts";
import { jetstreamConfig, jetstreamLimits, jetstreamStats } from "./jsz.ts";
import { certificateExpiry, nanoseconds, optional, optionalRecord, sortedRecord, uptime } from "./format.ts";
import { timestamp } from "../util/timestamp.ts";
import { shownClaims } from "../jwt/index.ts";
import { VERSION } from "../util/version.ts";
import type { MonitorSource } from "./source.ts";

/** Counts per kind of connection. */
interface PerKind {
  readonly clients: number;
  readonly routes: number;
  readonly gateways: number;
  readonly leafs: number;
}

export type Varz = ReturnType<typeof varz>;

export function varz(source: MonitorSource) {
  const { options, connections, monitoring, platform, jetstream } = source;
  const nowNs = platform.clock.nowNs();
  const process = monitoring.process();
  const traffic = connections.traffic();
  const { tls } = options;
  const advertised = advertisedAddress(options.clientAdvertise, options.host, source.clientPort);
  return {
    server_id: source.identity.id,
    server_name: source.identity.name,
    version: VERSION,
    proto: 1,
    go: `bun${Bun.version}`,
    host: advertised.host,
    port: advertised.port,
    auth_required: optional(source.authenticator.announced("STANDARD")),
    tls_required: optional(tls !== undefined && !options.allowNonTls),
    tls_verify: optional(tls?.verify ?? false),
    max_connections: options.maxConnections,
    max_subscriptions: optional(options.maxSubscriptions),
    ping_interval: nanoseconds(options.pingIntervalMs),
    ping_max: options.pingMax,
    http_host: options.httpHost === "" ? options.host : options.httpHost,
    http_port: monitoring.httpPort,
    http_base_path: options.httpBasePath,
    https_port: monitoring.httpsPort,
    auth_timeout: source.authenticator.timeoutMs("STANDARD") / 1000,
    max_control_line: options.maxControlLine,
    max_payload: options.maxPayload,
    max_pending: options.maxPending,
    cluster: {},
    gateway: {},
    leaf: {},
    mqtt: {},
    websocket: websocketBlock(options, source.websocketPort),
    jetstream: jetstream === undefined ? {} : { config: jetstreamConfig(source, jetstream), stats: jetstreamStats(jetstream), limits: jetstreamLimits(source) },
    tls_timeout: (tls?.timeoutMs ?? 2000) / 1000,
    write_deadline: nanoseconds(options.writeDeadlineMs),
    write_timeout: options.writeTimeout === "default" ? undefined : options.writeTimeout,
    start: timestamp(source.startedAtNs),
    now: timestamp(nowNs),
    uptime: uptime(Number(nowNs - source.startedAtNs) / 1e6),
    mem: process.rssBytes,
    cores: process.cores,
    gomaxprocs: process.cores,
    cpu: process.cpuPercent,
    connections: connections.live.size,
    total_connections: connections.total,
    routes: 0,
    remotes: 0,
    leafnodes: 0,
    in_msgs: traffic.inMsgs,
    in_bytes: traffic.inBytes,
    in_client_msgs: traffic.inMsgs,
    in_client_bytes: traffic.inBytes,
    out_msgs: traffic.outMsgs,
    out_bytes: traffic.outBytes,
    out_client_msgs: traffic.outMsgs,
    out_client_bytes: traffic.outBytes,
    slow_consumers: connections.stats.slowConsumers,
    stale_connections: connections.stats.staleConnections,
    stalled_clients: connections.stats.stalledClients,
    subscriptions: subscriptionCount(source),
    http_req_stats: sortedRecord(monitoring.requests),
    config_load_time: timestamp(source.configLoadedAtNs),
    config_digest: options.configDigest,
    tags: optional(options.serverTags),
    metadata: optionalRecord(sortedRecord(Object.entries(options.serverMetadata))),
    feature_flags: optionalRecord(sortedRecord(Object.entries(source.featureFlags))),
    trusted_operators_jwt: optional(options.operator.operators.map(({ token }) => token)),
    trusted_operators_claim: optional(options.operator.operators.map(({ token }) => shownClaims(token))),
    system_account: optional(options.systemAccount),
    pinned_account_fails: optional(source.tokens?.pinnedRefusals ?? 0),
    slow_consumer_stats: clientsOnly(connections.stats.slowConsumers),
    stale_connection_stats: clientsOnly(connections.stats.staleConnections),
    disk_io_wait_stats: { waiters: 0, waits: 0, wait_time: 0, max_wait_time: 0 },
    proxies: options.trustedProxies.length === 0 ? undefined : { trusted: options.trustedProxies.map((key) => ({ key })) },
    tls_cert_not_after: certificateExpiry(tls),
  };
}

/** Subscriptions of all accounts. */
export function subscriptionCount(source: Pick<MonitorSource, "accounts">): number {
  let count = 0;
  for (const account of source.accounts.byName.values()) count += account.interest.size;
  return count;
}

function clientsOnly(clients: number): PerKind {
  return { clients, routes: 0, gateways: 0, leafs: 0 };
}

function websocketBlock({ websocket }: Options, port: number): Readonly<Record<string, unknown>> {
  if (websocket.port === 0) return {};
  return {
    host: optional(websocket.host),
    port,
    advertise: optional(websocket.advertise),
    no_auth_user: optional(websocket.noAuthUser),
    jwt_cookie: optional(websocket.jwtCookie),
    handshake_timeout: optional(nanoseconds(websocket.handshakeTimeoutMs)),
    auth_timeout: optional((websocket.authorization.timeoutMs ?? 0) / 1000),
    no_tls: optional(websocket.noTls),
    tls_map: optional(websocket.tls?.verifyAndMap ?? false),
    tls_pinned_certs: optional(websocket.tls?.pinnedCerts ?? []),
    same_origin: optional(websocket.sameOrigin),
    allowed_origins: optional(websocket.allowedOrigins),
    compression: optional(websocket.compression),
    tls_cert_not_after: certificateExpiry(websocket.tls),
  };
}

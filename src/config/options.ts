/**
 * The typed result of configuration: what every other room reads. It is plain immutable data; the file's form (aliases, positions, variables) is gone,
 * defaults are filled in, and everything is already checked by `schema.ts` and `validate.ts`. A reload makes a whole new `Options` and compares.
 *
 * Units are in the names: `Ms` milliseconds (may be fractional), `Bytes`. Text is as the user wrote it (JavaScript strings); rooms that route convert
 * subjects to byte strings once, at their edge (`util/bytes.ts`).
 */

import type { AccountClaims, OperatorClaims } from "../jwt/index.ts";
import type { LogSettings } from "../log/index.ts";

/** A listen address. `port` -1 asks for a random free port, 0 means "not configured". */
export interface ListenOptions {
  readonly host: string;
  readonly port: number;
}

/** One certificate with its key, loaded: PEM text. */
export interface CertificatePair {
  readonly certFile: string;
  readonly keyFile: string;
  readonly certPem: string;
  readonly keyPem: string;
}

/** A `tls {}` block, with its files already read (they are read when the configuration is read, never watched). */
export interface TlsOptions {
  readonly certificates: readonly CertificatePair[];
  readonly caFile: string;
  /** PEM text of `ca_file`, empty when absent (then the system roots count). */
  readonly caPem: string;
  readonly verify: boolean;
  readonly verifyAndMap: boolean;
  readonly verifyCertAndCheckKnownUrls: boolean;
  readonly insecure: boolean;
  /** IANA names, as configured; empty means the default list. */
  readonly cipherSuites: readonly string[];
  /** Names as configured (`X25519`, `CurveP256`, ...); empty means the default list. */
  readonly curvePreferences: readonly string[];
  readonly minVersion: "1.2" | "1.3";
  readonly timeoutMs: number;
  /** TLS handshakes per second; 0 means no limit. */
  readonly connectionRateLimit: number;
  /** Lower-case hex SHA-256 of the DER SubjectPublicKeyInfo; empty means no pinning. */
  readonly pinnedCerts: readonly string[];
  readonly handshakeFirst: boolean;
  /** Delay after which a `handshake_first` listener falls back to sending INFO; 0 means no fallback. */
  readonly handshakeFirstFallbackMs: number;
}

export type ConnectionType = "STANDARD" | "WEBSOCKET" | "LEAFNODE" | "LEAFNODE_WS" | "MQTT" | "MQTT_WS" | "IN_PROCESS";

/** Subjects that are allowed or denied. `allow` undefined: no allow list (all allowed); empty: nothing is allowed (publish). */
export interface SubjectPermissionOptions {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

export interface PermissionOptions {
  readonly publish?: SubjectPermissionOptions;
  /** Entries may be `subject queue`. */
  readonly subscribe?: SubjectPermissionOptions;
  /** `maxMessages` and `expiresMs` negative mean unlimited. Defaults (1, 2 minutes) are already applied. */
  readonly allowResponses?: { readonly maxMessages: number; readonly expiresMs: number };
}

export interface UserOptions {
  /** Empty for an nkey user. */
  readonly user: string;
  readonly password: string;
  /** Public user nkey, or empty. */
  readonly nkey: string;
  /** Account name; `$G` for users of the top-level `authorization`. */
  readonly account: string;
  /** The user's own permissions, or the default permissions of its block. */
  readonly permissions?: PermissionOptions;
  /** Empty means every kind of connection. */
  readonly allowedConnectionTypes: readonly ConnectionType[];
  readonly proxyRequired: boolean;
}

/** Single user or token of an `authorization {}` block, with its timeout. */
export interface SimpleAuthOptions {
  readonly username: string;
  readonly password: string;
  readonly token: string;
  /** Milliseconds; undefined when not configured (the default depends on TLS). */
  readonly timeoutMs?: number;
}

/** Who decides about logins in place of the server. */
export interface AuthCalloutOptions {
  /** Public account key that signs the answers. */
  readonly issuer: string;
  /** Names or nkeys of users that are not delegated. */
  readonly authUsers: readonly string[];
  /** Account of the service. */
  readonly account: string;
  /** Public curve key of the service; empty: requests are not sealed. */
  readonly xkey: string;
  /** Accounts whose users are delegated; empty: all. */
  readonly allowedAccounts: readonly string[];
}

/** One weighted destination of a subject mapping. */
export interface MappingDestination {
  readonly subject: string;
  /** Percent, 0 to 100. */
  readonly weight: number;
  /** Cluster name this destination is limited to, or empty. */
  readonly cluster: string;
}

export interface MappingOptions {
  readonly source: string;
  readonly destinations: readonly MappingDestination[];
}

/** JetStream limits of an account; -1 means none. */
export interface AccountJetStreamOptions {
  readonly maxMemory: number;
  readonly maxStore: number;
  readonly maxStreams: number;
  readonly maxConsumers: number;
  readonly maxAckPending: number;
  readonly memoryMaxStreamBytes: number;
  readonly storeMaxStreamBytes: number;
  readonly maxBytesRequired: boolean;
}

/** The `jetstream` block. Limits of 0 mean none, or the default where there is one. */
export interface JetStreamOptions {
  readonly enabled: boolean;
  /** Empty: in the temporary folder. */
  readonly storeDir: string;
  /** -1: three quarters of the memory. */
  readonly maxMemoryBytes: number;
  /** -1: three quarters of the free disk. */
  readonly maxStoreBytes: number;
  readonly domain: string;
  readonly key: string;
  readonly previousKey: string;
  readonly cipher: "chacha" | "aes";
  readonly strict: boolean;
  readonly syncIntervalMs: number | "always";
  readonly uniqueTag: string;
  readonly extensionHint: string;
  readonly maxCatchupBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxBufferedMessages: number;
  readonly requestQueueLimit: number;
  readonly infoQueueLimit: number;
  readonly hasConcurrentIoLimit: boolean;
  readonly limits: {
    readonly maxAckPending: number;
    readonly maxHaAssets: number;
    readonly maxRequestBatch: number;
    readonly duplicateWindowMs: number;
    readonly batch: { readonly maxInflightPerStream?: number; readonly maxInflightTotal?: number; readonly maxMessages: number; readonly timeoutMs: number };
  };
}

/** How many answers a service gives: one, or many until an empty one. */
export type ResponseType = "singleton" | "stream" | "chunked";

/** Where the time that requests to a service take is reported. */
export interface LatencyOptions {
  readonly subject: string;
  /** Percent of requests, 1 to 100; 0: only those whose headers ask for it. */
  readonly samplingPercent: number;
}

/** What an account offers to others. Subjects are text. */
export interface ExportOptions {
  readonly kind: "stream" | "service";
  readonly subject: string;
  /** Undefined: anybody may import it. */
  readonly accounts?: readonly string[];
  /** Token (from 1) of the subject that must be the importing account's name; 0: none. */
  readonly accountTokenPosition: number;
  readonly responseType: ResponseType;
  /** 0: the default. */
  readonly responseThresholdMs: number;
  readonly latency?: LatencyOptions;
  readonly allowTrace: boolean;
}

/** What an account takes from another. Subjects are text. */
export interface ImportOptions {
  readonly kind: "stream" | "service";
  /** The exporter. */
  readonly account: string;
  /** In the exporting account. */
  readonly subject: string;
  /** Subject in the importing account; empty: `subject`, behind the prefix. */
  readonly to: string;
  /** Streams only; empty when `to` is not. */
  readonly prefix: string;
  /** Tells the exporter who asks. */
  readonly share: boolean;
  readonly allowTrace: boolean;
}

export interface AccountOptions {
  readonly name: string;
  readonly nkey: string;
  readonly mappings: readonly MappingOptions[];
  readonly exports: readonly ExportOptions[];
  readonly imports: readonly ImportOptions[];
  /** Negative means unlimited. */
  readonly limits: {
    readonly maxConnections: number;
    readonly maxSubscriptions: number;
    readonly maxPayload: number;
    readonly maxLeafnodes: number;
  };
  readonly traceDestination: string;
  /** Percent of externally triggered traces to follow, 1 to 100. */
  readonly traceSampling: number;
  /** Undefined: without JetStream. */
  readonly jetstream?: AccountJetStreamOptions;
}

/** Where account tokens come from. */
export type ResolverOptions =
  | { readonly kind: "memory" }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "full"; readonly folder: string; readonly allowDelete: boolean; /** Removes files instead of renaming them. */ readonly hardDelete: boolean; /** Between two synchronisations. */ readonly intervalMs: number; /** Accounts; 0: no limit. */ readonly limit: number; /** To ask other servers. */ readonly timeoutMs: number }
  | { readonly kind: "cache"; readonly folder: string; /** Since the last use; 0: no limit. */ readonly ttlMs: number; readonly limit: number; readonly timeoutMs: number };

/** Operator mode: accounts and users come as signed tokens. Off while there are neither operators nor trusted keys. */
export interface OperatorOptions {
  readonly operators: readonly OperatorClaims[];
  /** Public operator keys that are trusted without a token. */
  readonly trustedKeys: readonly string[];
  readonly resolver: ResolverOptions | undefined;
  /** Towards a web server. */
  readonly resolverTls: TlsOptions | undefined;
  /** By the key they are written under. */
  readonly preloads: ReadonlyMap<string, AccountClaims>;
  /** Empty: users of every account may come. */
  readonly pinnedAccounts: readonly string[];
  /** Token of whoever presents none; or empty. */
  readonly defaultSentinel: string;
}

export interface WebsocketOptions extends ListenOptions {
  readonly advertise: string;
  readonly tls?: TlsOptions;
  readonly noTls: boolean;
  readonly sameOrigin: boolean;
  readonly allowedOrigins: readonly string[];
  /** Whole handshake, milliseconds; 0 means no limit. */
  readonly handshakeTimeoutMs: number;
  readonly compression: boolean;
  readonly authorization: SimpleAuthOptions;
  readonly noAuthUser: string;
  readonly jwtCookie: string;
  readonly userCookie: string;
  readonly passCookie: string;
  readonly tokenCookie: string;
  readonly headers: Readonly<Record<string, string>>;
  /** NATS PING interval for this listener, milliseconds; 0 means the server's. */
  readonly pingIntervalMs: number;
}

/** Where log lines go (`LogSettings`), and what of the protocol is traced. */
export interface LogOptions extends LogSettings {
  /** Also trace the server's own clients. */
  readonly traceVerbose: boolean;
  readonly traceHeaders: boolean;
  /** Bytes of a payload that a trace shows; 0 means all. */
  readonly maxTracedMsgLen: number;
}

export type WriteTimeoutPolicy = "default" | "close" | "retry";

export interface Options extends ListenOptions {
  /** Path as given, or empty when started without a file. */
  readonly configFile: string;
  /** `sha256:<hex>` of the parsed file, or empty. */
  readonly configDigest: string;

  readonly clientAdvertise: string;
  /** Empty: the server id is used. */
  readonly serverName: string;
  readonly serverTags: readonly string[];
  readonly serverMetadata: Readonly<Record<string, string>>;
  readonly featureFlags: Readonly<Record<string, boolean>>;

  readonly log: LogOptions;
  readonly pidFile: string;
  readonly portsFileDir: string;
  readonly profPort: number;
  readonly profBlockRate: number;

  readonly httpHost: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Empty, or a clean path with a leading and without a trailing slash. */
  readonly httpBasePath: string;

  /** Negative refuses all. */
  readonly maxConnections: number;
  readonly maxControlLine: number;
  readonly maxPayload: number;
  readonly maxPending: number;
  /** Per connection; 0 means no limit. */
  readonly maxSubscriptions: number;
  /** Tokens in a subscription's subject; 0 means no limit. */
  readonly maxSubscriptionTokens: number;
  readonly maxClosedClients: number;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
  readonly writeDeadlineMs: number;
  readonly writeTimeout: WriteTimeoutPolicy;
  readonly lameDuckDurationMs: number;
  readonly lameDuckGracePeriodMs: number;
  readonly noFastProducerStall: boolean;
  readonly disableSublistCache: boolean;
  readonly noHeaderSupport: boolean;
  readonly connectErrorReports: number;
  readonly reconnectErrorReports: number;
  readonly proxyProtocol: boolean;
  /** Public nkeys of `proxies.trusted`. */
  readonly trustedProxies: readonly string[];

  /** Top-level `authorization`: single user or token. */
  readonly authorization: SimpleAuthOptions;
  readonly authorizationProxyRequired: boolean;
  readonly authCallout: AuthCalloutOptions | undefined;
  /** Permissions of the single user (or token) of the top-level `authorization`. */
  readonly authorizationPermissions?: PermissionOptions;
  /** Users and nkey users of the top level and of all accounts. */
  readonly users: readonly UserOptions[];
  readonly noAuthUser: string;
  /** Accounts of the file, without `$G` and the implicit `$SYS`. */
  readonly accounts: readonly AccountOptions[];
  /** Mappings of `$G`. */
  readonly mappings: readonly MappingOptions[];
  /** Name of the system account; `$SYS` by default; empty with `no_system_account`. */
  readonly systemAccount: string;

  readonly tls?: TlsOptions;
  readonly allowNonTls: boolean;
  readonly websocket: WebsocketOptions;

  readonly jetstream: JetStreamOptions;
  readonly operator: OperatorOptions;

  /**
   * Configured options whose feature this build does not have yet, as "<file>:<line>:<col>: <option>" (or the flag). The server refuses to start
   * when this is not empty; `-t` does not mind.
   */
  readonly unsupported: readonly string[];
}

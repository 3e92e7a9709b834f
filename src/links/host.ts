/**
 * What a link needs of the server it lives in. The server implements it; links know nothing else of the floors above.
 */
import type { Account } from "../accounts/index.ts";
import type { Authenticator } from "../auth/index.ts";
import type { Logger } from "../log/index.ts";
import type { TlsOptions, WebsocketOptions } from "../config/index.ts";
import type { Clock, Random, TlsServerContext } from "../platform/index.ts";
import type { CloseReason, ServerInfo } from "../protocol/index.ts";
import type { Message } from "../routing/index.ts";
import type { ClientLink } from "./client/client.ts";
import type { HandshakeRateLimit } from "./ratelimit.ts";
import type { Turn } from "./turn.ts";

/** Limits and switches that links read; the server replaces the whole object at reload. */
export interface LinkSettings {
  readonly maxControlLine: number;
  readonly maxPayload: number;
  readonly maxPending: number;
  /** Per connection; 0 means no limit. */
  readonly maxSubscriptions: number;
  readonly maxSubscriptionTokens: number;
  readonly pingIntervalMs: number;
  readonly websocketPingIntervalMs: number;
  readonly pingMax: number;
  readonly writeDeadlineMs: number;
  /** Whether a client that made progress within the write deadline is kept (`write_timeout: retry`). */
  readonly retryWriteTimeout: boolean;
  readonly noFastProducerStall: boolean;
  readonly headers: boolean;
  readonly trace: boolean;
  readonly traceHeaders: boolean;
  readonly maxTracedMsgLen: number;
}

/** Counters that no link can keep for itself, because links leave. */
export interface LinkStats {
  slowConsumers: number;
  staleConnections: number;
  stalledClients: number;
}

/** TLS of one listener, as of the last reload. */
export interface ListenerTls {
  readonly options: TlsOptions;
  /** Whether the certificate depends on the name that the client asks for. */
  readonly choosesByName: boolean;
  /** Settings for a client that asks for `serverName` (empty: for none). */
  contextFor(serverName: string): TlsServerContext;
}

/** How client connections are accepted; the server replaces the whole object at reload. */
export interface AcceptSettings {
  /** Undefined: plain. */
  readonly tls: ListenerTls | undefined;
  readonly websocketTls: ListenerTls | undefined;
  readonly websocket: WebsocketOptions;
  readonly allowNonTls: boolean;
  readonly proxyProtocol: boolean;
  /** Negative refuses all. */
  readonly maxConnections: number;
}

export interface LinkHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly turn: Turn;
  readonly settings: LinkSettings;
  readonly accepting: AcceptSettings;
  readonly handshakes: HandshakeRateLimit;
  /** Client connections now open, of all kinds. */
  readonly clientCount: number;
  readonly stats: LinkStats;
  readonly authenticator: Authenticator;
  readonly globalAccount: Account;
  /** One view for all links: parsing and delivering a message is one uninterrupted call. */
  readonly message: Message;
  /** Address that clients connect to, as configured. */
  readonly listenHost: string;
  account(name: string): Account | undefined;
  /** What INFO says to this client, without what is the connection's own (`client_id`, `client_ip`, `nonce`, `max_payload`). */
  infoFor(link: ClientLink): Omit<ServerInfo, "client_id" | "client_ip" | "nonce" | "max_payload">;
  /** This server as trace events and system messages name it. */
  serverBlock(): Readonly<Record<string, unknown>>;
  nextClientId(): number;
  /** The kernel refused bytes of this link: its write deadline is watched from now on. */
  watchDeadline(link: ClientLink): void;
  /** The link is open and in the table of connections. */
  onLinkOpened(link: ClientLink): void;
  /** The client is who it says, and may stay. Called again when it says to be somebody else. */
  onLinkAdmitted(link: ClientLink): void;
  /** A client of this account says to be somebody else: the account has one less. */
  onLinkLeft(account: Account): void;
  /** What the client presented was not good enough. It is still open. */
  onLinkRefused(link: ClientLink, reason: CloseReason): void;
  /** The link is closed: out of the table, into the closed ring. Called once. */
  onLinkClosed(link: ClientLink): void;
}

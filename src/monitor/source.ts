/**
 * What the endpoints read of the server: a narrow, read-only view, which the server satisfies as it is. The endpoints are functions of it and of typed
 * parameters, and return data in the wire's own names, so that HTTP and the system account's services give the same answers.
 */
import type { Account, Traffic } from "../accounts/index.ts";
import type { Authenticator } from "../auth/index.ts";
import type { AccountOptions, Options } from "../config/index.ts";
import type { ClientKind, ClientLink, LinkStats } from "../links/index.ts";
import type { AccountClaims } from "../jwt/index.ts";
import type { JetStream } from "../jetstream/index.ts";
import type { Logger } from "../log/index.ts";
import type { Platform, TlsState } from "../platform/index.ts";
import type { CloseReason } from "../protocol/index.ts";
import type { MonitorState } from "./state.ts";

export interface MonitorSource {
  readonly platform: Platform;
  readonly log: Pick<Logger, "info" | "error">;
  readonly identity: { readonly id: string; readonly name: string };
  readonly options: Options;
  readonly authenticator: Authenticator;
  readonly startedAtNs: bigint;
  /** Of the options in force: start, or the last reload that succeeded. */
  readonly configLoadedAtNs: bigint;
  /** Ports as bound. */
  readonly clientPort: number;
  readonly websocketPort: number;
  /** Every known feature flag with the value in force. */
  readonly featureFlags: Readonly<Record<string, boolean>>;
  /** Whether every configured listener is open. */
  readonly listening: boolean;
  readonly connections: {
    readonly live: ReadonlyMap<number, ClientLink>;
    readonly stats: Readonly<LinkStats>;
    /** Connections accepted since the start. */
    readonly total: number;
    /** The last closed ones, oldest first. */
    closed(): readonly ClosedConnection[];
    /** Of all client connections since the start. */
    traffic(): Traffic;
  };
  readonly accounts: { readonly byName: ReadonlyMap<string, Account> };
  /** What the configuration, or a token, says of an account; undefined for those that are just there. */
  accountOptions(name: string): AccountOptions | undefined;
  /** Undefined outside operator mode. */
  readonly tokens: TokenSource | undefined;
  readonly monitoring: MonitorState;
  /** Undefined while it does not run. */
  readonly jetstream: JetStream | undefined;
}

/** Accounts that came as tokens. */
export interface TokenSource {
  readonly nowS: number;
  claims(account: string): AccountClaims | undefined;
  isExpired(account: string): boolean;
  /** Logins refused because their account is not among those that are pinned. */
  readonly pinnedRefusals: number;
}

/** What is told of a user who came with a token. */
export interface TokenUser {
  /** Empty when whoever has it could use it. */
  readonly jwt: string;
  readonly issuerKey: string;
  readonly accountTag: string;
  readonly tags: readonly string[];
}

/** A subscription as the record of a closed connection keeps it; texts, not byte strings. */
export interface ClosedSubscription {
  readonly subject: string;
  readonly queue: string;
  readonly sid: string;
  readonly delivered: number;
}

/** What is remembered of a connection that is gone. It holds on to nothing of the connection itself. */
export interface ClosedConnection extends Readonly<Traffic> {
  readonly id: number;
  readonly kind: ClientKind;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly startedAtNs: bigint;
  readonly lastActivityMs: number;
  readonly closedAtNs: bigint;
  readonly closeReason: CloseReason;
  /** 0 when it was never measured. */
  readonly rttNs: number;
  readonly pendingBytes: number;
  readonly stalls: number;
  /** How many there were; `subscriptions` may hold fewer. */
  readonly subscriptionCount: number;
  readonly subscriptions: readonly ClosedSubscription[];
  readonly name: string;
  readonly lang: string;
  readonly version: string;
  readonly tls: TlsState | undefined;
  readonly tlsFirst: boolean;
  /** Whom it claimed to be; empty for an anonymous client. */
  readonly user: string;
  /** Empty for the global account. */
  readonly account: string;
  readonly proxyKey: string;
  readonly token: TokenUser | undefined;
}

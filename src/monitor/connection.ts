/**
 * One connection as /connz tells it: a row, which an open connection and the record of a closed one both give, and the wire's entry made of it.
 */
import { nodeCrypto } from "../util/builtin.ts";
import { sha256Hex } from "../util/hash.ts";
import { GLOBAL_ACCOUNT, type Traffic } from "../accounts/index.ts";
import { certificateNames, nameText } from "../auth/index.ts";
import { type ClientKind, type ClientLink, publicKeyDigest } from "../links/index.ts";
import type { TlsState } from "../platform/index.ts";
import { fromByteString } from "../util/bytes.ts";
import { localTimestamp, optional, roundTrip, timestampOfMs, uptime } from "./format.ts";
import type { SubscriptionsWanted } from "./params.ts";
import type { ClosedConnection, TokenUser } from "./source.ts";

/** What sorting, filtering and the entry need. */
export interface ConnectionRow extends Readonly<Traffic> {
  /** Undefined for a closed connection. */
  readonly link: ClientLink | undefined;
  readonly id: number;
  readonly kind: ClientKind;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly startedAtNs: bigint;
  readonly lastActivityMs: number;
  readonly closedAtNs: bigint | undefined;
  /** Empty while it is open. */
  readonly reason: string;
  readonly rttNs: number;
  readonly pendingBytes: number;
  readonly stalls: number;
  readonly subscriptionCount: number;
  readonly name: string;
  readonly lang: string;
  readonly version: string;
  readonly tls: TlsState | undefined;
  readonly tlsFirst: boolean;
  /** Empty for the global account. */
  readonly account: string;
  readonly proxyKey: string;
  readonly token: TokenUser | undefined;
  user(): string;
  subscriptions(): readonly SubscriptionRow[];
}

interface SubscriptionRow {
  readonly subject: string;
  readonly queue: string;
  readonly sid: string;
  readonly delivered: number;
  /** 0: unlimited. */
  readonly max: number;
}

export interface SubscriptionDetail {
  readonly account?: string;
  readonly account_tag?: string;
  readonly subject: string;
  readonly qgroup?: string;
  readonly sid: string;
  readonly msgs: number;
  readonly max?: number;
  readonly cid: number;
}

/** Whom a connection is, or claims to be: nkey, user name, or that there was a token; empty for an anonymous client. */
export function userOf(link: ClientLink): string {
  if (link.identity !== undefined && link.identity.user !== "") return link.identity.user;
  const { nkey, user, auth_token } = link.connect;
  if (nkey !== "") return nkey;
  return user !== "" ? user : auth_token === "" ? "" : "[REDACTED]";
}

/** Undefined for whoever came without a token. */
export function tokenUserOf({ identity }: ClientLink): TokenUser | undefined {
  if (identity?.token === undefined) return identity?.delegatedBy === undefined ? undefined : { jwt: "", issuerKey: identity.delegatedBy, accountTag: "", tags: [] };
  const { text, user, limits, signer } = identity.token;
  return { jwt: limits.bearerToken ? "" : text, issuerKey: signer, accountTag: identity.accountTag ?? "", tags: user.tags };
}

/** Borrows from the connection: a row of each of many thousand connections must cost next to nothing, since only a page of them is told. */
class OpenRow implements ConnectionRow {
  readonly closedAtNs = undefined;
  readonly reason = "";

  constructor(readonly link: ClientLink) {}

  get id(): number {
    return this.link.id;
  }
  get kind(): ClientKind {
    return this.link.kind;
  }
  get remoteAddress(): string {
    return this.link.remoteAddress;
  }
  get remotePort(): number {
    return this.link.remotePort;
  }
  get startedAtNs(): bigint {
    return this.link.startedAtNs;
  }
  get lastActivityMs(): number {
    return this.link.lastActivityMs;
  }
  get rttNs(): number {
    return this.link.heartbeat.rttNs;
  }
  get pendingBytes(): number {
    return this.link.outbound.pending;
  }
  get stalls(): number {
    return this.link.stalls;
  }
  get inMsgs(): number {
    return this.link.inMsgs;
  }
  get outMsgs(): number {
    return this.link.outMsgs;
  }
  get inBytes(): number {
    return this.link.inBytes;
  }
  get outBytes(): number {
    return this.link.outBytes;
  }
  get subscriptionCount(): number {
    return this.link.subscriptions.size;
  }
  get name(): string {
    return this.link.connect.name;
  }
  get lang(): string {
    return this.link.connect.lang;
  }
  get version(): string {
    return this.link.connect.version;
  }
  get tls(): TlsState | undefined {
    return this.link.tls;
  }
  get tlsFirst(): boolean {
    return this.link.tlsFirst;
  }
  get account(): string {
    return this.link.account.name === GLOBAL_ACCOUNT ? "" : this.link.account.name;
  }
  get proxyKey(): string {
    return this.link.identity?.proxyKey ?? "";
  }
  get token(): TokenUser | undefined {
    return tokenUserOf(this.link);
  }
  user(): string {
    return userOf(this.link);
  }
  subscriptions(): readonly SubscriptionRow[] {
    return subscriptionRows(this.link);
  }
}

export function openRow(link: ClientLink): ConnectionRow {
  return new OpenRow(link);
}

function subscriptionRows(link: ClientLink): readonly SubscriptionRow[] {
  return Array.from(link.subscriptions.values(), (subscription) => ({
    subject: fromByteString(subscription.subject),
    queue: fromByteString(subscription.queue),
    sid: fromByteString(subscription.sid),
    delivered: subscription.delivered,
    max: subscription.max,
  }));
}

export function closedRow(record: ClosedConnection): ConnectionRow {
  return { ...record, link: undefined, reason: record.closeReason, user: () => record.user, subscriptions: () => record.subscriptions.map((subscription) => ({ ...subscription, max: 0 })) };
}

export type ConnzEntry = ReturnType<typeof entryOf>;

export interface EntryForm {
  readonly nowNs: bigint;
  readonly zoneMinutes: number;
  readonly auth: boolean;
  readonly subscriptions: SubscriptionsWanted;
}

/** The wire's entry, fields in the wire's order. */
export function entryOf(row: ConnectionRow, form: EntryForm) {
  const { auth } = form;
  const isClosed = row.closedAtNs !== undefined;
  const startedMs = Number(row.startedAtNs) / 1e6;
  const endMs = Number(row.closedAtNs ?? form.nowNs) / 1e6;
  const subscriptions = form.subscriptions === "none" ? [] : row.subscriptions();
  return {
    cid: row.id,
    kind: "Client",
    type: row.kind,
    ip: row.remoteAddress,
    port: row.remotePort,
    start: localTimestamp(row.startedAtNs, form.zoneMinutes),
    last_activity: timestampOfMs(row.lastActivityMs),
    stop: row.closedAtNs === undefined ? undefined : localTimestamp(row.closedAtNs, form.zoneMinutes),
    reason: optional(row.reason),
    rtt: roundTrip(row.rttNs),
    uptime: uptime(endMs - startedMs),
    idle: uptime(endMs - row.lastActivityMs),
    pending_bytes: row.pendingBytes,
    in_msgs: row.inMsgs,
    out_msgs: row.outMsgs,
    in_bytes: row.inBytes,
    out_bytes: row.outBytes,
    stalls: optional(row.stalls),
    subscriptions: row.subscriptionCount,
    name: optional(row.name),
    lang: optional(row.lang),
    version: optional(row.version),
    tls_version: row.tls?.version,
    tls_cipher_suite: row.tls?.cipherSuite,
    tls_peer_certs: auth ? peerCertificates(row.tls) : undefined,
    tls_first: optional(row.tlsFirst),
    authorized_user: auth ? optional(row.user()) : undefined,
    account: auth ? optional(row.account) : undefined,
    subscriptions_list: form.subscriptions === "list" ? optional(subscriptions.map((subscription) => subscription.subject)) : undefined,
    subscriptions_list_detail: form.subscriptions === "detail" ? optional(subscriptions.map((subscription) => detailOf(subscription, row, isClosed))) : undefined,
    jwt: auth ? optional(row.token?.jwt ?? "") : undefined,
    issuer_key: auth ? optional(row.token?.issuerKey ?? "") : undefined,
    name_tag: auth ? optional((row.token?.accountTag ?? "") || (row.account === "" && !isClosed ? GLOBAL_ACCOUNT : row.account)) : undefined,
    tags: auth ? optional(row.token?.tags ?? []) : undefined,
    proxy: row.proxyKey === "" ? undefined : { key: row.proxyKey },
  };
}

/** Records of closed connections name the account, which the connection's entry may not. */
function detailOf(subscription: SubscriptionRow, row: ConnectionRow, isClosed: boolean): SubscriptionDetail {
  const account = isClosed ? (row.account === "" ? GLOBAL_ACCOUNT : row.account) : undefined;
  return {
    account,
    account_tag: account,
    subject: subscription.subject,
    qgroup: optional(subscription.queue),
    sid: subscription.sid,
    msgs: subscription.delivered,
    max: optional(subscription.max),
    cid: row.id,
  };
}

function peerCertificates(tls: TlsState | undefined): readonly Readonly<Record<string, string | undefined>>[] | undefined {
  const der = tls?.peerCertificateDer;
  if (der === undefined) return undefined;
  const names = certificateNames(der);
  const subject = names === undefined ? new (nodeCrypto().X509Certificate)(der).subject : nameText(names.subject);
  return [{ subject: optional(subject), spki_sha256: publicKeyDigest(der), cert_sha256: sha256Hex(der) }];
}

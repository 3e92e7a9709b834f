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
import { timestamp } from "../util/timestamp.ts";
import { localTimestamp, optional, roundTrip, uptime } from "./format.ts";
import type { SubscriptionsWanted } from "./params.ts";
import type { ClosedConnection } from "./source.ts";

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
  if (link.identity !== undefined) return link.identity.user;
  const { nkey, user, auth_token } = link.connect;
  if (nkey !== "") return nkey;
  return user !== "" ? user : auth_token === "" ? "" : "[REDACTED]";
}

export function openRow(link: ClientLink): ConnectionRow {
  const { connect } = link;
  return {
    link,
    id: link.id,
    kind: link.kind,
    remoteAddress: link.remoteAddress,
    remotePort: link.remotePort,
    startedAtNs: link.startedAtNs,
    lastActivityMs: link.lastActivityMs,
    closedAtNs: undefined,
    reason: "",
    rttNs: link.heartbeat.rttNs,
    pendingBytes: link.outbound.pending,
    stalls: link.stalls,
    inMsgs: link.inMsgs,
    outMsgs: link.outMsgs,
    inBytes: link.inBytes,
    outBytes: link.outBytes,
    subscriptionCount: link.subscriptions.size,
    name: connect.name,
    lang: connect.lang,
    version: connect.version,
    tls: link.tls,
    tlsFirst: link.tlsFirst,
    account: link.account.name === GLOBAL_ACCOUNT ? "" : link.account.name,
    proxyKey: link.identity?.proxyKey ?? "",
    user: () => userOf(link),
    subscriptions: () => subscriptionRows(link),
  };
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
  const endNs = row.closedAtNs ?? form.nowNs;
  const lastActivityNs = nsOf(row.lastActivityMs);
  const subscriptions = form.subscriptions === "none" ? [] : row.subscriptions();
  return {
    cid: row.id,
    kind: "Client",
    type: row.kind,
    ip: row.remoteAddress,
    port: row.remotePort,
    start: localTimestamp(row.startedAtNs, form.zoneMinutes),
    last_activity: timestamp(lastActivityNs),
    stop: row.closedAtNs === undefined ? undefined : localTimestamp(row.closedAtNs, form.zoneMinutes),
    reason: optional(row.reason),
    rtt: roundTrip(row.rttNs),
    uptime: uptime(endNs - row.startedAtNs),
    idle: uptime(endNs - lastActivityNs),
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
    name_tag: auth ? optional(row.account === "" && !isClosed ? GLOBAL_ACCOUNT : row.account) : undefined,
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

/** Nanoseconds of wall clock milliseconds; a double holds them to the microsecond. */
function nsOf(ms: number): bigint {
  return BigInt(Math.trunc(ms)) * 1_000_000n + BigInt(Math.trunc((ms % 1) * 1000)) * 1000n;
}

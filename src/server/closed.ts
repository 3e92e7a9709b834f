/**
 * The last connections that left: a ring of compact records. A record is made once, at the close, and holds on to nothing of the connection, so that ten
 * thousand remembered connections cost kilobytes each only when they had that many subscriptions.
 */
import { GLOBAL_ACCOUNT } from "../accounts/index.ts";
import type { ClientLink } from "../links/index.ts";
import { type ClosedConnection, tokenUserOf, userOf } from "../monitor/index.ts";
import type { CloseReason } from "../protocol/index.ts";
import { fromByteString } from "../util/bytes.ts";

/** Subscriptions remembered of one connection; their true number is kept anyway. */
const SUBSCRIPTIONS_MAX = 1024;

export class ClosedRing {
  #records: ClosedConnection[] = [];
  /** Where the oldest record is, once the ring is full. */
  #oldest = 0;

  /** `capacity` 0 remembers nothing. */
  constructor(private readonly capacity: number) {}

  add(link: ClientLink): void {
    if (this.capacity <= 0) return;
    const record = closedConnection(link);
    if (this.#records.length < this.capacity) {
      this.#records.push(record);
      return;
    }
    this.#records[this.#oldest] = record;
    this.#oldest = (this.#oldest + 1) % this.capacity;
  }

  /** Oldest first. */
  list(): readonly ClosedConnection[] {
    return this.#oldest === 0 ? this.#records : [...this.#records.slice(this.#oldest), ...this.#records.slice(0, this.#oldest)];
  }
}

/** The record of a link that has just closed. */
function closedConnection(link: ClientLink): ClosedConnection {
  const { connect } = link;
  return {
    id: link.id,
    kind: link.kind,
    remoteAddress: link.remoteAddress,
    remotePort: link.remotePort,
    startedAtNs: link.startedAtNs,
    lastActivityMs: link.lastActivityMs,
    closedAtNs: link.closedAtNs,
    closeReason: closeReasonOf(link),
    rttNs: link.heartbeat.rttNs,
    pendingBytes: link.pendingAtClose,
    stalls: link.stalls,
    inMsgs: link.inMsgs,
    outMsgs: link.outMsgs,
    inBytes: link.inBytes,
    outBytes: link.outBytes,
    subscriptionCount: link.subscriptions.size,
    subscriptions: subscriptionsOf(link),
    name: connect.name,
    lang: connect.lang,
    version: connect.version,
    tls: link.tls,
    tlsFirst: link.tlsFirst,
    user: userOf(link),
    account: link.account.name === GLOBAL_ACCOUNT ? "" : link.account.name,
    proxyKey: link.identity?.proxyKey ?? "",
    token: tokenUserOf(link),
  };
}

function closeReasonOf(link: ClientLink): CloseReason {
  if (link.closeReason === undefined) throw new Error("only closed connections are recorded");
  return link.closeReason;
}

function subscriptionsOf(link: ClientLink): ClosedConnection["subscriptions"] {
  const records: ClosedConnection["subscriptions"][number][] = [];
  for (const subscription of link.subscriptions.values()) {
    if (records.length === SUBSCRIPTIONS_MAX) break;
    records.push({ subject: fromByteString(subscription.subject), queue: fromByteString(subscription.queue), sid: fromByteString(subscription.sid), delivered: subscription.delivered });
  }
  return records;
}

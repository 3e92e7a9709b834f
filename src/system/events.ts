/**
 * Events: who came, who went, who was refused, how many connections an account has. Nothing is built that nobody would get, and nothing is sent in the middle of
 * somebody else's work: events wait for the end of the turn. Spec: monitoring, section 14.
 */
import type { Account } from "../accounts/index.ts";
import { GLOBAL_ACCOUNT } from "../accounts/index.ts";
import type { ClientLink } from "../links/index.ts";
import { accstatz } from "../monitor/index.ts";
import type { CloseReason } from "../protocol/index.ts";
import type { Timer } from "../platform/index.ts";
import { Nuid } from "../util/nuid.ts";
import { timestamp } from "../util/timestamp.ts";
import { clientBlock } from "./client.ts";
import type { SystemHost } from "./host.ts";

const CONNECT = "io.nats.server.advisory.v1.client_connect";
const DISCONNECT = "io.nats.server.advisory.v1.client_disconnect";
const CONNECTIONS = "io.nats.server.advisory.v1.account_connections";

/** An account with connections is told of again after so long. */
const REPEAT_MS = 30_000;
const REPEAT_CHECK_MS = 1000;
/** Events of one turn at most; with more, the rest of that turn is not told. A mass disconnect of 100,000 clients fits. */
const QUEUE_MAX = 500_000;

type Body = Readonly<Record<string, unknown>>;

export interface Outlet {
  /** Whether anybody in the system account listens. */
  isWanted(subject: string): boolean;
  publish(subject: string, body: Body): void;
  /** Publishes in another account. */
  publishIn(account: Account, subject: string, body: Body): void;
}

export class Events {
  readonly #nuid: Nuid;
  /** When the number of connections was told last, on the monotonic clock; the longest ago first. */
  readonly #told = new Map<string, number>();
  /** Connections that an account has counted: not those that came when it was full. */
  readonly #counted = new WeakSet<ClientLink>();
  #queue: (() => void)[] = [];
  #repeat: Timer | undefined = undefined;

  constructor(
    private readonly host: SystemHost,
    private readonly outlet: Outlet,
  ) {
    this.#nuid = new Nuid((below) => host.platform.random.integer(below));
  }

  start(): void {
    this.#repeat = this.host.platform.clock.every(REPEAT_CHECK_MS, () => this.#tellAgain());
  }

  stop(): void {
    this.#repeat?.cancel();
  }

  connected(link: ClientLink): void {
    this.#counted.add(link);
    this.#connections(link.account.name);
    const subject = `$SYS.ACCOUNT.${link.account.name}.CONNECT`;
    if (!this.outlet.isWanted(subject)) return;
    const atNs = this.host.platform.clock.nowNs();
    // How far away it is, nobody knows yet.
    const { rtt: _, ...client } = clientBlock(link, this.host.options);
    this.#later(() => this.outlet.publish(subject, { ...this.#head(CONNECT, atNs), server: this.host.serverBlock(), client }));
  }

  /** A client of the account is somebody else's from now on. */
  left(account: Account): void {
    this.#connections(account.name);
  }

  disconnected(link: ClientLink): void {
    if (this.#counted.has(link)) this.#connections(link.account.name);
    const subject = `$SYS.ACCOUNT.${link.account.name}.DISCONNECT`;
    if (!this.outlet.isWanted(subject)) return;
    const body = this.#farewell(link, link.closeReason ?? "Client Closed", link.closedAtNs);
    this.#later(() => this.outlet.publish(subject, body()));
  }

  refused(link: ClientLink, reason: CloseReason): void {
    const body = this.#farewell(link, reason, this.host.platform.clock.nowNs());
    const { account } = link;
    this.#later(() => {
      this.outlet.publish(`$SYS.SERVER.${this.host.identity.id}.CLIENT.AUTH.ERR`, body());
      this.outlet.publishIn(account, "$SYS.ACCOUNT.CLIENT.AUTH.ERR", body());
    });
  }

  /** The event that tells an account's number of connections; the answer to a request for it too. Undefined for an account without any. */
  connectionsOf(account: string): Body | undefined {
    const stat = accstatz(this.host, { accounts: [account], includeUnused: true }).account_statz[0];
    if (stat === undefined) return undefined;
    return { ...this.#head(CONNECTIONS, this.host.platform.clock.nowNs()), server: this.host.serverBlock(), ...stat };
  }

  #connections(account: string): void {
    if (account === GLOBAL_ACCOUNT) return;
    const clock = this.host.platform.clock;
    this.#told.delete(account);
    this.#told.set(account, clock.monotonicMs());
    const subjects = [`$SYS.SERVER.ACCOUNT.${account}.CONNS`, `$SYS.ACCOUNT.${account}.SERVER.CONNS`];
    if (!subjects.some((subject) => this.outlet.isWanted(subject))) return;
    const stat = accstatz(this.host, { accounts: [account], includeUnused: true }).account_statz[0];
    if (stat === undefined) return;
    const head = this.#head(CONNECTIONS, clock.nowNs());
    this.#later(() => {
      for (const subject of subjects) this.outlet.publish(subject, { ...head, server: this.host.serverBlock(), ...stat });
    });
  }

  #tellAgain(): void {
    const nowMs = this.host.platform.clock.monotonicMs();
    for (const [account, atMs] of [...this.#told]) {
      if (nowMs - atMs < REPEAT_MS) return;
      if ((this.host.account(account)?.clientConnections ?? 0) > 0) this.#connections(account);
      else this.#told.delete(account);
    }
  }

  #head(type: string, atNs: bigint): Body {
    return { type, id: this.#nuid.next(), timestamp: timestamp(atNs) };
  }

  /** Who it was and what it did, as it is now; the server's part is added when it is sent. */
  #farewell(link: ClientLink, reason: string, atNs: bigint): () => Body {
    const stop = timestamp(atNs);
    const { server: _, ...client } = clientBlock(link, this.host.options);
    const rest = {
      client: withStop(client, stop),
      sent: { msgs: link.inMsgs, bytes: link.inBytes },
      received: { msgs: link.outMsgs, bytes: link.outBytes },
      reason,
    };
    const head = this.#head(DISCONNECT, atNs);
    return () => ({ ...head, server: this.host.serverBlock(), ...rest });
  }

  #later(send: () => void): void {
    if (this.#queue.length >= QUEUE_MAX) return;
    this.#queue.push(send);
    if (this.#queue.length === 1) this.host.platform.clock.endOfTurn(() => this.drain());
  }

  /** Sends what waits. */
  drain(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const send of queue) send();
  }
}

/** `stop` has its place behind what was measured. */
function withStop({ stop: _, jwt, issuer_key, name_tag, tags, kind, client_type, ...first }: Body, stop: string): Body {
  return { ...first, stop, jwt, issuer_key, name_tag, tags, kind, client_type };
}

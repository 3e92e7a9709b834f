/**
 * The table of client connections: who is here, who left lately and why, and what all of them together did. Live links keep their own counters;
 * totals are summed when somebody asks, so that counting costs nothing per message.
 */
import { noTraffic, type Traffic } from "../accounts/index.ts";
import type { ClientLink, LinkStats } from "../links/index.ts";
import type { ClosedConnection } from "../monitor/index.ts";
import type { Clock, Timer } from "../platform/index.ts";
import { ClosedRing } from "./closed.ts";

/** How often blocked connections are held against the write deadline. */
const DEADLINE_CHECK_MS = 50;

export class Connections {
  readonly live = new Map<number, ClientLink>();
  readonly stats: LinkStats = { slowConsumers: 0, staleConnections: 0, stalledClients: 0 };
  /** Connections accepted since the start. */
  total = 0;

  readonly #past = noTraffic();
  readonly #closed: ClosedRing;
  #nextId = 1;
  readonly #blocked = new Set<ClientLink>();
  #deadlineTimer: Timer | undefined = undefined;

  constructor(
    private readonly clock: Clock,
    /** Closed connections remembered. */
    closedMax: number,
    private readonly onDeadline: (link: ClientLink) => void,
  ) {
    this.#closed = new ClosedRing(closedMax);
  }

  nextId(): number {
    return this.#nextId++;
  }

  add(link: ClientLink): void {
    this.live.set(link.id, link);
    this.total++;
  }

  remove(link: ClientLink): void {
    if (!this.live.delete(link.id)) return;
    this.#blocked.delete(link);
    addTraffic(this.#past, link);
    addTraffic(link.account.pastTraffic, link.traffic.present);
    link.account.clientConnections--;
    this.#closed.add(link);
  }

  /** Closed connections still remembered, oldest first. */
  closed(): readonly ClosedConnection[] {
    return this.#closed.list();
  }

  /** Traffic of all client connections since the start. */
  traffic(): Traffic {
    const sum = { ...this.#past };
    for (const link of this.live.values()) addTraffic(sum, link);
    return sum;
  }

  /** The kernel refuses bytes of `link`: its write deadline is watched until it drains. */
  watchDeadline(link: ClientLink): void {
    this.#blocked.add(link);
    this.#deadlineTimer ??= this.clock.every(DEADLINE_CHECK_MS, () => this.#checkDeadlines());
  }

  #checkDeadlines(): void {
    for (const link of this.#blocked) {
      if (!link.outbound.blocked || link.isClosed) this.#blocked.delete(link);
      else this.onDeadline(link);
    }
    if (this.#blocked.size > 0) return;
    this.#deadlineTimer?.cancel();
    this.#deadlineTimer = undefined;
  }
}

function addTraffic(sum: Traffic, more: Traffic): void {
  sum.inMsgs += more.inMsgs;
  sum.inBytes += more.inBytes;
  sum.outMsgs += more.outMsgs;
  sum.outBytes += more.outBytes;
}

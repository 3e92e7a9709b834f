/**
 * Pings of one client connection: is the peer still there, and how far away is it. Spec: client protocol, section 8.
 */
import type { Timer } from "../../platform/index.ts";
import type { ClientLink } from "./client.ts";

/** The first PING after CONNECT comes after so long, plus up to a fifth, so that a crowd that connects at once does not answer at once. */
const FIRST_PING_MS = 2000;
const FIRST_PING_SPREAD = 0.2;
/** Round-trip times older than this are measured again even on a busy connection. */
const RTT_MAX_AGE_MS = 60 * 60 * 1000;

export class Heartbeat {
  /** Last measured round trip, nanoseconds; 0 when unknown. */
  rttNs = 0;
  /** Time from accepting the connection to its CONNECT, nanoseconds: the best guess until a ping was answered. */
  #connectTookNs = 0;
  #rttAtMs = Number.NEGATIVE_INFINITY;
  #sentAtMs = 0;
  #outstanding = 0;
  /** Monotonic time of the last operation that proves life (PING, SUB, UNSUB; messages are seen by their count). */
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #messagesSeen = 0;
  #timer: Timer | undefined = undefined;

  constructor(private readonly link: ClientLink) {}

  start(): void {
    this.#arm(this.#intervalMs());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** CONNECT has come. */
  introduced(): void {
    this.#connectTookNs = Math.max(1, Number(this.link.host.clock.nowNs() - this.link.startedAtNs));
  }

  /** CONNECT was accepted: the first ping comes soon, to measure the round trip. */
  connected(): void {
    const soon = Math.min(this.#intervalMs(), FIRST_PING_MS);
    this.#arm(soon * (1 + this.link.host.random.fraction() * FIRST_PING_SPREAD));
  }

  /** Round trip as others are told of it: measured, or guessed. */
  get roundTripNs(): number {
    return this.rttNs > 0 ? this.rttNs : this.#connectTookNs;
  }

  heard(): void {
    this.#heardAtMs = this.link.host.clock.monotonicMs();
  }

  pong(): void {
    const now = this.link.host.clock.monotonicMs();
    if (this.#outstanding > 0) {
      this.rttNs = Math.max(1, Math.round((now - this.#sentAtMs) * 1e6));
      this.#rttAtMs = now;
    }
    this.#outstanding = 0;
  }

  /** Sends a PING out of turn, to measure the round trip. */
  measure(): void {
    if (this.#outstanding === 0 && this.link.firstPongSent && !this.link.isClosed) this.#ping();
  }

  #intervalMs(): number {
    const settings = this.link.host.settings;
    return this.link.kind === "websocket" && settings.websocketPingIntervalMs > 0 ? settings.websocketPingIntervalMs : settings.pingIntervalMs;
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.link.host.clock.after(delayMs, () => this.#expired());
  }

  #expired(): void {
    const { link } = this;
    const { clock, log, settings } = link.host;
    if (log.debugOn) log.debug(`${link.label()} - Client Ping Timer`);
    const now = clock.monotonicMs();
    const intervalMs = this.#intervalMs();
    if (link.inMsgs !== this.#messagesSeen) {
      this.#messagesSeen = link.inMsgs;
      this.#heardAtMs = now;
    }
    const busy = now - this.#heardAtMs < intervalMs;
    if (busy && now - this.#rttAtMs < RTT_MAX_AGE_MS) return this.#arm(intervalMs);
    if (this.#outstanding + 1 > settings.pingMax) {
      if (log.debugOn) log.debug(`${link.label()} - Stale Client Connection - Closing`);
      link.host.stats.staleConnections++;
      return link.closeWithError("Stale Connection", "Stale Connection");
    }
    this.#ping();
    this.#arm(intervalMs);
  }

  #ping(): void {
    this.#outstanding++;
    this.#sentAtMs = this.link.host.clock.monotonicMs();
    this.link.send("PING\r\n");
  }
}

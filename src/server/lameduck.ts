/**
 * Lame duck mode: new clients are refused, the present ones are told, and after a grace period they are closed one by one over a long time, so that they
 * do not all arrive at the other servers at once. Spec: configuration, section 5.
 */
import type { ClientLink } from "../links/index.ts";
import type { Clock, Random, Timer } from "../platform/index.ts";

/** Longest wait between two closings. */
const INTERVAL_MAX_MS = 1000;
/** Shortest timer worth setting; with more clients than that allows, they are closed in batches. */
const INTERVAL_MIN_MS = 1;

export class LameDuck {
  #timer: Timer | undefined = undefined;

  constructor(
    private readonly parts: {
      readonly clock: Clock;
      readonly random: Random;
      readonly gracePeriodMs: number;
      readonly durationMs: number;
      readonly clients: () => ClientLink[];
      /** Called once when the grace period is over. */
      readonly onClosing: () => void;
      /** Called once when nobody is left. */
      readonly onDone: () => void;
    },
  ) {}

  start(): void {
    this.#timer = this.parts.clock.after(this.parts.gracePeriodMs, () => this.#closeAll());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #closeAll(): void {
    this.parts.onClosing();
    const clients = this.parts.clients();
    if (clients.length === 0) return this.parts.onDone();
    const spreadMs = this.parts.durationMs - this.parts.gracePeriodMs;
    const intervalMs = Math.min(spreadMs / clients.length, INTERVAL_MAX_MS);
    const batch = intervalMs < INTERVAL_MIN_MS ? Math.ceil(INTERVAL_MIN_MS / Math.max(intervalMs, 0.001)) : 1;
    this.#closeNext(clients, batch, intervalMs * batch);
  }

  #closeNext(clients: ClientLink[], batch: number, intervalMs: number): void {
    for (const client of clients.splice(0, batch)) client.close("Server Shutdown");
    if (clients.length === 0) return this.parts.onDone();
    const delayMs = intervalMs / 2 + this.parts.random.fraction() * (intervalMs / 2);
    this.#timer = this.parts.clock.after(delayMs, () => this.#closeNext(clients, batch, intervalMs));
  }
}

/**
 * Keeps a repeated complaint from filling the log: the same text is let through once per interval. Texts are remembered in the order they were let through,
 * all for the same time, so the outdated ones are always at the front and are dropped there.
 */
import type { Clock } from "../platform/index.ts";

/** One text per second, unless told otherwise. */
export class OncePerInterval {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  /** Monotonic time at which each text may be logged again. */
  readonly #silentUntilMs = new Map<string, number>();

  constructor(clock: Clock, intervalMs = 1000) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Whether `text` should be logged now; says no until the interval since its last yes is over. */
  admits(text: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    for (const [old, untilMs] of this.#silentUntilMs) {
      if (untilMs > nowMs) break;
      this.#silentUntilMs.delete(old);
    }
    if (this.#silentUntilMs.has(text)) return false;
    this.#silentUntilMs.set(text, nowMs + this.#intervalMs);
    return true;
  }
}

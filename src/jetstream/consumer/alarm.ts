/**
 * A timer for the earliest of many moments. Moments that pass without need (what they were for was done earlier) are not cancelled: the alarm rings once too
 * often instead, and whoever hears it looks what is due and sets it anew. So starting and ending a wait, which happens per message, costs a comparison.
 */
import type { Clock, Timer } from "../../platform/index.ts";

/** Longer waits than timers can do are cut into pieces. */
const DELAY_MAX_MS = 1_000_000_000;

export class Alarm {
  #timer: Timer | undefined = undefined;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly ring: () => void,
  ) {}

  /** Rings at `atMs` (milliseconds since the Unix epoch) or earlier. */
  setBy(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.set(atMs);
  }

  /** Rings at `atMs`, whatever was set before; infinite: not at all. */
  set(atMs: number): void {
    this.cancel();
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#atMs = atMs;
    const delayMs = Math.min(DELAY_MAX_MS, Math.max(0, atMs - this.clock.nowMs()));
    this.#timer = this.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#atMs = Number.POSITIVE_INFINITY;
      if (delayMs === DELAY_MAX_MS) this.set(atMs);
      else this.ring();
    });
  }

  get isSet(): boolean {
    return this.#timer !== undefined;
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#atMs = Number.POSITIVE_INFINITY;
  }
}

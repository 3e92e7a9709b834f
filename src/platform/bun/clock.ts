/**
 * Real time. The wall clock joins two of the system's clocks: `Date.now` knows the time of day but only whole milliseconds, the monotonic clock knows
 * nanoseconds but not the time of day. The monotonic one runs from an anchor, and the anchor is set anew whenever the two are apart by more than the
 * millisecond that rounding explains: after a step of the clock, or slow drift.
 */
import type { Clock, Timer } from "../clock.ts";

/** Longest delay that `setTimeout` takes; beyond it fires at once. */
const longestDelayMs = 2 ** 31 - 1;

class SystemTimer implements Timer {
  #handle: ReturnType<typeof setTimeout> | undefined;

  constructor(delayMs: number, action: () => void) {
    this.#arm(delayMs, action);
  }

  #arm(delayMs: number, action: () => void): void {
    const partMs = Math.min(delayMs, longestDelayMs);
    this.#handle = setTimeout(() => {
      this.#handle = undefined;
      if (partMs < delayMs) this.#arm(delayMs - partMs, action);
      else action();
    }, partMs);
    this.#handle.unref();
  }

  cancel(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }
}

class SystemInterval implements Timer {
  readonly #handle: ReturnType<typeof setInterval>;

  constructor(intervalMs: number, action: () => void) {
    this.#handle = setInterval(action, Math.min(intervalMs, longestDelayMs));
    this.#handle.unref();
  }

  cancel(): void {
    clearInterval(this.#handle);
  }
}

/** The machine's own clock and the runtime's timers. */
export class SystemClock implements Clock {
  /** Wall clock at zero of the monotonic clock. */
  #anchorNs = 0n;

  constructor() {
    this.#setAnchor();
  }

  nowNs(): bigint {
    const ns = this.#anchorNs + process.hrtime.bigint();
    const apartMs = Number(ns) / 1e6 - Date.now();
    if (apartMs > -0.1 && apartMs < 1.1) return ns;
    return this.#setAnchor();
  }

  nowMs(): number {
    return Number(this.nowNs()) / 1e6;
  }

  monotonicMs(): number {
    return performance.now();
  }

  zoneOffsetMinutes(atMs: number): number {
    // getTimezoneOffset counts the other way round: minutes that UTC is ahead; `|| 0` turns -0 into 0
    return -new Date(atMs).getTimezoneOffset() || 0;
  }

  after(delayMs: number, action: () => void): Timer {
    return new SystemTimer(delayMs, action);
  }

  every(intervalMs: number, action: () => void): Timer {
    return new SystemInterval(intervalMs, action);
  }

  endOfTurn(action: () => void): void {
    setImmediate(action);
  }

  /** Anchors at the middle of the current millisecond, which is the best guess from one reading. Returns the wall clock, nanoseconds. */
  #setAnchor(): bigint {
    const nowNs = BigInt(Date.now()) * 1_000_000n + 500_000n;
    this.#anchorNs = nowNs - process.hrtime.bigint();
    return nowNs;
  }
}

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
  /** The same for `performance.now`, milliseconds: arithmetic on big integers costs ten times as much, and `nowMs` is asked for per message. */
  #anchorMs = 0;

  constructor() {
    this.#setAnchor();
  }

  nowNs(): bigint {
    const ns = this.#anchorNs + process.hrtime.bigint();
    return isNow(Number(ns) / 1e6) ? ns : this.#setAnchor();
  }

  nowMs(): number {
    const ms = this.#anchorMs + performance.now();
    if (isNow(ms)) return ms;
    return Number(this.#setAnchor()) / 1e6;
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
    this.#anchorMs = Number(nowNs) / 1e6 - performance.now();
    return nowNs;
  }
}

/** Whether the time of day still agrees, as far as its whole milliseconds can tell. */
function isNow(ms: number): boolean {
  const apartMs = ms - Date.now();
  return apartMs > -0.1 && apartMs < 1.1;
}

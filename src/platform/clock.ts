/**
 * Time. The only door to it: everything that waits or stamps takes a `Clock`, so that a test can run the server on virtual time.
 */

/** Handle of a pending timer; `cancel` is idempotent and safe after it fired. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch (fractional where the system gives more). */
  nowMs(): number;
  /** Wall clock, nanoseconds since the Unix epoch. For timestamps users see. */
  nowNs(): bigint;
  /** Monotonic milliseconds from an arbitrary start, fractional. For intervals. */
  monotonicMs(): number;
  /** Minutes that local time is ahead of UTC at the given wall clock time. */
  zoneOffsetMinutes(atMs: number): number;
  /** Runs `action` once after `delayMs`. Pending timers do not keep the process alive. */
  after(delayMs: number, action: () => void): Timer;
  /** Runs `action` every `intervalMs` until cancelled. */
  every(intervalMs: number, action: () => void): Timer;
  /** Runs `action` at the end of the current turn of the event loop, after the bytes at hand were processed. */
  endOfTurn(action: () => void): void;
}

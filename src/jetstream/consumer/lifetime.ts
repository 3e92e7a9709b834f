/** When a consumer that nobody uses ends. Spec: consumers, section 4. */
import { Alarm } from "./alarm.ts";
import { EPHEMERAL_THRESHOLD_NS } from "./config.ts";
import type { Consumer } from "./consumer.ts";

/** A pull consumer's timer runs a little longer, so that many do not end at once. */
const JITTER_MIN_MS = 100;
const JITTER_SPAN_MS = 900;

export class Lifetime {
  readonly #consumer: Consumer;
  readonly #alarm: Alarm;
  #usedMs: number;
  /** Somebody subscribes to the deliver subject. */
  #hasInterest = false;

  constructor(consumer: Consumer) {
    this.#consumer = consumer;
    this.#alarm = new Alarm(consumer.context.clock, () => this.#onAlarm());
    this.#usedMs = consumer.nowMs;
  }

  /** Begins to watch, with the threshold that is configured now. */
  start(hasInterest: boolean): void {
    this.#hasInterest = hasInterest;
    this.#usedMs = this.#consumer.nowMs;
    this.#alarm.cancel();
    if (!this.#waitsForInterest) this.#arm(this.#thresholdMs);
  }

  /** A push consumer with interest is in use as long as that lasts. */
  get #waitsForInterest(): boolean {
    return this.#consumer.push !== undefined && this.#hasInterest;
  }

  /** Milliseconds; 0: for ever. */
  get #thresholdMs(): number {
    const { durable_name: durable, inactive_threshold: threshold = durable === undefined ? EPHEMERAL_THRESHOLD_NS : 0 } = this.#consumer.config;
    return threshold / 1e6;
  }

  /** A request, a delivery, an acknowledgement. */
  used(nowMs = this.#consumer.nowMs): void {
    this.#usedMs = nowMs;
  }

  interestChanged(active: boolean): void {
    this.#hasInterest = active;
    if (active) this.#alarm.cancel();
    else {
      this.used();
      this.#arm(this.#thresholdMs);
    }
  }

  stop(): void {
    this.#alarm.cancel();
  }

  #arm(delayMs: number): void {
    if (this.#thresholdMs <= 0) return;
    const { context, nowMs, pull } = this.#consumer;
    const jitterMs = pull === undefined ? 0 : JITTER_MIN_MS + context.random.integer(JITTER_SPAN_MS);
    this.#alarm.set(nowMs + delayMs + jitterMs);
  }

  #onAlarm(): void {
    const consumer = this.#consumer;
    if (this.#waitsForInterest) return;
    const idleMs = consumer.nowMs - this.#usedMs;
    if (idleMs < this.#thresholdMs) return this.#arm(this.#thresholdMs - idleMs);
    if (consumer.pull?.hasLiveRequests === true) return this.#arm(this.#thresholdMs);
    const waitMs = this.#latestPendingMs() - consumer.nowMs;
    if (waitMs > 0) return this.#arm(waitMs);
    consumer.host.expired(consumer);
  }

  /** Until when somebody who got a message may still be at work on it, and the threshold after that. */
  #latestPendingMs(): number {
    const consumer = this.#consumer;
    if (consumer.pull === undefined || !consumer.redeliversByTime) return 0;
    const { pending } = consumer.state;
    let latestMs = 0;
    for (let slot = pending.head; slot >= 0; slot = pending.after(slot)) {
      latestMs = Math.max(latestMs, pending.timeAt(slot) + consumer.waitMs(pending.seqAt(slot)) + this.#thresholdMs);
    }
    return latestMs;
  }
}

/** A consumer that delivers nothing until a moment set by an operator. Spec: consumers, section 9.6. */
import { timestamp } from "../../util/timestamp.ts";
import { Alarm } from "./alarm.ts";
import type { Consumer } from "./consumer.ts";
import { instantOf } from "./start.ts";

export const ZERO_TIME = "0001-01-01T00:00:00Z";

export class Pause {
  readonly #consumer: Consumer;
  readonly #alarm: Alarm;
  #untilMs = 0;

  constructor(consumer: Consumer) {
    this.#consumer = consumer;
    this.#alarm = new Alarm(consumer.context.clock, () => this.#ended());
    this.#read();
  }

  get isPaused(): boolean {
    return this.#untilMs > 0 && this.#consumer.nowMs < this.#untilMs;
  }

  /** Nanoseconds until it ends; 0 when it is not paused. */
  get remainingNs(): number {
    return this.isPaused ? Math.round((this.#untilMs - this.#consumer.nowMs) * 1e6) : 0;
  }

  start(): void {
    if (this.isPaused) this.#alarm.set(this.#untilMs);
  }

  /** The configuration has another moment. */
  changed(): void {
    const previousMs = this.#untilMs;
    this.#read();
    this.#alarm.cancel();
    this.start();
    if (previousMs !== this.#untilMs) this.advise();
    if (!this.isPaused) this.#consumer.wake();
  }

  advise(): void {
    const { streamName: stream, name: consumer, config } = this.#consumer;
    this.#consumer.advise("PAUSE", "consumer_pause", { stream, consumer, paused: this.isPaused, pause_until: config.pause_until ?? ZERO_TIME });
  }

  stop(): void {
    this.#alarm.cancel();
  }

  #read(): void {
    const until = this.#consumer.config.pause_until;
    if (until === undefined) {
      this.#untilMs = 0;
      return;
    }
    const { seconds, nanos } = instantOf(until);
    this.#untilMs = Math.max(0, seconds * 1000 + nanos / 1e6);
  }

  #ended(): void {
    if (this.isPaused) return this.start();
    this.advise();
    this.#consumer.wake();
  }
}

/** A time of the wire, moved to UTC. */
export function inUtc(text: string): string {
  if (text.endsWith("Z")) return text;
  const dot = /\.\d+/.exec(text)?.[0] ?? "";
  return `${new Date(text.replace(dot, "")).toISOString().slice(0, -5)}${dot}Z`;
}

/** A time in the wire's form, from milliseconds since the Unix epoch. */
export function timestampOfMs(ms: number): string {
  return timestamp(BigInt(Math.round(ms * 1e6)));
}

/**
 * A publisher that outruns a consumer is paused at its socket, so that the transport holds it back instead of our memory: until the consumer's backlog is
 * down again, but at most `STALL_MS` per turn's share of its input, since one slow consumer must not stop a publisher for the others. Spec: client protocol, section 9.3.
 */
import type { Timer } from "../../platform/index.ts";
import type { ClientLink } from "./client.ts";

/** The reference waits up to 10 ms for each buffer it read, up to 64 KiB; a turn's share is less than half of that. */
const STALL_MS = 2;
/** Share of `max_pending` that counts as a long backlog: with `no_fast_producer_stall`, nothing more is delivered then. */
const LONG_SHARE = 0.75;
/**
 * Producers wait from this backlog on, if it is less. The reference waits at the share only; a publisher that is a little faster than its subscriber
 * then fills 48 MB of memory at any rate, which buys nothing (measured: 240 MB against 130 MB resident, the same throughput).
 */
const STALL_BYTES_MAX = 8 * 1024 * 1024;

/** Bytes pending above which a consumer's backlog is long. */
export function longBacklog(maxPending: number): number {
  return maxPending * LONG_SHARE;
}

/** Bytes pending above which a consumer stalls its producers. */
export function stallThreshold(maxPending: number): number {
  return Math.min(longBacklog(maxPending), STALL_BYTES_MAX);
}

export class Backpressure {
  /** A consumer met during the present read whose backlog is long. */
  #candidate: ClientLink | undefined = undefined;
  /** The consumer that this link waits for. */
  #awaited: Backpressure | undefined = undefined;
  #timer: Timer | undefined = undefined;
  /** Producers that wait for this link. */
  #producers: Set<Backpressure> | undefined = undefined;

  constructor(private readonly link: ClientLink) {}

  /** Whether this link waits for a consumer. */
  get isWaiting(): boolean {
    return this.#awaited !== undefined;
  }

  /** As a producer: a delivery went to `consumer`, whose backlog is long. */
  note(consumer: ClientLink): void {
    this.#candidate = consumer;
  }

  /** As a producer, at the end of a read: waits when a consumer was noted. */
  settle(): void {
    const consumer = this.#candidate;
    if (consumer === undefined) return;
    this.#candidate = undefined;
    if (consumer.isClosed || this.link.isClosed || this.#awaited !== undefined) return;
    const { host } = this.link;
    this.link.stalls++;
    host.stats.stalledClients++;
    this.#awaited = consumer.backpressure;
    this.link.pauseReading();
    this.#awaited.#hold(this);
    this.#timer = host.clock.after(STALL_MS, () => this.#resume());
  }

  /** As a consumer: the backlog is down, or the link is gone. */
  release(): void {
    const producers = this.#producers;
    if (producers === undefined) return;
    this.#producers = undefined;
    for (const producer of producers) producer.#resume();
  }

  /** The link is gone. */
  stop(): void {
    this.#timer?.cancel();
    if (this.#awaited !== undefined) this.#awaited.#producers?.delete(this);
    this.release();
  }

  #hold(producer: Backpressure): void {
    (this.#producers ??= new Set()).add(producer);
    this.link.outbound.watchLowWater(stallThreshold(this.link.host.settings.maxPending));
  }

  #resume(): void {
    if (this.#awaited === undefined) return;
    // A consumer that stays slow must neither gather us again and again nor wake us when we wait for another.
    this.#awaited.#producers?.delete(this);
    this.#awaited = undefined;
    this.#timer?.cancel();
    this.link.resumeReading();
  }
}

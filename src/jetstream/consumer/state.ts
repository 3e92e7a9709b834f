/**
 * What a consumer remembers of its deliveries, and how each event changes it: a state machine without messages, time or I/O. The consumer drives it while it
 * lives; the log replays the same events after a restart. Spec: consumers, sections 7 and 13.
 *
 * Terms: a stream sequence (`seq`) names a message, a delivery sequence counts deliveries, repeated ones too. Everything up to the ack floor is settled.
 */
import type { AckPolicy } from "../wire.ts";
import { PendingMessages } from "./pending.ts";

/** A place in the consumer's own count and in the stream's. */
export interface Position {
  delivery: number;
  seq: number;
}

/** How deliveries are settled: on delivery, one by one, or all up to one. */
export type Settling = "none" | "each" | "through";

export function settlingOf(policy: AckPolicy): Settling {
  return policy === "none" ? "none" : policy === "explicit" ? "each" : "through";
}

export class ConsumerState {
  /** Next stream sequence to look at for a first delivery. */
  next: number;
  /** Last delivery, and the highest sequence that was ever delivered. */
  readonly delivered: Position;
  readonly floor: Position;
  readonly pending = new PendingMessages();
  /** Deliveries beyond the first, of messages that were delivered more than once. */
  readonly redelivered = new Map<number, number>();

  /** A consumer that starts at stream sequence `next`. */
  constructor(
    readonly settling: Settling,
    next: number,
  ) {
    this.next = next;
    this.delivered = { delivery: 0, seq: next - 1 };
    this.floor = { delivery: 0, seq: next - 1 };
  }

  /** Forgets everything and starts at `next`. */
  restart(next: number): void {
    this.next = next;
    this.delivered.delivery = this.floor.delivery = 0;
    this.delivered.seq = this.floor.seq = next - 1;
    this.pending.clear();
    this.redelivered.clear();
  }

  /** How often the message was delivered, counting one delivery at least. */
  deliveriesOf(seq: number): number {
    return 1 + (this.redelivered.get(seq) ?? 0);
  }

  /** The first delivery of `seq`, which is at or after `next`. */
  deliver(seq: number, atMs: number): void {
    const delivery = ++this.delivered.delivery;
    this.delivered.seq = seq;
    this.next = seq + 1;
    if (this.settling === "none") {
      this.floor.delivery = delivery;
      this.floor.seq = seq;
    } else this.pending.add(seq, delivery, atMs);
  }

  /** Another delivery of a pending message. */
  redeliver(seq: number, atMs: number): void {
    this.delivered.delivery++;
    this.redelivered.set(seq, (this.redelivered.get(seq) ?? 0) + 1);
    this.pending.touch(seq, atMs);
  }

  /** Settles one message; whether it was pending. */
  settle(seq: number): boolean {
    const delivery = this.pending.deliveryOf(seq);
    this.redelivered.delete(seq);
    if (!this.pending.remove(seq)) return false;
    this.#raiseFloor(seq, delivery);
    return true;
  }

  #raiseFloor(seq: number, delivery: number): void {
    const { floor, pending } = this;
    if (pending.size === 0) {
      floor.delivery = this.delivered.delivery;
      floor.seq = this.delivered.seq;
      return;
    }
    if (delivery !== floor.delivery + 1) return;
    floor.delivery = delivery;
    floor.seq = seq;
    const lowest = pending.firstSeq;
    if (lowest > seq) {
      floor.seq = lowest - 1;
      floor.delivery = pending.deliveryOf(lowest) - 1;
    }
  }

  /** Settles everything up to `seq`: `onSettled` hears of each pending message. False when the floor is there already. */
  settleThrough(delivery: number, seq: number, onSettled: (seq: number) => void): boolean {
    const { floor, pending } = this;
    if (delivery <= floor.delivery || seq <= floor.seq) return false;
    floor.delivery = delivery;
    floor.seq = seq;
    for (let lowest = pending.firstSeq; lowest !== 0 && lowest <= seq; lowest = pending.firstSeq) {
      pending.remove(lowest);
      this.redelivered.delete(lowest);
      onSettled(lowest);
    }
    return true;
  }

  /** No more deliveries of `seq`: it leaves what is pending, and its count stays. */
  exhaust(seq: number): void {
    if (!this.redelivered.has(seq)) this.redelivered.set(seq, 1);
    this.pending.remove(seq);
  }

  /** Messages below `first` left the stream by a purge. */
  purgeBelow(first: number): void {
    const { floor, pending } = this;
    this.next = Math.max(this.next, first);
    if (pending.size > 0 && pending.lastSeq < first) {
      for (let slot = pending.head; slot >= 0; slot = pending.after(slot)) floor.delivery = Math.max(floor.delivery, pending.deliveryAt(slot));
      pending.clear();
    }
    for (let lowest = pending.firstSeq; lowest !== 0 && lowest < first; lowest = pending.firstSeq) {
      floor.delivery = Math.max(floor.delivery, pending.deliveryOf(lowest));
      pending.remove(lowest);
    }
    for (const seq of this.redelivered.keys()) if (seq < first) this.redelivered.delete(seq);
    if (floor.seq < first - 1) floor.seq = first - 1;
    this.delivered.seq = Math.max(this.delivered.seq, this.next - 1);
    if (pending.size === 0) this.#settleAll();
  }

  /** Nothing is pending: all that was delivered is settled, and what was skipped counts as passed. */
  #settleAll(): void {
    this.floor.delivery = this.delivered.delivery;
    this.floor.seq = this.next - 1;
    this.delivered.seq = Math.max(this.delivered.seq, this.next - 1);
  }

  /** Drops pending messages that are gone (a purge of some subjects). */
  dropPending(isGone: (seq: number) => boolean): void {
    const { floor, pending } = this;
    let dropped = false;
    for (let slot = pending.head, after = slot; slot >= 0; slot = after) {
      after = pending.after(slot);
      const seq = pending.seqAt(slot);
      if (!isGone(seq)) continue;
      floor.delivery = Math.max(floor.delivery, pending.deliveryAt(slot));
      pending.remove(seq);
      this.redelivered.delete(seq);
      dropped = true;
    }
    for (const seq of this.redelivered.keys()) if (isGone(seq)) this.redelivered.delete(seq);
    if (dropped && pending.size === 0) this.#settleAll();
  }

  /** The stream ends at `last`, before what was delivered: data was lost. */
  clampTo(last: number): void {
    if (this.delivered.seq <= last) return;
    const { floor, pending } = this;
    for (let highest = pending.lastSeq; highest > last; highest = pending.lastSeq) pending.remove(highest);
    for (const seq of this.redelivered.keys()) if (seq > last) this.redelivered.delete(seq);
    floor.seq = Math.min(floor.seq, last);
    this.next = Math.max(pending.lastSeq, floor.seq) + 1;
    this.delivered.seq = this.next - 1;
  }

  /** Whether the stream may not let go of a message yet, as far as this consumer goes. */
  needs(seq: number): boolean {
    if (seq >= this.next) return true;
    if (this.settling === "each") return this.pending.has(seq) || this.redelivered.has(seq);
    return seq > this.floor.seq || this.redelivered.has(seq);
  }
}

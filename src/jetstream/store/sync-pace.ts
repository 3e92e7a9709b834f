/**
 * Whether the loop may wait for the device itself. An asynchronous sync costs two changes of thread and a turn of the loop, a quarter of what a quick device
 * takes for a small write; but a device that turns slow must never hold the loop. So it is watched: waiting is allowed as long as every sync lately was quick, and
 * one that was not forbids it for as many quick ones as it was slow. All stores of a server share one pace, as they share the loop.
 */
import type { Clock } from "../../platform/index.ts";

/** A sync of at most so long is quick. */
const QUICK_MS = 1;
/** So many quick ones in a row, for each millisecond that the last slow one took, before the loop waits (again). */
const PROOFS_PER_MS = 16;
/** More takes a device longer than a change of thread. */
const BYTES_MAX = 64 * 1024;
/** The loop waits so long at most in one go, for all stores together. */
const HELD_MAX_MS = 4;
/** And gets so much of that back for each millisecond that it does not wait. */
const RELIEF_PER_MS = 4;

/** What a store asks. */
export interface SyncPace {
  /** Whether a sync of so many bytes may be waited for now. */
  mayWait(bytes: number): boolean;
  /** A sync took so long; `waited` when the loop stood still meanwhile. */
  took(ms: number, waited: boolean): void;
}

export class MeasuredPace implements SyncPace {
  #proofsWanted = PROOFS_PER_MS;
  #heldMs = 0;
  #lastMs = 0;

  constructor(private readonly clock: Clock) {}

  mayWait(bytes: number): boolean {
    if (this.#proofsWanted > 0 || bytes > BYTES_MAX) return false;
    if (this.#heldMs === 0) return true;
    const nowMs = this.clock.monotonicMs();
    this.#heldMs = Math.max(0, this.#heldMs - (nowMs - this.#lastMs) * RELIEF_PER_MS);
    this.#lastMs = nowMs;
    return this.#heldMs < HELD_MAX_MS;
  }

  took(ms: number, waited: boolean): void {
    if (ms > QUICK_MS) this.#proofsWanted = Math.max(this.#proofsWanted, Math.ceil(ms * PROOFS_PER_MS));
    else if (this.#proofsWanted > 0) this.#proofsWanted--;
    if (!waited) return;
    this.#heldMs += ms;
    this.#lastMs = this.clock.monotonicMs();
  }
}

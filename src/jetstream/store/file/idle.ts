/** Notices that a store is not used any more, so that it gives back what it only holds for speed. */
import type { Clock, Timer } from "../../../platform/index.ts";

/** What was not used for so long is let go. */
const IDLE_MS = 10_000;

export interface Resting {
  /** Lets go of what was not used lately; whether there is more to let go later. */
  letGoUnused(): boolean;
  /** Nothing happened lately: lets go of the rest. */
  letGoAll(): void;
}

export class Idle {
  #timer: Timer | undefined;
  #isBusy = false;
  #isStopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly resting: Resting,
  ) {}

  /** Something was read. Quick: it counts only where `stayAwake` was called before. */
  used(): void {
    this.#isBusy = true;
  }

  /** Something happened that needs memory. */
  stayAwake(): void {
    this.#isBusy = true;
    if (this.#timer !== undefined || this.#isStopped) return;
    this.#timer = this.clock.after(IDLE_MS, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #look(): void {
    const hasMore = this.resting.letGoUnused();
    const wasBusy = this.#isBusy;
    if (wasBusy || hasMore) {
      this.stayAwake();
      this.#isBusy = false;
    }
    if (!wasBusy) this.resting.letGoAll();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }
}

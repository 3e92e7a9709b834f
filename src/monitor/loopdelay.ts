/**
 * How late the event loop is: a timer that should fire at a fixed pace, and by how much it missed. It runs only once somebody has asked, so that a server
 * that nobody scrapes pays nothing.
 */
import type { Clock } from "../platform/index.ts";

const PACE_MS = 250;
/** Upper bounds of the histogram, seconds. */
export const DELAY_BUCKETS_S = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5] as const;

export interface DelayHistogram {
  /** How many measurements were at most the bucket's bound; as many as there are buckets. */
  readonly cumulative: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
}

export class LoopDelay {
  readonly #counts: number[] = DELAY_BUCKETS_S.map(() => 0);
  #count = 0;
  #sumSeconds = 0;
  #running = false;

  constructor(private readonly clock: Clock) {}

  read(): DelayHistogram {
    if (!this.#running) {
      this.#running = true;
      this.#measureNext();
    }
    let reached = 0;
    return { cumulative: this.#counts.map((count) => (reached += count)), count: this.#count, sumSeconds: this.#sumSeconds };
  }

  #measureNext(): void {
    const dueMs = this.clock.monotonicMs() + PACE_MS;
    this.clock.after(PACE_MS, () => {
      const seconds = Math.max(0, this.clock.monotonicMs() - dueMs) / 1000;
      const bucket = DELAY_BUCKETS_S.findIndex((bound) => seconds <= bound);
      if (bucket !== -1) this.#counts[bucket]++;
      this.#count++;
      this.#sumSeconds += seconds;
      this.#measureNext();
    });
  }
}

/**
 * The times that messages are stored with. The clock is read once per turn; messages of one turn are a nanosecond apart, so times of a stream always increase
 * and a time of one message finds that message.
 */
import type { Clock } from "../../platform/index.ts";

const NANOS = 1_000_000_000;

export class Stamp {
  seconds = 0;
  nanos = 0;
  #fresh = false;

  constructor(private readonly clock: Clock) {}

  /** The next message's time. */
  next(): void {
    if (!this.#fresh) this.#read();
    else if (++this.nanos === NANOS) {
      this.nanos = 0;
      this.seconds++;
    }
  }

  /** The turn is over. */
  endTurn(): void {
    this.#fresh = false;
  }

  /** Never goes below a time that was given out or stored. */
  atLeast(seconds: number, nanos: number): void {
    if (seconds < this.seconds || (seconds === this.seconds && nanos <= this.nanos)) return;
    this.seconds = seconds;
    this.nanos = nanos;
  }

  /** Time of the turn in milliseconds since the Unix epoch. */
  get ms(): number {
    if (!this.#fresh) this.#read();
    return this.seconds * 1000 + this.nanos / 1e6;
  }

  #read(): void {
    this.#fresh = true;
    const now = this.clock.nowNs();
    const seconds = Number(now / 1_000_000_000n);
    const nanos = Number(now % 1_000_000_000n);
    if (seconds > this.seconds || (seconds === this.seconds && nanos > this.nanos)) {
      this.seconds = seconds;
      this.nanos = nanos;
    } else if (++this.nanos === NANOS) {
      this.nanos = 0;
      this.seconds++;
    }
  }
}

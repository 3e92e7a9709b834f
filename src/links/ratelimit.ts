/** How many TLS handshakes may start per second. The window opens with the first one after the last window's end. Spec: TLS, section 2.5. */
import type { Logger } from "../log/index.ts";
import type { Clock } from "../platform/index.ts";

const WINDOW_MS = 1000;

export class HandshakeRateLimit {
  #windowEndMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  #rejected = 0;

  constructor(
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Whether one more handshake may start now, of `limit` per second (0: any number). */
  admit(limit: number): boolean {
    if (limit <= 0) return true;
    const now = this.clock.monotonicMs();
    if (now >= this.#windowEndMs) {
      this.#windowEndMs = now + WINDOW_MS;
      this.#count = 0;
    }
    if (++this.#count <= limit) return true;
    if (this.#rejected++ === 0) this.clock.after(WINDOW_MS, () => this.#report());
    return false;
  }

  #report(): void {
    this.log.warn(`Rejected ${this.#rejected} connections due to TLS rate limiting`);
    this.#rejected = 0;
  }
}

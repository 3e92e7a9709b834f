/** A token bucket over bytes: delays deliveries, never drops them. Spec: consumers, section 9.5. */
export class RateLimit {
  #tokens: number;
  #atMs: number;

  /** `bytesPerSecond` on average, at most `burstBytes` at once. */
  constructor(
    private readonly bytesPerSecond: number,
    private readonly burstBytes: number,
    nowMs: number,
  ) {
    this.#tokens = burstBytes;
    this.#atMs = nowMs;
  }

  /** Milliseconds until `bytes` may be sent; 0: now. A message larger than the burst passes when the bucket is full. */
  delayMs(bytes: number, nowMs: number): number {
    this.#fill(nowMs);
    const missing = Math.min(bytes, this.burstBytes) - this.#tokens;
    return missing <= 0 ? 0 : (missing * 1000) / this.bytesPerSecond;
  }

  take(bytes: number): void {
    this.#tokens -= bytes;
  }

  #fill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#tokens = Math.min(this.burstBytes, this.#tokens + (elapsedMs * this.bytesPerSecond) / 1000);
  }
}

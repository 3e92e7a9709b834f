/** Two methods of `Buffer` that exist in the runtime (and in Node.js) but not in its type declarations. */
interface Buffer {
  /** The bytes of `[start, end)` as a latin1 string; several times faster than `toString("latin1", ...)`. */
  latin1Slice(start?: number, end?: number): string;
  /** Writes a latin1 string at `offset`; returns the bytes written. */
  latin1Write(text: string, offset?: number, length?: number): number;
}

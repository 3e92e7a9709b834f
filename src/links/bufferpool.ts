/**
 * Outbound buffers are lent, not owned: an idle connection has none, a busy one gets the one it gave back a moment ago. Sizes are powers of two;
 * what is kept for reuse is bounded.
 */

/** Smallest and largest pooled size. Larger buffers serve a backlog and are left to the collector afterwards. */
const CLASS_MIN = 12;
const CLASS_MAX = 20;
/** Bytes kept for reuse per size. One megabyte is 256 of the smallest and one of the largest. */
const KEEP_BYTES = 4 * 1024 * 1024;

const free: Buffer[][] = Array.from({ length: CLASS_MAX + 1 }, () => []);

/** A buffer of at least `bytes`. Its contents are arbitrary. */
export function borrowBuffer(bytes: number): Buffer {
  let sizeClass = CLASS_MIN;
  while (1 << sizeClass < bytes && sizeClass < 30) sizeClass++;
  const pooled = sizeClass <= CLASS_MAX ? free[sizeClass].pop() : undefined;
  return pooled ?? Buffer.allocUnsafeSlow(sizeClass < 30 ? 1 << sizeClass : bytes);
}

/** Gives a borrowed buffer back. The caller must not touch it again. */
export function returnBuffer(buffer: Buffer): void {
  const sizeClass = 31 - Math.clz32(buffer.length);
  if (sizeClass > CLASS_MAX || sizeClass < CLASS_MIN) return;
  const kept = free[sizeClass];
  if ((kept.length + 1) << sizeClass <= KEEP_BYTES) kept.push(buffer);
}

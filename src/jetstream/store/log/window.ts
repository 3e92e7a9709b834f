/** A piece of a segment in memory: bytes, and the same bytes as words, from logical place `start` on, which is a multiple of eight. */
export class ByteWindow {
  buffer: Buffer;
  words: Int32Array;
  /** Place in the segment of the first byte. */
  start = 0;
  /** Bytes in use. */
  length = 0;

  constructor(capacity: number) {
    const bytes = new ArrayBuffer((capacity + 7) & ~7);
    this.buffer = Buffer.from(bytes);
    this.words = new Int32Array(bytes);
  }

  get capacity(): number {
    return this.buffer.length;
  }

  /** Place in the segment after the last byte. */
  get end(): number {
    return this.start + this.length;
  }

  /** Makes room for so many more bytes. */
  reserve(bytes: number, limit = Number.POSITIVE_INFINITY): void {
    const needed = this.length + bytes;
    if (needed <= this.capacity) return;
    this.resize(Math.max(needed, Math.min(limit, this.capacity * 2)));
  }

  /** Moves the bytes in use to a buffer of another size. */
  resize(capacity: number): void {
    const bytes = new ArrayBuffer((capacity + 7) & ~7);
    const buffer = Buffer.from(bytes);
    this.buffer.copy(buffer, 0, 0, this.length);
    this.buffer = buffer;
    this.words = new Int32Array(bytes);
  }
}

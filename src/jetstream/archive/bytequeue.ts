/** Bytes that arrive in pieces and are taken from the front. */
import { ArchiveError } from "./error.ts";

export class ByteQueue {
  bytes: Buffer = Buffer.alloc(0);
  /** Bytes before it were taken. */
  at = 0;

  get length(): number {
    return this.bytes.length - this.at;
  }

  /** The bytes are kept, not copied, while nothing else waits. */
  push(bytes: Buffer): void {
    this.bytes = this.length === 0 ? bytes : Buffer.concat([this.bytes.subarray(this.at), bytes]);
    this.at = 0;
  }

  /** Takes `count` bytes, of which there are so many. */
  take(count: number): Buffer {
    const taken = this.bytes.subarray(this.at, this.at + count);
    this.at += count;
    return taken;
  }
}

/** Reads numbers from one place to the next; `ended` when there are no more bytes. */
export class NumberReader {
  ended = false;

  constructor(
    readonly bytes: Uint8Array,
    public at: number,
  ) {}

  /** LEB128, unsigned. Exact below 2^53. */
  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; ; i++) {
      if (this.at >= this.bytes.length) {
        this.ended = true;
        return 0;
      }
      if (i > 9) throw new ArchiveError("varint overflows a 64-bit integer");
      const byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  /** Signed in zig-zag, exact. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (this.at >= this.bytes.length) {
        this.ended = true;
        return 0n;
      }
      if (shift > 63n) throw new ArchiveError("varint overflows a 64-bit integer");
      const byte = this.bytes[this.at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return (value >> 1n) ^ -(value & 1n);
    }
  }
}

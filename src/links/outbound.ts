/**
 * The way out of a link: bytes gather in one borrowed buffer, the end of the turn hands them to the kernel, a short write waits for drain.
 *
 * Places in the stream are counted from its start (`#sent`), so that the write deadline can ask the only fair question: are the bytes that were pending when the
 * kernel first refused some out by now? A consumer that is slow but moving is never cut.
 */
import type { Stream } from "../platform/index.ts";
import { putByteString } from "../util/bytes.ts";
import { borrowBuffer, returnBuffer } from "./bufferpool.ts";
import type { Flushable, Turn } from "./turn.ts";

/** What the owner of an outbound is told. */
export interface OutboundOwner {
  /** The kernel refused bytes: from now on the write deadline runs. */
  onBlocked(outbound: Outbound): void;
  /** Pending bytes fell below `Outbound.lowWater` after `watchLowWater`. */
  onLowWater(): void;
}

/** A link writes in the middle of a turn once so much is pending, so that the receiver works while we go on. */
const EAGER_FLUSH_BYTES = 128 * 1024;
/** What one buffer starts with; it doubles as needed. */
const FIRST_BYTES = 4096;

const NO_BUFFER = Buffer.alloc(0);

export class Outbound implements Flushable {
  /** Bytes wait in `[start, end)`. Encoders write at `end` after `reserve`, then call `commit`. */
  buffer: Buffer = NO_BUFFER;
  start = 0;
  end = 0;

  /** The kernel took less than it was given; nothing is written until it says so. */
  blocked = false;
  /** Monotonic milliseconds when the current deadline span began; meaningful while `blocked`. */
  blockedSinceMs = 0;
  #sent = 0;
  #deadlinePlace = 0;
  #dirty = false;
  #closed = false;
  #watched = false;
  #lowWater = 0;
  /** Size of the buffer given back last, which the next one starts with. */
  #lastSize = FIRST_BYTES;

  constructor(
    public stream: Stream,
    private readonly turn: Turn,
    private readonly owner: OutboundOwner,
    private readonly nowMs: () => number,
  ) {}

  /** Bytes that the kernel has not taken yet. */
  get pending(): number {
    return this.end - this.start;
  }

  /** Makes room for `bytes` at `end`. */
  reserve(bytes: number): void {
    if (this.buffer.length - this.end < bytes) this.#grow(bytes);
  }

  /** What an encoder wrote up to `end` is part of the stream now. */
  commit(end: number): void {
    this.end = end;
    if (this.#dirty) {
      if (end - this.start >= EAGER_FLUSH_BYTES && !this.blocked) this.#write();
      return;
    }
    this.#dirty = true;
    this.turn.add(this);
  }

  /** Appends a byte string. */
  text(text: string): void {
    if (this.#closed) return;
    this.reserve(text.length);
    this.commit(putByteString(text, this.buffer, this.end));
  }

  flush(): void {
    this.#dirty = false;
    if (!this.blocked) this.#write();
  }

  /** The kernel takes bytes again. */
  drained(): void {
    if (!this.blocked) return;
    this.blocked = false;
    this.#write();
  }

  /** Whether the bytes that were pending `deadlineMs` ago are still not all out. Starts the next span when they are. */
  deadlineExceeded(deadlineMs: number): boolean {
    if (!this.blocked || this.nowMs() - this.blockedSinceMs < deadlineMs) return false;
    if (this.#sent < this.#deadlinePlace) return true;
    this.#beginSpan();
    return false;
  }

  /** Whether anything went out since the current deadline span began. */
  get progressed(): boolean {
    return this.#sent > this.#spanStart;
  }
  #spanStart = 0;

  /** Starts a new deadline span, for a connection that is given another chance. */
  restartDeadline(): void {
    this.#beginSpan();
  }

  /** Asks for one `onLowWater` call when at most `bytes` are pending. */
  watchLowWater(bytes: number): void {
    this.#watched = true;
    this.#lowWater = bytes;
  }

  /** Drops what is pending; nothing is written any more. */
  close(): void {
    this.#closed = true;
    this.start = this.end = 0;
    this.#release();
    this.#notifyLowWater();
  }

  #beginSpan(): void {
    this.blockedSinceMs = this.nowMs();
    this.#spanStart = this.#sent;
    this.#deadlinePlace = this.#sent + (this.end - this.start);
  }

  #write(): void {
    const pending = this.end - this.start;
    if (pending === 0 || this.#closed) return;
    const taken = this.stream.write(this.buffer, this.start, this.end);
    this.#sent += taken;
    if (taken === pending) {
      this.start = this.end = 0;
      this.#release();
    } else {
      this.start += taken;
      if (!this.blocked) {
        this.blocked = true;
        if (this.#sent >= this.#deadlinePlace) this.#beginSpan();
        this.owner.onBlocked(this);
      }
    }
    if (this.#watched && this.end - this.start <= this.#lowWater) this.#notifyLowWater();
  }

  #notifyLowWater(): void {
    if (!this.#watched) return;
    this.#watched = false;
    this.owner.onLowWater();
  }

  #release(): void {
    if (this.buffer === NO_BUFFER) return;
    this.#lastSize = this.buffer.length;
    returnBuffer(this.buffer);
    this.buffer = NO_BUFFER;
  }

  #grow(bytes: number): void {
    const pending = this.end - this.start;
    if (this.buffer === NO_BUFFER) {
      this.buffer = borrowBuffer(Math.max(bytes, Math.min(this.#lastSize, 2 * EAGER_FLUSH_BYTES)));
      return;
    }
    // When at least half of the buffer is already sent, moving the rest to its start is cheaper than a larger buffer.
    if (this.start >= this.buffer.length / 2 && this.buffer.length - pending >= bytes) {
      this.buffer.copyWithin(0, this.start, this.end);
    } else {
      const grown = borrowBuffer(Math.max(pending + bytes, this.buffer.length * 2));
      this.buffer.copy(grown, 0, this.start, this.end);
      returnBuffer(this.buffer);
      this.buffer = grown;
    }
    this.start = 0;
    this.end = pending;
  }
}

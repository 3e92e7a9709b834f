/** The state of a store: one object for its life, always up to date. */
import type { StoreState } from "../message-store.ts";

/** Most lost sequences that are listed; the bytes are counted of all. */
const LOST_LISTED_MAX = 65_536;

export class LiveState implements StoreState {
  messages = 0;
  bytes = 0;
  lastSeq: number;
  lastSeconds = 0;
  lastNanos = 0;
  lost: { readonly sequences: number[]; bytes: number } | undefined;
  /** Sequence of the first message; `lastSeq + 1` when there is none. */
  first: number;

  constructor(
    firstSeq: number,
    private readonly doors: { firstTime(): { readonly seconds: number; readonly nanos: number }; subjects(): number },
  ) {
    this.first = Math.max(1, firstSeq);
    this.lastSeq = this.first - 1;
  }

  get firstSeq(): number {
    return this.messages === 0 && this.lastSeq === 0 ? 0 : this.first;
  }

  get firstSeconds(): number {
    return this.messages === 0 ? 0 : this.doors.firstTime().seconds;
  }

  get firstNanos(): number {
    return this.messages === 0 ? 0 : this.doors.firstTime().nanos;
  }

  get subjects(): number {
    return this.doors.subjects();
  }

  get deleted(): number {
    return this.messages === 0 ? 0 : this.lastSeq - this.first + 1 - this.messages;
  }

  loseBytes(bytes: number): void {
    this.lost ??= { sequences: [], bytes: 0 };
    this.lost.bytes += bytes;
  }

  lose(seq: number, bytes: number): void {
    this.lost ??= { sequences: [], bytes: 0 };
    this.lost.bytes += bytes;
    if (this.lost.sequences.length < LOST_LISTED_MAX) this.lost.sequences.push(seq);
  }
}

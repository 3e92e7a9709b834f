/**
 * What the reply subject of a delivered message tells: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>`, or the longer form
 * with domain and account in front (and one more token at the end). Read from the bytes of every copied message, so into one object and without strings.
 */
import type { Message } from "../../routing/index.ts";

const DOT = 46;
const SHORT_TOKENS = 9;
const LONG_TOKENS = 11;
const LONGEST_TOKENS = 12;
/** Digits of a nanosecond. */
const NANO_DIGITS = 9;

export class AckReply {
  deliveries = 0;
  streamSeq = 0;
  consumerSeq = 0;
  /** When the message was stored at the origin. */
  seconds = 0;
  nanos = 0;
  pending = 0;
  /** The consumer's name in the message's buffer. */
  consumerStart = 0;
  consumerEnd = 0;
  /** Where each token starts, and one past the end of the last. */
  readonly #starts = new Array<number>(LONGEST_TOKENS + 1).fill(0);

  /** False when the reply is none of these. */
  read({ buffer, replyStart, replyEnd }: Message): boolean {
    const starts = this.#starts;
    let tokens = 1;
    starts[0] = replyStart;
    for (let at = replyStart; at < replyEnd; at++) {
      if (buffer[at] !== DOT) continue;
      if (tokens === LONGEST_TOKENS) return false;
      starts[tokens++] = at + 1;
    }
    if (tokens !== SHORT_TOKENS && tokens !== LONG_TOKENS && tokens !== LONGEST_TOKENS) return false;
    starts[tokens] = replyEnd + 1;
    const first = tokens === SHORT_TOKENS ? 3 : 5;
    this.consumerStart = starts[first];
    this.consumerEnd = starts[first + 1] - 1;
    this.deliveries = digits(buffer, starts[first + 1], starts[first + 2] - 1);
    this.streamSeq = digits(buffer, starts[first + 2], starts[first + 3] - 1);
    this.consumerSeq = digits(buffer, starts[first + 3], starts[first + 4] - 1);
    const timeEnd = starts[first + 5] - 1;
    const split = Math.max(starts[first + 4], timeEnd - NANO_DIGITS);
    this.seconds = split === starts[first + 4] ? 0 : digits(buffer, starts[first + 4], split);
    this.nanos = digits(buffer, split, timeEnd);
    this.pending = digits(buffer, starts[first + 5], starts[first + 6] - 1);
    return this.deliveries > 0 && this.streamSeq > 0 && this.consumerSeq > 0 && this.seconds >= 0 && this.nanos >= 0 && this.pending >= 0;
  }

  /** Whether the consumer has this name (byte string). */
  isFrom(name: string, buffer: Buffer): boolean {
    const { consumerStart, consumerEnd } = this;
    if (consumerEnd - consumerStart !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (buffer[consumerStart + i] !== name.charCodeAt(i)) return false;
    return true;
  }
}

/** -1 when it is no number. */
function digits(buffer: Buffer, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = buffer[at] - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

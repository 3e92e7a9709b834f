/**
 * A message as it goes on in another account: another reply subject, another header, the same payload. It is laid out in the wire form of a delivery, in
 * buffers that are used again; one per nesting, since whoever takes a message may publish.
 */
import { setHeader } from "../../protocol/index.ts";
import { Message } from "../../routing/index.ts";
import { copyBytes, putByteString, putDecimal } from "../../util/bytes.ts";

/** Larger messages get a buffer of their own. */
const KEPT_BYTES_MAX = 256 * 1024;
const BLANK = 32;
const CR = 13;
const LF = 10;
/** Two decimals, the blanks and the line ends. */
const SIZES_BYTES_MAX = 48;

/** A header to set. Byte strings. */
export interface SetHeader {
  readonly key: string;
  readonly value: string;
}

export class Crossing {
  readonly #kept: { readonly message: Message; buffer: Buffer }[] = [];
  #depth = 0;

  /**
   * Calls `hand` with the message as it is in the other account; it is valid during the call. An empty `reply` is none; without `header` the header block
   * stays as it is.
   */
  carry(from: Message, subject: string, reply: string, header: SetHeader | undefined, passed: readonly object[], hand: (message: Message) => number): number {
    const block = header === undefined ? undefined : headerBlock(from, header);
    const headerLength = block?.length ?? from.headerLength;
    const payloadStart = from.bodyStart + from.headerLength;
    const size = headerLength + from.bodyEnd - payloadStart;
    const { message, buffer } = this.#take(subject.length + reply.length + size + SIZES_BYTES_MAX);
    message.buffer = buffer;
    message.passed = passed;
    message.sentTo = from.sentTo;
    message.headerLength = headerLength;
    message.subjectStart = 0;
    let at = (message.subjectEnd = message.tailStart = putByteString(subject, buffer, 0));
    buffer[at++] = BLANK;
    message.replyStart = at;
    at = message.replyEnd = putByteString(reply, buffer, at);
    if (reply !== "") buffer[at++] = BLANK;
    message.sizesStart = at;
    if (headerLength > 0) {
      at = putDecimal(headerLength, buffer, at);
      buffer[at++] = BLANK;
    }
    at = message.sizesEnd = putDecimal(size, buffer, at);
    buffer[at++] = CR;
    buffer[at++] = LF;
    message.bodyStart = at;
    at = block === undefined ? copyBytes(from.buffer, from.bodyStart, payloadStart, buffer, at) : putByteString(block, buffer, at);
    at = message.bodyEnd = copyBytes(from.buffer, payloadStart, from.bodyEnd, buffer, at);
    buffer[at] = CR;
    buffer[at + 1] = LF;
    this.#depth++;
    try {
      return hand(message);
    } finally {
      this.#depth--;
    }
  }

  #take(needed: number): { readonly message: Message; buffer: Buffer } {
    if (needed > KEPT_BYTES_MAX) return { message: new Message(), buffer: Buffer.allocUnsafe(needed) };
    const kept = (this.#kept[this.#depth] ??= { message: new Message(), buffer: Buffer.allocUnsafeSlow(4096) });
    if (kept.buffer.length < needed) kept.buffer = Buffer.allocUnsafeSlow(Math.min(KEPT_BYTES_MAX, needed * 2));
    return kept;
  }
}

function headerBlock(from: Message, { key, value }: SetHeader): string {
  if (from.headerLength === 0) return `NATS/1.0\r\n${key}: ${value}\r\n\r\n`;
  return setHeader(from.buffer.latin1Slice(from.bodyStart, from.bodyStart + from.headerLength), key, value);
}

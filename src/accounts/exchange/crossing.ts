/**
 * A message as it goes on in another account: another reply subject, another header, the same payload. It is laid out in the wire form of a delivery, in
 * buffers that are used again; one per nesting, since whoever takes a message may publish.
 */
import { setHeader } from "../../protocol/index.ts";
import { distribute, type MatchResult, Message, type SeenSubject, type Subscriber } from "../../routing/index.ts";
import { copyBytes, putByteString, putDecimal } from "../../util/bytes.ts";
import type { Account } from "../account.ts";

/** Larger messages get a buffer of their own. */
const KEPT_BYTES_MAX = 256 * 1024;
const BLANK = 32;
const CR = 13;
const LF = 10;
/** Two decimals, the blanks and the line ends. */
const SIZES_BYTES_MAX = 48;

export const TRACE_DESTINATION = "Nats-Trace-Dest";

/** A header to set. Byte strings. */
export interface SetHeader {
  readonly key: string;
  readonly value: string;
}

/** What a message carries on where its trace may not follow. */
export const TRACE_DISABLED: SetHeader = { key: TRACE_DESTINATION, value: "trace disabled" };

export class Crossing {
  readonly #kept: { readonly message: Message; buffer: Buffer }[] = [];
  #depth = 0;

  /**
   * The message as it is in the other account, valid until `end`. An empty `reply` is none; `headers` are set, or are a whole block for a
   * message that has none, and without them the header block stays as it is. Whoever takes it says what it has passed and who follows it.
   */
  begin(from: Message, subject: string, reply: string, headers: readonly SetHeader[] | string | undefined): Message {
    const block = typeof headers === "object" ? headerBlock(from, headers) : headers;
    const headerLength = block?.length ?? from.headerLength;
    const payloadStart = from.bodyStart + from.headerLength;
    const size = headerLength + from.bodyEnd - payloadStart;
    const { message, buffer } = this.#take(subject.length + reply.length + size + SIZES_BYTES_MAX);
    message.buffer = buffer;
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
    return message;
  }

  /** The message that was begun last is not needed any more. */
  end(): void {
    this.#depth--;
  }

  #take(needed: number): { readonly message: Message; buffer: Buffer } {
    if (needed > KEPT_BYTES_MAX) return { message: new Message(), buffer: Buffer.allocUnsafe(needed) };
    const kept = (this.#kept[this.#depth] ??= { message: new Message(), buffer: Buffer.allocUnsafeSlow(4096) });
    if (kept.buffer.length < needed) kept.buffer = Buffer.allocUnsafeSlow(Math.min(KEPT_BYTES_MAX, needed * 2));
    return kept;
  }
}

function headerBlock(from: Message, headers: readonly SetHeader[]): string {
  const block = from.headerLength === 0 ? "NATS/1.0\r\n\r\n" : from.buffer.latin1Slice(from.bodyStart, from.bodyStart + from.headerLength);
  return headers.reduce((before, { key, value }) => setHeader(before, key, value), block);
}

/** Delivers in `account`, in the sight of whoever follows the message; returns how many took it. */
export function handOn(account: Account, result: MatchResult, message: Message, seen: SeenSubject, origin: Subscriber | undefined): number {
  const { trace } = message;
  return trace === undefined ? distribute(result, message, seen, origin) : trace.distribute(result, message, seen, origin, account.name);
}

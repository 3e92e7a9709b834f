/**
 * A delivery in the wire form of a client: `MSG <subject> <sid> [reply] <size>` or `HMSG ... <header size> <size>`, then the body.
 *
 * Hot. When the publish came in canonical form (`Message.tailStart`), everything after the subject (reply, sizes, CR LF, body, CR LF) is already as it must
 * leave, so a delivery is: verb, subject, sid, one copy. The plain version is `encodePlainly`, which the tests hold against it.
 */
import type { Message, Subscription } from "../../routing/index.ts";
import { copyBytes, decimalLength, putByteString, putDecimal } from "../../util/bytes.ts";
import type { Outbound } from "../outbound.ts";

const BLANK = 32;
const CR = 13;
const LF = 10;

/** Queues the delivery; returns header plus payload bytes delivered. `takesHeaders`: else header bytes are cut off. */
export function encodeDelivery(outbound: Outbound, subscription: Subscription, message: Message, subjectBytes: Buffer, takesHeaders: boolean): number {
  const headerLength = message.headerLength;
  if (message.tailStart < 0 || (headerLength > 0 && !takesHeaders)) return encodePlainly(outbound, subscription, message, subjectBytes, takesHeaders);

  const sid = subscription.sid;
  const sidLength = sid.length;
  const subjectLength = subjectBytes.length;
  const tailStart = message.tailStart;
  const tailEnd = message.bodyEnd + 2;
  const needed = 6 + subjectLength + sidLength + (tailEnd - tailStart);
  if (outbound.buffer.length - outbound.end < needed) outbound.reserve(needed);
  const buffer = outbound.buffer;
  let at = outbound.end;
  if (headerLength > 0) buffer[at++] = 72;
  buffer[at] = 77;
  buffer[at + 1] = 83;
  buffer[at + 2] = 71;
  buffer[at + 3] = BLANK;
  at += 4;
  at = copyBytes(subjectBytes, 0, subjectLength, buffer, at);
  buffer[at++] = BLANK;
  for (let i = 0; i < sidLength; i++) buffer[at++] = sid.charCodeAt(i);
  outbound.commit(copyBytes(message.buffer, tailStart, tailEnd, buffer, at));
  return message.bodyEnd - message.bodyStart;
}

/** Any message to any receiver. */
export function encodePlainly(outbound: Outbound, subscription: Subscription, message: Message, subjectBytes: Buffer, takesHeaders: boolean): number {
  const withHeaders = message.headerLength > 0 && takesHeaders;
  const bodyStart = withHeaders ? message.bodyStart : message.bodyStart + message.headerLength;
  const size = message.bodyEnd - bodyStart;
  const replyLength = message.replyEnd - message.replyStart;
  const copiesSizes = withHeaders || message.headerLength === 0;
  const sizesLength = copiesSizes ? message.sizesEnd - message.sizesStart : decimalLength(size);
  outbound.reserve(16 + subjectBytes.length + subscription.sid.length + replyLength + sizesLength + size);
  const buffer = outbound.buffer;
  let at = putByteString(withHeaders ? "HMSG " : "MSG ", buffer, outbound.end);
  at = copyBytes(subjectBytes, 0, subjectBytes.length, buffer, at);
  buffer[at++] = BLANK;
  at = putByteString(subscription.sid, buffer, at);
  buffer[at++] = BLANK;
  if (replyLength > 0) {
    at = copyBytes(message.buffer, message.replyStart, message.replyEnd, buffer, at);
    buffer[at++] = BLANK;
  }
  at = copiesSizes ? putSizes(message, withHeaders, buffer, at) : putDecimal(size, buffer, at);
  buffer[at++] = CR;
  buffer[at++] = LF;
  at = copyBytes(message.buffer, bodyStart, message.bodyEnd, buffer, at);
  buffer[at++] = CR;
  buffer[at++] = LF;
  outbound.commit(at);
  return size;
}

/** The sizes as the publisher wrote them, with single blanks; of an HPUB with an empty header block only the total. */
function putSizes(message: Message, withHeaders: boolean, buffer: Buffer, at: number): number {
  const text = message.buffer.latin1Slice(message.sizesStart, message.sizesEnd).split(/[ \t]+/);
  return putByteString(withHeaders ? text.join(" ") : (text.at(-1) ?? ""), buffer, at);
}

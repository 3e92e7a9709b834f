/**
 * One message on its way through the server: a view into the buffer it was read into. A link has a single `Message` that it fills for every publish, so
 * nothing is allocated per message; whoever keeps bytes beyond the call copies them.
 */
import type { MessageTrace } from "./messagetrace.ts";

export class Message {
  /** Holds every range below. */
  buffer: Buffer = EMPTY;
  /** Subject as published. What is delivered is `SubjectEntry.subject`, which a mapping may have changed. */
  subjectStart = 0;
  subjectEnd = 0;
  /** Reply subject; equal bounds mean none. */
  replyStart = 0;
  replyEnd = 0;
  /** The size arguments as the client wrote them (`5`, or `12 17` with headers): they are forwarded unchanged. */
  sizesStart = 0;
  sizesEnd = 0;
  /** Header block, then payload: `[bodyStart, bodyEnd)`; the terminating CR LF follows. */
  bodyStart = 0;
  bodyEnd = 0;
  /** Bytes of the header block; 0 means none, whatever the verb was. */
  headerLength = 0;
  /**
   * Place right after the subject when the rest of the operation up to its last CR LF is already in the wire form of a delivery (single blanks, CR LF), so
   * that one copy does; -1 otherwise.
   */
  tailStart = -1;
  /** The subject that found its takers, where they see another one: a stored message on its way to an inbox. Else empty. */
  sentTo = "";
  /** The services between accounts that it has passed, in their order; none for a message as published. */
  passed: readonly object[] = NOTHING_PASSED;
  /** Follows the message; undefined for all but a few. Who sets it takes it away again. */
  trace: MessageTrace | undefined = undefined;

  /** Header and payload bytes. */
  get size(): number {
    return this.bodyEnd - this.bodyStart;
  }

  /** The payload, as a view: valid as long as the message. */
  payload(): Buffer {
    return this.buffer.subarray(this.bodyStart + this.headerLength, this.bodyEnd);
  }

  /** The reply subject as a byte string, empty when there is none. */
  reply(): string {
    return this.replyStart === this.replyEnd ? "" : this.buffer.latin1Slice(this.replyStart, this.replyEnd);
  }
}

const EMPTY = Buffer.alloc(0);
export const NOTHING_PASSED: readonly object[] = [];

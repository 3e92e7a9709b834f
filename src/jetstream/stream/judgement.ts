/**
 * A message that somebody wants stored, and what the examination of its headers made of it. Streams reuse one of each; batches keep one per staged message.
 */

/** Bits that the stores keep beside a message and find again without reading it (`NewMessage.marks`). */
export const enum Mark {
  /** Has a time to live of its own, or lives for ever. */
  Ttl = 1,
  /** Is a schedule. */
  Schedule = 2,
  /** Has a message id. */
  MsgId = 4,
  /** Another message of the same batch follows: at the end of a store this is half a batch. */
  MoreOfBatch = 8,
  /** Removed what was before it. */
  Rollup = 16,
}

export const enum Rollup {
  None,
  Subject,
  All,
}

/** A message that never expires. */
export const TTL_NEVER = -1;

/** Where the message is. Byte strings. */
export class PublishInput {
  subject = "";
  buffer: Buffer = EMPTY;
  headerStart = 0;
  bodyStart = 0;
  end = 0;

  set(subject: string, buffer: Buffer, headerStart: number, bodyStart: number, end: number): void {
    this.subject = subject;
    this.buffer = buffer;
    this.headerStart = headerStart;
    this.bodyStart = bodyStart;
    this.end = end;
  }

  get headerLength(): number {
    return this.bodyStart - this.headerStart;
  }

  get payloadLength(): number {
    return this.end - this.bodyStart;
  }

  headerBlock(): string {
    return this.buffer.latin1Slice(this.headerStart, this.bodyStart);
  }
}

const EMPTY = Buffer.alloc(0);

/** How a message is to be stored. */
export class Judgement {
  /** Not 0: the message is stored already, under this sequence. */
  duplicateOf = 0;
  rollup = Rollup.None;
  /** Seconds; 0: none of its own; or `TTL_NEVER`. */
  ttl = 0;
  msgId = "";
  /** The header block to be stored instead of the one that came. */
  header: string | undefined = undefined;
  /** The payload to be stored instead of the one that came. */
  body: string | undefined = undefined;
  /** A counter's new value. */
  value: string | undefined = undefined;
  isSchedule = false;
  /** Subject of a schedule that ends with this message. */
  endsSchedule = "";

  clear(): void {
    this.duplicateOf = 0;
    this.rollup = Rollup.None;
    this.ttl = 0;
    this.msgId = "";
    this.header = undefined;
    this.body = undefined;
    this.value = undefined;
    this.isSchedule = false;
    this.endsSchedule = "";
  }

  get marks(): number {
    return (
      (this.ttl === 0 ? 0 : Mark.Ttl) | (this.isSchedule ? Mark.Schedule : 0) | (this.msgId === "" ? 0 : Mark.MsgId) | (this.rollup === Rollup.None ? 0 : Mark.Rollup)
    );
  }
}

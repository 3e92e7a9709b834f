/**
 * Answers to publishers that wait for the messages before them to be committed. They leave in the order of the publishes, in one loop per commit.
 * Spec: streams, section 5.1.
 */
import type { InternalLink } from "../../links/internal/index.ts";
import { encodeJson } from "../../protocol/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { type ApiErrorBody, errorBody } from "../api/errors.ts";

/** An answer with a header block. */
interface HeaderedAnswer {
  readonly header: string;
  readonly text: string;
}

/** Arrays start over once this much of them was sent. */
const COMPACT_AT = 1024;
const TOO_MANY_HEADER = "NATS/1.0 429 Too Many Requests\r\n\r\n";

export class PublishAcks {
  /** `{"stream":"S","seq":` as a byte string: the sequence and a brace follow. */
  readonly #prefix: string;
  readonly #stream: string;
  // Parallel arrays, so that a plain acknowledgement costs no object.
  readonly #replies: string[] = [];
  /** Sent once everything up to this sequence is committed. */
  readonly #after: number[] = [];
  /** Undefined: the plain acknowledgement of that sequence. */
  readonly #answers: (string | HeaderedAnswer | undefined)[] = [];
  #head = 0;

  constructor(
    private readonly link: InternalLink,
    stream: string,
    domain: string,
  ) {
    this.#stream = stream;
    this.#prefix = toByteString(encodeJson({ stream, ...(domain === "" ? {} : { domain }) }).slice(0, -1)) + ',"seq":';
  }

  get waiting(): boolean {
    return this.#head < this.#replies.length;
  }

  /** Acknowledges a stored message. */
  stored(reply: string, seq: number): void {
    this.#push(reply, seq, undefined);
  }

  /** Acknowledges a stored message with further fields: JSON that starts with a comma. */
  storedWith(reply: string, seq: number, fields: string): void {
    this.#push(reply, seq, `${this.#prefix}${seq}${fields}}`);
  }

  /** The message is here already, under that sequence. */
  duplicate(reply: string, after: number, seq: number): void {
    this.#push(reply, after, `${this.#prefix}${seq},"duplicate": true}`);
  }

  refused(reply: string, after: number, error: ApiErrorBody): void {
    this.#push(reply, after, this.refusal(error));
  }

  /** More came in than could be committed. */
  overrun(reply: string, after: number): void {
    this.#push(reply, after, { header: TOO_MANY_HEADER, text: this.refusal(errorBody(10167)) });
  }

  /** Any other text; empty for an empty message. */
  text(reply: string, after: number, text: string): void {
    this.#push(reply, after, text);
  }

  /** The answer that refuses a publish. It names no domain. */
  refusal(error: ApiErrorBody): string {
    return toByteString(encodeJson({ error, stream: this.#stream, seq: 0 }));
  }

  /** The acknowledgement of a batch. */
  batchText(seq: number, batch: string, count: number): string {
    return `${this.#prefix}${seq},"batch":${toByteString(encodeJson(batch))},"count":${count}}`;
  }

  /** Sends what waits for nothing beyond `committed`. */
  send(committed: number): void {
    const { link } = this;
    const prefix = this.#prefix;
    const replies = this.#replies;
    const after = this.#after;
    const answers = this.#answers;
    let head = this.#head;
    while (head < replies.length && after[head] <= committed) {
      const answer = answers[head];
      const reply = replies[head];
      const seq = after[head++];
      this.#head = head;
      if (answer === undefined) link.publish(reply, "", "", `${prefix}${seq}}`);
      else if (typeof answer === "string") link.publish(reply, "", "", answer);
      else link.publish(reply, "", answer.header, answer.text);
    }
    this.#forget();
  }

  /** Messages from `firstSeq` on are not stored after all: whoever waits for them hears why. Later publishes take their sequences anew. */
  takeBack(firstSeq: number, error: ApiErrorBody): void {
    const text = this.refusal(error);
    for (let i = this.#head; i < this.#replies.length; i++) {
      if (this.#after[i] < firstSeq) continue;
      // A refusal, or a duplicate of something older, stays what it is.
      if (this.#answers[i] === undefined || isAcknowledgement(this.#answers[i])) this.#answers[i] = text;
      this.#after[i] = firstSeq - 1;
    }
  }

  #push(reply: string, after: number, answer: string | HeaderedAnswer | undefined): void {
    this.#replies.push(reply);
    this.#after.push(after);
    this.#answers.push(answer);
  }

  #forget(): void {
    const sent = this.#head;
    if (sent === this.#replies.length) {
      this.#replies.length = 0;
      this.#after.length = 0;
      this.#answers.length = 0;
      this.#head = 0;
    } else if (sent >= COMPACT_AT) {
      this.#replies.splice(0, sent);
      this.#after.splice(0, sent);
      this.#answers.splice(0, sent);
      this.#head = 0;
    }
  }
}

/** Acknowledgements start with the stream's name, refusals with the error. */
function isAcknowledgement(answer: string | HeaderedAnswer | undefined): boolean {
  return typeof answer === "string" && answer.startsWith('{"stream":');
}

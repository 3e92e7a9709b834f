/**
 * Copies of stored messages on another subject, sent when the message is committed. The bytes are read back from the store then: nothing is kept
 * per message but two numbers. Spec: streams, section 5.5.
 */
import { SubjectTransform, hasNoEmptyToken } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { timestampOf } from "../../util/timestamp.ts";
import { StoredMessage } from "../store/index.ts";
import type { Stream } from "./stream.ts";

const view = new StoredMessage();

export class Republisher {
  readonly #stream: Stream;
  #transform: SubjectTransform | undefined = undefined;
  #headersOnly = false;
  readonly #sequences: number[] = [];
  /** Sequence that the subject had before. */
  readonly #previous: number[] = [];

  constructor(stream: Stream) {
    this.#stream = stream;
    this.configure();
  }

  get isOn(): boolean {
    return this.#transform !== undefined;
  }

  configure(): void {
    const { republish } = this.#stream.config;
    this.#headersOnly = republish?.headers_only === true;
    this.#transform = republish === undefined || republish.dest === "" ? undefined : SubjectTransform.compile(toByteString(republish.src ?? ">"), toByteString(republish.dest));
  }

  /** A message was appended; `previous` is the sequence that its subject had before. */
  appended(seq: number, previous: number): void {
    this.#sequences.push(seq);
    this.#previous.push(previous);
  }

  takeBack(firstSeq: number): void {
    while (this.#sequences.length > 0 && this.#sequences[this.#sequences.length - 1] >= firstSeq) {
      this.#sequences.pop();
      this.#previous.pop();
    }
  }

  /** Sends what is committed by now. */
  committed(seq: number): void {
    let sent = 0;
    while (sent < this.#sequences.length && this.#sequences[sent] <= seq) {
      this.#send(this.#sequences[sent], this.#previous[sent]);
      sent++;
    }
    this.#sequences.splice(0, sent);
    this.#previous.splice(0, sent);
  }

  #send(seq: number, previous: number): void {
    const stream = this.#stream;
    const transform = this.#transform;
    if (transform === undefined || !stream.store.load(seq, view) || !transform.matches(view.subject)) return;
    const { link, context } = stream.account;
    const to = transform.apply(view.subject, (below) => context.random.integer(below));
    if (!hasNoEmptyToken(to) || !link.hasInterest(to)) return;
    const size = this.#headersOnly ? `Nats-Msg-Size: ${view.end - view.bodyStart}\r\n` : "";
    const added = `Nats-Stream: ${stream.nameBytes}\r\nNats-Subject: ${view.subject}\r\nNats-Sequence: ${seq}\r\nNats-Time-Stamp: ${timeOf(view)}\r\nNats-Last-Sequence: ${previous}\r\n${size}`;
    const entry = link.account.interest.findSubject(to);
    link.forward(entry, to, "", added, view.buffer, view.headerStart, view.bodyStart, this.#headersOnly ? view.bodyStart : view.end);
  }
}

/** RFC 3339. */
export function timeOf({ seconds, nanos }: { readonly seconds: number; readonly nanos: number }): string {
  return timestampOf(seconds, nanos);
}

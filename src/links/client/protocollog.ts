/** What the log says of one client connection: its label, its errors, and with trace on every operation. Spec: configuration, sections 7.4 and 7.5. */
import type { Message, Subscription } from "../../routing/index.ts";
import { fromByteString } from "../../util/bytes.ts";
import { goQuoteBytes } from "../../util/quote.ts";
import type { ClientLink } from "./client.ts";
import { connectionLabel } from "./label.ts";

export type Direction = "<<-" | "->>" | "<->";

export class ProtocolLog {
  #label = "";

  constructor(private readonly link: ClientLink) {}

  /** What the label is made of has changed. */
  forgetLabel(): void {
    this.#label = "";
  }

  label(): string {
    if (this.#label === "") this.#label = connectionLabel(this.link);
    return this.#label;
  }

  error(text: string): void {
    this.link.host.log.error(`${this.label()} - ${text}`);
  }

  warn(text: string): void {
    this.link.host.log.warn(`${this.label()} - ${text}`);
  }

  debug(text: string): void {
    if (this.link.host.log.debugOn) this.link.host.log.debug(`${this.label()} - ${text}`);
  }

  info(text: string): void {
    this.link.host.log.info(`${this.label()} - ${text}`);
  }

  /** `text` is a byte string. */
  trace(direction: Direction, text: string): void {
    this.link.host.log.trace(`${this.label()} - ${direction} [${fromByteString(text)}]`);
  }

  /** A line that we send; errors are shown without their quotes. */
  traceLine(line: string): void {
    this.trace("->>", line.startsWith("-ERR '") ? `-ERR ${line.slice(6, -3)}` : line.startsWith("+OK") ? "OK" : line.trimEnd());
  }

  tracePublish(message: Message): void {
    const verb = message.headerLength > 0 ? "HPUB" : "PUB";
    this.trace("<<-", `${verb} ${message.buffer.latin1Slice(message.subjectStart, message.sizesEnd)}`);
    this.#tracePayload("<<-", message);
  }

  traceDelivery(subscription: Subscription, message: Message, subject: string): void {
    const { takesHeaders } = this.link;
    const reply = message.reply();
    const sizes = takesHeaders ? message.buffer.latin1Slice(message.sizesStart, message.sizesEnd) : String(message.size - message.headerLength);
    this.trace("->>", `${message.headerLength > 0 && takesHeaders ? "HMSG" : "MSG"} ${subject} ${subscription.sid} ${reply === "" ? "" : `${reply} `}${sizes}`);
    this.#tracePayload("->>", message);
  }

  #tracePayload(direction: Direction, message: Message): void {
    const settings = this.link.host.settings;
    const end = settings.traceHeaders ? message.bodyStart + message.headerLength : message.bodyEnd;
    const length = end - message.bodyStart;
    if (length === 0) return;
    const cut = settings.maxTracedMsgLen > 0 && length > settings.maxTracedMsgLen;
    const bytes = message.buffer.latin1Slice(message.bodyStart, cut ? message.bodyStart + settings.maxTracedMsgLen : end);
    const shown = cut ? `"${fromByteString(bytes)}..."` : quoteBytes(bytes);
    this.link.host.log.trace(`${this.label()} - ${direction} MSG_PAYLOAD: [${shown}]`);
  }
}

/** A byte string as quoted text. */
export function quoteBytes(bytes: string): string {
  return goQuoteBytes(bytes);
}

/**
 * Reads what a server sends on one connection, fast: all messages of a connection have the same length, so finding
 * the next one is an addition, and only its first byte is looked at. Anything else that starts there is a control
 * line (PING, PONG, INFO, -ERR), which the server may put between any two messages.
 *
 * That is cheap and still strict. A byte too many or too few shifts every later message, whose first byte is then
 * wrong. On top of it, the first message of the connection and the last one (or part of one) of every chunk are
 * compared byte for byte with what must arrive, so the very last message of a run always is.
 *
 * A reader that needs the contents passes `onMessage`, which then gets every message whole.
 */
import { fail } from "./failure.ts";

const LF = 0x0a;

export interface StreamOptions {
  /** A message as it must arrive; its length and first byte hold for all. Without it only control lines may come. */
  readonly message?: Buffer;
  /** False when the messages differ in content and `onMessage` checks them. */
  readonly identical?: boolean;
  /** Gets each message at `at` in `bytes`, valid during the call only. */
  readonly onMessage?: (bytes: Uint8Array, at: number) => void;
  /** Gets each control line without its CRLF. */
  readonly onControl: (line: string) => void;
}

export class MessageStream {
  /** Whole messages seen so far. */
  messages = 0;
  readonly #options: StreamOptions;
  readonly #message: Buffer;
  readonly #compared: boolean;
  /** A message that the end of a chunk cut: how much of it is here, and (for `onMessage`) the bytes themselves. */
  #partial = 0;
  readonly #carry: Buffer;
  #line: string | null = null;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#message = options.message ?? Buffer.alloc(0);
    this.#compared = options.identical ?? true;
    this.#carry = Buffer.alloc(options.onMessage === undefined ? 0 : this.#message.length);
  }

  /** Takes the bytes of `chunk` from `at` up to `end`. */
  feed(chunk: Buffer, at: number, end: number): void {
    while (at < end) {
      if (this.#line !== null) at = this.#readLine(chunk, at, end);
      else if (this.#partial > 0) at = this.#finishPartial(chunk, at, end);
      else if (this.#message.length > 0 && chunk[at] === this.#message[0]) at = this.#readMessages(chunk, at, end);
      else this.#line = "";
    }
  }

  #readMessages(chunk: Buffer, at: number, end: number): number {
    const size = this.#message.length;
    const first = this.#message[0];
    const onMessage = this.#options.onMessage;
    const start = at;
    if (onMessage === undefined) {
      while (at + size <= end && chunk[at] === first) at += size;
    } else {
      for (; at + size <= end && chunk[at] === first; at += size) onMessage(chunk, at);
    }
    if (at > start) {
      if (this.messages === 0) this.#expect(chunk, start, start + size, 0);
      this.#expect(chunk, at - size, at, 0);
      this.messages += (at - start) / size;
    }
    if (at >= end || chunk[at] !== first || at + size <= end) return at;
    this.#partial = end - at;
    this.#expect(chunk, at, end, 0);
    if (onMessage !== undefined) chunk.copy(this.#carry, 0, at, end);
    return end;
  }

  #finishPartial(chunk: Buffer, at: number, end: number): number {
    const taken = Math.min(this.#message.length - this.#partial, end - at);
    this.#expect(chunk, at, at + taken, this.#partial);
    if (this.#options.onMessage !== undefined) chunk.copy(this.#carry, this.#partial, at, at + taken);
    this.#partial += taken;
    if (this.#partial === this.#message.length) {
      this.#partial = 0;
      this.messages++;
      this.#options.onMessage?.(this.#carry, 0);
    }
    return at + taken;
  }

  #expect(chunk: Buffer, from: number, to: number, offset: number): void {
    if (!this.#compared) return;
    if (chunk.compare(this.#message, offset, offset + to - from, from, to) === 0) return;
    const shown = chunk.toString("latin1", from, Math.min(to, from + 80));
    fail(`message ${this.messages} is not what was published: ${JSON.stringify(shown)}`);
  }

  #readLine(chunk: Buffer, at: number, end: number): number {
    const newline = chunk.indexOf(LF, at);
    const stop = newline === -1 || newline >= end ? end : newline + 1;
    const line: string = (this.#line ?? "") + chunk.toString("latin1", at, stop);
    this.#line = line;
    if (line.endsWith("\n")) {
      this.#line = null;
      this.#options.onControl(line.trimEnd());
    }
    return stop;
  }
}

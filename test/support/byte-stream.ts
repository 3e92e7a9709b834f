/**
 * Bytes that arrive over time, read by line or by count. It knows nothing of sockets: whoever has bytes pushes them,
 * whoever expects some awaits them with a deadline. An end of the stream wakes every reader.
 */

import { DeadlineError, deadlineIn } from './deadline.ts';

/** What a read throws when the stream ends before it has what it needs. */
export class EndOfStream extends Error {
  override readonly name = 'EndOfStream';
}

/** Bytes as readable text: printable ASCII as it is, the rest escaped. At most `limit` bytes are shown. */
export function readable(bytes: Uint8Array, limit = 400): string {
  let text = '';
  for (const byte of bytes.subarray(0, limit)) {
    if (byte === 13) text += '\\r';
    else if (byte === 10) text += '\\n';
    else if (byte === 92) text += '\\\\';
    else if (byte >= 32 && byte < 127) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return bytes.length > limit ? `${text}… (${bytes.length} bytes)` : text;
}

export class ByteStream {
  #held: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;

  /** Adds bytes that arrived. */
  push(bytes: Uint8Array): void {
    this.#held = this.#held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes]);
    this.#wake?.();
  }

  /** Marks the end: nothing more will arrive. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What arrived and was not read yet. */
  get pending(): Buffer {
    return this.#held;
  }

  /** The next line without its CRLF, one character per byte (latin1), so that any bytes survive. */
  async readLine(milliseconds: number): Promise<string> {
    let searched = 0;
    return this.#until(milliseconds, 'a line', () => {
      const end = this.#held.indexOf('\r\n', Math.max(0, searched - 1), 'latin1');
      searched = this.#held.length;
      if (end < 0) return undefined;
      const line = this.#held.toString('latin1', 0, end);
      this.#held = this.#held.subarray(end + 2);
      return line;
    });
  }

  /** The next `count` bytes. */
  async readBytes(count: number, milliseconds: number): Promise<Buffer> {
    return this.#until(milliseconds, `${count} bytes`, () => {
      if (this.#held.length < count) return undefined;
      const bytes = this.#held.subarray(0, count);
      this.#held = this.#held.subarray(count);
      return bytes;
    });
  }

  /** Waits for the end; rejects when bytes are left that nobody read. */
  async readEnd(milliseconds: number): Promise<void> {
    await this.#until(milliseconds, 'the end of the connection', () => {
      if (this.#held.length > 0) throw new Error(`expected the end of the connection, got: ${readable(this.#held)}`);
      return this.#ended ? true : undefined;
    });
  }

  async #until<T>(milliseconds: number, what: string, attempt: () => T | undefined): Promise<T> {
    const end = deadlineIn(milliseconds);
    for (;;) {
      const result = attempt();
      if (result !== undefined) return result;
      if (this.#ended) throw new EndOfStream(`expected ${what}, but the connection ended; unread: "${readable(this.#held)}"`);
      const left = end - performance.now();
      if (left <= 0) throw new DeadlineError(`expected ${what} within ${milliseconds} ms; unread: "${readable(this.#held)}"`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }
}

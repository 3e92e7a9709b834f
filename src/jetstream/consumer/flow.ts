/**
 * Flow control of a push consumer: how many bytes may be under way, and when the client is asked how far it is. The window doubles with every answer.
 * Spec: consumers, section 9.4.
 */

/** Most bytes under way, and those of a new consumer. */
const WINDOW_MAX = 32 * 1024 * 1024;
const WINDOW_START = WINDOW_MAX / 16;

export class FlowControl {
  #window = WINDOW_START;
  /** Bytes sent and not answered for. */
  #outstanding = 0;
  /** What the question under way covers. */
  #covered = 0;
  /** Subject of the question under way; empty when there is none. Byte string. */
  question = "";

  /** Whether nothing more may be sent until the client answers. */
  get isStalled(): boolean {
    return this.#outstanding > this.#window;
  }

  /** Counts what was sent; whether the client has to be asked now. */
  sent(bytes: number): boolean {
    this.#outstanding += bytes;
    if (this.question === "") return this.#outstanding > this.#window / 2;
    if (this.#outstanding - this.#covered >= this.#window) this.#covered += bytes;
    return false;
  }

  /** The client was asked on this subject. */
  asked(subject: string): void {
    this.question = subject;
    this.#covered = this.#outstanding;
  }

  /** Whether `subject` answers the question under way. */
  answered(subject: string): boolean {
    if (this.question === "" || this.question !== subject) return false;
    this.question = "";
    this.#window = Math.min(this.#window * 2, WINDOW_MAX);
    this.#outstanding = Math.max(0, this.#outstanding - this.#covered);
    this.#covered = 0;
    return true;
  }

  reset(): void {
    this.#window = WINDOW_START;
    this.#outstanding = this.#covered = 0;
    this.question = "";
  }
}

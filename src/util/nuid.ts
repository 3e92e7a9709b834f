/** Unique ids in the form NATS uses: 22 characters, of which the first 12 are random per process and the rest a random start with random steps. */

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX_LENGTH = 12;
const SEQUENCE_LENGTH = 10;
/** 62^9: leaves room for many steps before the sequence has eleven digits. */
const SEQUENCE_START_BELOW = 62 ** 8;
const STEP_MIN = 33;
const STEP_RANGE = 300;

/** `count` random digits of base 62. `integer(below)` draws uniformly from 0 to below - 1. */
export function randomDigits(count: number, integer: (below: number) => number): string {
  return Array.from({ length: count }, () => DIGITS[integer(62)]).join("");
}

export class Nuid {
  readonly #prefix: string;
  #sequence: number;
  readonly #step: number;

  /** `integer(below)` draws uniformly from 0 to below - 1. */
  constructor(integer: (below: number) => number) {
    this.#prefix = randomDigits(PREFIX_LENGTH, integer);
    this.#sequence = integer(2 ** 31) * integer(2 ** 16) % SEQUENCE_START_BELOW;
    this.#step = STEP_MIN + integer(STEP_RANGE);
  }

  next(): string {
    this.#sequence += this.#step;
    let rest = this.#sequence;
    let text = "";
    for (let i = 0; i < SEQUENCE_LENGTH; i++) {
      text = DIGITS[rest % 62] + text;
      rest = Math.floor(rest / 62);
    }
    return this.#prefix + text;
  }
}

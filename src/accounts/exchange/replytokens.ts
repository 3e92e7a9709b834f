/**
 * Reply subjects of an account: `_R_.<6>.<6>` in base 62, the first six its own. Of the last six the first three are the place of the request in the table of those
 * that wait, so that finding it takes no hashing, and the others tell it from those that had the place before.
 */
import type { Random } from "../../platform/index.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** How many places there are. */
export const PLACES_MAX = 62 ** 3;
/** One less, so that when all places are used in turn each gets another number the next time. */
const NUMBERS = PLACES_MAX - 1;
const PAIRS_MAX = 62 ** 2;

/** All strings of two digits. Made when first needed: most servers exchange nothing. */
let pairs: readonly string[] | undefined = undefined;

function allPairs(): readonly string[] {
  return (pairs ??= Array.from({ length: PAIRS_MAX }, (_, i) => DIGITS[Math.floor(i / 62)] + DIGITS[i % 62]));
}

export class ReplyTokens {
  /** What all of them begin with. */
  readonly prefix: string;
  readonly #pairs = allPairs();
  #last: number;

  constructor(random: Random) {
    this.#last = random.integer(NUMBERS);
    this.prefix = `_R_.${this.#triple(random.integer(PLACES_MAX))}${this.#triple(random.integer(PLACES_MAX))}.`;
  }

  /** A subject that names `place`, and that did not do so the last two hundred thousand times. */
  of(place: number): string {
    this.#last = this.#last + 1 === NUMBERS ? 0 : this.#last + 1;
    return this.prefix + this.#triple(place) + this.#triple(this.#last);
  }

  /** The place that a subject names; -1 when it is none of these. */
  placeOf(subject: string): number {
    const at = this.prefix.length;
    if (subject.length < at + 6) return -1;
    const first = digitAt(subject, at);
    const second = digitAt(subject, at + 1);
    const third = digitAt(subject, at + 2);
    return first < 0 || second < 0 || third < 0 ? -1 : (first * 62 + second) * 62 + third;
  }

  #triple(number: number): string {
    const rest = number % PAIRS_MAX;
    return DIGITS[(number - rest) / PAIRS_MAX] + this.#pairs[rest];
  }
}

function digitAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 97) return code <= 122 ? code - 61 : -1;
  if (code >= 65) return code <= 90 ? code - 55 : -1;
  return code >= 48 && code <= 57 ? code - 48 : -1;
}

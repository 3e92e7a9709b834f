/**
 * Reply subjects of an account: `_R_.<6>.<6>` in base 62, the first six its own, the last six of one request. Whoever knows the subject can answer, so the last six
 * come from the system's randomness: who has seen other requests cannot tell them. They are drawn many at a time, since each draw is a call into the system.
 */
import type { Random } from "../../platform/index.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PAIRS_MAX = 62 ** 2;
const TRIPLES_MAX = 62 ** 3;
const DRAWN_BYTES = 4096;

/** All strings of two digits. Made when first needed: most servers exchange nothing. */
let pairs: readonly string[] | undefined = undefined;

function allPairs(): readonly string[] {
  return (pairs ??= Array.from({ length: PAIRS_MAX }, (_, i) => DIGITS[Math.floor(i / 62)] + DIGITS[i % 62]));
}

export class ReplyTokens {
  /** What all of them begin with. */
  readonly prefix: string;
  readonly #pairs = allPairs();
  #drawn = new Uint32Array(0);
  #used = 0;

  constructor(private readonly random: Random) {
    this.prefix = `_R_.${this.#triple(this.draw())}${this.#triple(this.draw())}.`;
  }

  /** A subject that begins its last six characters with the number `first`, drawn before; the others are drawn now. */
  of(first: number): string {
    return this.prefix + this.#triple(first) + this.#triple(this.draw());
  }

  /** The number of the first three of the last six characters; -1 when the subject is none of these. */
  firstOf(subject: string): number {
    const at = this.prefix.length;
    if (subject.length < at + 6) return -1;
    const a = digitAt(subject, at);
    const b = digitAt(subject, at + 1);
    const c = digitAt(subject, at + 2);
    return a < 0 || b < 0 || c < 0 ? -1 : (a * 62 + b) * 62 + c;
  }

  /** A number below 62^3 that nobody can guess. */
  draw(): number {
    if (this.#used === this.#drawn.length) {
      this.#drawn = new Uint32Array(Uint8Array.from(this.random.bytes(DRAWN_BYTES)).buffer);
      this.#used = 0;
    }
    return this.#drawn[this.#used++] % TRIPLES_MAX;
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

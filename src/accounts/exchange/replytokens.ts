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
    this.prefix = `_R_.${this.#triple()}${this.#triple()}.`;
  }

  /** A subject that nobody can guess. */
  next(): string {
    return this.prefix + this.#triple() + this.#triple();
  }

  #triple(): string {
    if (this.#used === this.#drawn.length) {
      this.#drawn = new Uint32Array(Uint8Array.from(this.random.bytes(DRAWN_BYTES)).buffer);
      this.#used = 0;
    }
    const number = this.#drawn[this.#used++] % TRIPLES_MAX;
    const rest = number % PAIRS_MAX;
    return DIGITS[(number - rest) / PAIRS_MAX] + this.#pairs[rest];
  }
}

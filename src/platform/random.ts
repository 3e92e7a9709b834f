/**
 * Randomness. The only door to it: a seeded implementation makes a whole run repeatable.
 */
export interface Random {
  /** Uniform integer in [0, below), `below` at most 2^32. Not for secrets. */
  integer(below: number): number;
  /** Uniform fraction in [0, 1). Not for secrets. */
  fraction(): number;
  /** Cryptographically strong bytes (nonces, keys). */
  bytes(length: number): Uint8Array;
}

/** The machine's randomness: the runtime's fast generator for choices, the system's for secrets. */
import type { Random } from "../random.ts";

export class SystemRandom implements Random {
  integer(below: number): number {
    return Math.floor(Math.random() * below);
  }

  fraction(): number {
    return Math.random();
  }

  bytes(length: number): Uint8Array {
    return crypto.getRandomValues(new Uint8Array(length));
  }
}

/** Secrets: plain ones are compared in constant time, bcrypt hashes off the event loop. Spec: accounts and authentication, section 2.1. */
import type { PasswordHash } from "../platform/index.ts";
import { sha256 } from "../util/hash.ts";

const BCRYPT = /^\$2[abxy]\$\d{2}\$.*/;

export function isBcrypt(configured: string): boolean {
  return BCRYPT.test(configured);
}

/** Whether `presented` is the secret that `configured` (plain text or a bcrypt hash) stands for. */
export function secretMatches(configured: string, presented: string, hasher: PasswordHash): boolean | Promise<boolean> {
  if (isBcrypt(configured)) return hasher.verifyBcrypt(Buffer.from(presented, "utf8"), configured);
  // Digests have one length, so that not even the length of the secret shows in the time taken.
  return equalInConstantTime(sha256(configured), sha256(presented));
}

/** Takes the same time wherever two arrays of one length differ: every byte of both is read. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}

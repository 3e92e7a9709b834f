/** Secrets: plain ones are compared in constant time, bcrypt hashes off the event loop. Spec: accounts and authentication, section 2.1. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { PasswordHash } from "../platform/index.ts";

const BCRYPT = /^\$2[abxy]\$\d{2}\$.*/;

export function isBcrypt(configured: string): boolean {
  return BCRYPT.test(configured);
}

/** Whether `presented` is the secret that `configured` (plain text or a bcrypt hash) stands for. */
export function secretMatches(configured: string, presented: string, hasher: PasswordHash): boolean | Promise<boolean> {
  if (isBcrypt(configured)) return hasher.verifyBcrypt(Buffer.from(presented, "utf8"), configured);
  // Digests have one length, so that not even the length of the secret shows in the time taken.
  return timingSafeEqual(digest(configured), digest(presented));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}

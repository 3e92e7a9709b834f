/** Short names made from long ones, as NATS makes them: eight characters of a hash. */
import { sha256 } from "./hash.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The first eight bytes of the SHA-256 of `text`, each as one of 62 digits: how a server is named among peers, an account in an ack subject. */
export function shortHash(text: string): string {
  return [...sha256(Buffer.from(text)).subarray(0, 8)].map((byte) => DIGITS[byte % 62]).join("");
}

/**
 * bcrypt on the runtime's thread pool, made to agree with every other bcrypt. The runtime differs in three inputs, all of which have an equal that it
 * treats right:
 * - a secret over 72 bytes is hashed with SHA-512 first: bcrypt reads 72 bytes, so the rest is cut off here;
 * - an empty secret never matches: bcrypt's key is the secret with a NUL after it, repeated, so a single NUL is the same key;
 * - the revision letters `a`, `b`, `x`, `y` name one algorithm in the servers whose hashes these are.
 */
const secretBytesMax = 72;
const shape = /^\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}$/;
const oneNul = new Uint8Array(1);

/** Whether `hash` is the bcrypt hash of `secret`; see `PasswordHash` of the platform. */
export async function verifyBcrypt(secret: Uint8Array, hash: string): Promise<boolean> {
  if (!shape.test(hash)) return false;
  const key = secret.length === 0 ? oneNul : secret.subarray(0, secretBytesMax);
  try {
    return await Bun.password.verify(key, `$2b$${hash.slice(4)}`, "bcrypt");
  } catch {
    // a cost out of range or a salt that is not the coding's: no secret has this hash
    return false;
  }
}

/**
 * Boxes between curve keys, as auth callout seals its requests and answers: `xkv1`, 24 bytes of nonce, a NaCl box (X25519, XSalsa20-Poly1305).
 * Spec: accounts and authentication, section 9.5.
 */
import nacl from "tweetnacl";
import { decodePublicKey, decodeSeed } from "./nkeys.ts";

const VERSION = Buffer.from("xkv1", "latin1");
const HEAD_BYTES = VERSION.length + nacl.box.nonceLength;

/** Seals `bytes` for the holder of `recipient`, a public curve key, in the name of the key of `seed`. `nonce` is 24 bytes, never used twice. Throws when a key is none. */
export function seal(bytes: Uint8Array, nonce: Uint8Array, seed: string, recipient: string): Buffer {
  return Buffer.concat([VERSION, nonce, nacl.box.after(bytes, nonce, sharedKey(seed, recipient))]);
}

/** What `sender` sealed for the key of `seed`; undefined when it is not that: damaged, by another key, for another key. Throws when a key is none. */
export function open(sealed: Uint8Array, seed: string, sender: string): Buffer | undefined {
  if (sealed.length <= HEAD_BYTES || VERSION.compare(sealed, 0, VERSION.length) !== 0) return undefined;
  const bytes = nacl.box.open.after(sealed.subarray(HEAD_BYTES), sealed.subarray(VERSION.length, HEAD_BYTES), sharedKey(seed, sender));
  return bytes === null ? undefined : Buffer.from(bytes);
}

/** What two curve keys share, remembered: working it out costs more than all the rest of a box, and a server has few peers. */
const shared = new Map<string, Uint8Array>();
const SHARED_MAX = 256;

function sharedKey(seed: string, peer: string): Uint8Array {
  const pair = seed + peer;
  let key = shared.get(pair);
  if (key === undefined) {
    key = nacl.box.before(publicBytes(peer), secretBytes(seed));
    if (shared.size >= SHARED_MAX) shared.clear();
    shared.set(pair, key);
  }
  return key;
}

function publicBytes(key: string): Uint8Array {
  const decoded = decodePublicKey(key);
  if (decoded?.kind !== "curve") throw new Error("not a public curve key");
  return decoded.key;
}

function secretBytes(seed: string): Uint8Array {
  const decoded = decodeSeed(seed);
  if (decoded?.kind !== "curve") throw new Error("not the seed of a curve key");
  return decoded.seed;
}

/** Who this server is: keys made anew at each start, and its name. */
import { encodePublicKey } from "../util/nkeys.ts";

/** Keys of a server process. */
export interface ServerKeys {
  /** Ed25519, 32 bytes. */
  readonly signing: Uint8Array;
  /** X25519, 32 bytes. */
  readonly curve: Uint8Array;
  /** Secret parts of both, 32 bytes each. */
  readonly signingSecret: Uint8Array;
  readonly curveSecret: Uint8Array;
}

export interface ServerIdentity {
  /** Public server nkey. */
  readonly id: string;
  /** Public curve key. */
  readonly xkey: string;
  readonly name: string;
}

/** `name` is the configured one, or empty: then the id is the name. */
export function makeIdentity(keys: ServerKeys, name: string): ServerIdentity {
  const id = encodePublicKey("server", keys.signing);
  return { id, xkey: encodePublicKey("curve", keys.curve), name: name === "" ? id : name };
}

/** Fresh keys. By Web Cryptography, which costs a start less time and memory than `node:crypto`. */
export async function makeServerKeys(): Promise<ServerKeys> {
  const [signing, curve] = await Promise.all([
    crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]),
    crypto.subtle.generateKey("X25519", true, ["deriveBits"]),
  ]);
  return { signing: await rawPublicKey(signing), curve: await rawPublicKey(curve), signingSecret: await rawSecret(signing), curveSecret: await rawSecret(curve) };
}

/** The last 32 bytes of the PKCS #8 form are the key itself (RFC 8410). */
async function rawSecret(pair: CryptoKeyPair | CryptoKey): Promise<Uint8Array> {
  if (!("privateKey" in pair)) throw new Error("an asymmetric algorithm makes a pair of keys");
  return new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)).slice(-32);
}

async function rawPublicKey(pair: CryptoKeyPair | CryptoKey): Promise<Uint8Array> {
  if (!("publicKey" in pair)) throw new Error("an asymmetric algorithm makes a pair of keys");
  return new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
}

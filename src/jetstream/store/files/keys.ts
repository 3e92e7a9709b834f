/**
 * Encryption at rest: the keys of one asset. A key is HMAC-SHA256(server key, account + context), so that nothing about keys is stored; what was sealed with
 * the previous server key or with the other cipher is recognised by trying, and whoever read it writes it anew.
 *
 * A sealed piece is nonce (12 bytes), ciphertext, tag (16 bytes). Nonces are random.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import type { Random } from "../../../platform/index.ts";
import { nodeCrypto } from "../../../util/builtin.ts";
import type { JetStreamSettings } from "../../context.ts";

export type CipherName = "chacha" | "aes";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

export interface SealKey {
  readonly cipher: CipherName;
  readonly key: Uint8Array;
}

export interface Keyring {
  /** Seals what is written; undefined when nothing is encrypted. */
  readonly current: SealKey | undefined;
  /** What may open: `current` first, then the other cipher, then both with the previous key. */
  readonly all: readonly SealKey[];
}

/** Keys of an asset; `context` is the stream's name. */
export function keyring(encryption: JetStreamSettings["encryption"], account: string, context: string): Keyring {
  if (encryption === undefined) return { current: undefined, all: [] };
  const other: CipherName = encryption.cipher === "aes" ? "chacha" : "aes";
  const derive = (key: string): Uint8Array => derived(Buffer.from(key), `${account}${context}`);
  const all: SealKey[] = [];
  for (const key of [encryption.key, encryption.previousKey]) {
    if (key === "") continue;
    for (const cipher of [encryption.cipher, other]) all.push({ cipher, key: derive(key) });
  }
  return { current: all[0], all };
}

/** A key of 32 bytes made from another and a text or salt. */
export function derived(key: Uint8Array, context: string | Uint8Array): Uint8Array {
  return nodeCrypto().createHmac("sha256", key).update(context).digest();
}

export function seal({ cipher, key }: SealKey, plain: Uint8Array, random: Random): Buffer {
  const nonce = random.bytes(NONCE_BYTES);
  if (cipher === "chacha") return Buffer.concat([nonce, chacha20poly1305(key, nonce).encrypt(plain)]);
  const aes = nodeCrypto().createCipheriv("aes-256-gcm", key, nonce);
  return Buffer.concat([nonce, aes.update(plain), aes.final(), aes.getAuthTag()]);
}

/** Undefined when it was not sealed with this key, or was changed. */
export function open({ cipher, key }: SealKey, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < SEAL_BYTES) return undefined;
  const nonce = sealed.subarray(0, NONCE_BYTES);
  try {
    if (cipher === "chacha") {
      const plain = chacha20poly1305(key, nonce).decrypt(sealed.subarray(NONCE_BYTES));
      return Buffer.from(plain.buffer, plain.byteOffset, plain.length);
    }
    const tagAt = sealed.length - TAG_BYTES;
    const aes = nodeCrypto().createDecipheriv("aes-256-gcm", key, nonce);
    aes.setAuthTag(sealed.subarray(tagAt));
    return Buffer.concat([aes.update(sealed.subarray(NONCE_BYTES, tagAt)), aes.final()]);
  } catch {
    return undefined;
  }
}

/** Opens with whichever key fits. */
export function openWithAny(keys: readonly SealKey[], sealed: Uint8Array): { readonly key: SealKey; readonly plain: Buffer } | undefined {
  for (const key of keys) {
    const plain = open(key, sealed);
    if (plain !== undefined) return { key, plain };
  }
  return undefined;
}

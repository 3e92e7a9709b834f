/**
 * Nkeys: Ed25519 and X25519 keys as text with a type letter and a checksum: public keys, seeds, signatures. Spec: accounts and authentication, section 2.3.
 * Cryptography is the platform's (`node:crypto`); this file is the encoding, and the only one.
 */
import type { KeyObject } from "node:crypto";
import { nodeCrypto } from "./builtin.ts";

export type NkeyKind = "operator" | "account" | "user" | "server" | "cluster" | "curve";

const PREFIX: Readonly<Record<NkeyKind, number>> = { operator: 14 << 3, account: 0, user: 20 << 3, server: 13 << 3, cluster: 2 << 3, curve: 23 << 3 };
const SEED_PREFIX = 18 << 3;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The public key text: base32 of prefix, 32 key bytes and CRC-16. */
export function encodePublicKey(kind: NkeyKind, key: Uint8Array): string {
  const raw = Buffer.alloc(3 + key.length);
  raw[0] = PREFIX[kind];
  raw.set(key, 1);
  raw.writeUInt16LE(crc16(raw.subarray(0, 1 + key.length)), 1 + key.length);
  return base32(raw);
}

/** Kind and key bytes of a public key text; undefined when it is not one. */
export function decodePublicKey(text: string): { readonly kind: NkeyKind; readonly key: Buffer } | undefined {
  const raw = fromBase32(text);
  if (raw === undefined || raw.length < 4) return undefined;
  const body = raw.subarray(0, raw.length - 2);
  if (crc16(body) !== raw.readUInt16LE(raw.length - 2)) return undefined;
  const kind = (Object.keys(PREFIX) as NkeyKind[]).find((name) => PREFIX[name] === raw[0]);
  return kind === undefined ? undefined : { kind, key: raw.subarray(1, raw.length - 2) };
}

/** Whether `text` is a public key, of `kind` when given. */
export function isPublicKey(text: string, kind?: NkeyKind): boolean {
  const decoded = decodePublicKey(text);
  return decoded !== undefined && (kind === undefined || decoded.kind === kind);
}

/** Whether `signature` (64 bytes) by the holder of `publicKey` covers `data`. */
export function verifySignature(publicKey: string, data: Uint8Array, signature: Uint8Array): boolean {
  const decoded = decodePublicKey(publicKey);
  if (decoded === undefined || decoded.key.length !== 32 || signature.length !== 64) return false;
  return nodeCrypto().verify(null, data, ed25519Key(decoded.key), signature);
}

/** The seed text (58 characters) of 32 secret bytes. */
export function encodeSeed(kind: NkeyKind, seed: Uint8Array): string {
  const raw = Buffer.alloc(4 + seed.length);
  raw[0] = SEED_PREFIX | (PREFIX[kind] >> 5);
  raw[1] = (PREFIX[kind] & 31) << 3;
  raw.set(seed, 2);
  raw.writeUInt16LE(crc16(raw.subarray(0, 2 + seed.length)), 2 + seed.length);
  return base32(raw);
}

/** Kind and secret bytes of a seed text; undefined when it is not one. */
export function decodeSeed(text: string): { readonly kind: NkeyKind; readonly seed: Buffer } | undefined {
  const raw = fromBase32(text);
  if (raw === undefined || raw.length !== 36 || (raw[0] & 0xf8) !== SEED_PREFIX) return undefined;
  if (crc16(raw.subarray(0, 34)) !== raw.readUInt16LE(34)) return undefined;
  const prefix = ((raw[0] & 7) << 5) | ((raw[1] & 0xf8) >> 3);
  const kind = (Object.keys(PREFIX) as NkeyKind[]).find((name) => PREFIX[name] === prefix);
  return kind === undefined ? undefined : { kind, seed: raw.subarray(2, 34) };
}

/** A key pair: what its holder signs with, or for curve keys what boxes are opened with. */
export interface KeyPair {
  readonly kind: NkeyKind;
  readonly publicKey: string;
  readonly seed: Buffer;
  /** Ed25519 signature, 64 bytes. Throws for a curve key. */
  sign(data: Uint8Array): Buffer;
}

/** DER of a PKCS #8 private key up to its 32 bytes. */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const X25519_PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");

export function keyPairOf(kind: NkeyKind, seed: Uint8Array): KeyPair {
  const { createPrivateKey, createPublicKey, sign } = nodeCrypto();
  const isCurve = kind === "curve";
  const privateKey = createPrivateKey({ key: Buffer.concat([isCurve ? X25519_PKCS8 : ED25519_PKCS8, seed]), format: "der", type: "pkcs8" });
  const raw = createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(-32);
  return {
    kind,
    publicKey: encodePublicKey(kind, raw),
    seed: Buffer.from(seed),
    sign(data) {
      if (isCurve) throw new Error("a curve key cannot sign");
      return sign(null, data, privateKey);
    },
  };
}

/** The key pair of a seed text; undefined when it is not one. */
export function keyPairFromSeed(text: string): KeyPair | undefined {
  const decoded = decodeSeed(text);
  return decoded === undefined ? undefined : keyPairOf(decoded.kind, decoded.seed);
}

/** DER of an Ed25519 SubjectPublicKeyInfo up to the key bytes. */
const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");

function ed25519Key(key: Uint8Array): KeyObject {
  return nodeCrypto().createPublicKey({ key: Buffer.concat([ED25519_SPKI, key]), format: "der", type: "spki" });
}

/** CRC-16/XMODEM. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

/** RFC 4648 upper case without padding. */
export function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >> bits) & 31];
    }
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31] : text;
}

function fromBase32(text: string): Buffer | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const letter of text) {
    const digit = ALPHABET.indexOf(letter);
    if (digit === -1) return undefined;
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >> bits) & 255);
    }
  }
  return Buffer.from(bytes);
}

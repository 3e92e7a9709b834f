/**
 * Nkeys for tests: deterministic key pairs from a name, their text forms, and signatures. Written on `node:crypto`
 * alone, so that a test of the server's nkey code does not lean on that code.
 */

import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const PREFIX = { user: 20 << 3, account: 0, server: 13 << 3, operator: 14 << 3, cluster: 2 << 3 } as const;
const SEED_PREFIX = 18 << 3;
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The kinds of key that sign. */
export type NkeyKind = keyof typeof PREFIX;

/** A signing key pair with the text forms of its public key and seed. */
export interface Nkey {
  readonly publicKey: string;
  readonly seed: string;
  sign(data: string): Buffer;
}

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

function encode(bytes: Uint8Array): string {
  const crc = crc16(bytes);
  const whole = [...bytes, crc & 0xff, crc >> 8];
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of whole) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((held >> bits) & 31);
      held &= (1 << bits) - 1;
    }
  }
  return bits > 0 ? text + ALPHABET.charAt((held << (5 - bits)) & 31) : text;
}

function decode(text: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) throw new Error(`not base32: ${text}`);
    held = (held << 5) | value;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 0xff);
    held &= (1 << bits) - 1;
  }
  return Buffer.from(bytes);
}

function nkeyFromRaw(kind: NkeyKind, raw: Buffer): Nkey {
  const prefix = PREFIX[kind];
  const privateKey: KeyObject = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, raw]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicKey: encode(Buffer.concat([Buffer.from([prefix]), spki.subarray(-32)])),
    seed: encode(Buffer.concat([Buffer.from([SEED_PREFIX | (prefix >> 5), (prefix & 31) << 3]), raw])),
    sign: (data) => sign(null, Buffer.from(data), privateKey),
  };
}

/** The key pair that belongs to a name: the same in every run. */
export function nkeyNamed(kind: NkeyKind, name: string): Nkey {
  return nkeyFromRaw(kind, createHash('sha256').update(`test ${kind} ${name}`).digest());
}

/** The key pair of a seed text (`S...`). Throws when it is not one. */
export function nkeyFromSeed(seed: string): Nkey {
  const bytes = decode(seed);
  const [first = 0, second = 0] = bytes;
  const prefix = ((first & 7) << 5) | (second >> 3);
  const kind = (Object.keys(PREFIX) as NkeyKind[]).find((candidate) => PREFIX[candidate] === prefix);
  if ((first & 0xf8) !== SEED_PREFIX || kind === undefined || bytes.length !== 36) throw new Error(`not a seed: ${seed}`);
  return nkeyFromRaw(kind, bytes.subarray(2, 34));
}

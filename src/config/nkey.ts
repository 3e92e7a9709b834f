/**
 * Whether a text is a public nkey of some kind: base32 without padding of one prefix byte, the key and a CRC-16 (XMODEM, little endian). Only the form
 * is checked here; using keys is `auth/`'s.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Prefix bytes of public keys, named by the entity. */
const PREFIXES = { operator: 14 << 3, account: 0, user: 20 << 3, server: 13 << 3, cluster: 2 << 3, curve: 23 << 3 } as const;

export type NkeyKind = keyof typeof PREFIXES;

export function isPublicNkey(text: string, kind: NkeyKind): boolean {
  const bytes = decode(text);
  return bytes !== undefined && (bytes[0] & 0xf8) === PREFIXES[kind];
}

/** A public nkey of any kind that can own a connection or sign for one. */
export function isAnyPublicNkey(text: string): boolean {
  return (Object.keys(PREFIXES) as NkeyKind[]).some((kind) => isPublicNkey(text, kind));
}

/** The bytes before the checksum; undefined when the text is not an nkey at all. */
function decode(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let pending = 0;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) return undefined;
    pending = ((pending << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((pending >> bits) & 0xff);
    }
  }
  if (bytes.length < 4) return undefined;
  const body = Uint8Array.from(bytes.slice(0, -2));
  const checksum = bytes[bytes.length - 2] | (bytes[bytes.length - 1] << 8);
  return crc16(body) === checksum ? body : undefined;
}

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

/** Digests, by the runtime's own hasher. */

export function sha256Hex(data: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(data).digest("hex");
}

export function sha256(data: string | Uint8Array): Buffer {
  return Buffer.from(new Bun.CryptoHasher("sha256").update(data).digest());
}

export function sha1Base64(data: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha1").update(data).digest("base64");
}

/**
 * The snappy framing format: a stream identifier, then chunks of at most 64 KiB, each with a masked checksum of its plain bytes. Blocks are compressed by
 * the `snappyjs` package. Source: framing_format.txt of the snappy project. S2, which backups are written in, differs in its identifier and in what else its
 * readers understand.
 */
import { compress } from "snappyjs";
import { crc32c } from "./crc32c.ts";

const STREAM_IDENTIFIER = Buffer.from([0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);
const COMPRESSED = 0;
const UNCOMPRESSED = 1;
/** Plain bytes of a chunk at most. */
export const CHUNK_BYTES_MAX = 65_536;

/** A complete framed stream holding `bytes`. */
export function snappyFrame(bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [STREAM_IDENTIFIER];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES_MAX) parts.push(...frameChunk(bytes.subarray(at, at + CHUNK_BYTES_MAX)));
  return Buffer.concat(parts);
}

/** One chunk of at most `CHUNK_BYTES_MAX` plain bytes, as the parts to write: compressed where that is smaller. */
export function frameChunk(plain: Uint8Array): [head: Buffer, body: Uint8Array] {
  const packed = compress(plain);
  const smaller = packed.length < plain.length;
  const body = smaller ? packed : plain;
  const head = Buffer.alloc(8);
  head[0] = smaller ? COMPRESSED : UNCOMPRESSED;
  head.writeUIntLE(body.length + 4, 1, 3);
  head.writeUInt32LE(maskedChecksum(plain), 4);
  return [head, body];
}

/** The checksum as chunks carry it. */
export function maskedChecksum(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/**
 * S2 blocks: what snappy blocks are, with one addition: a copy of one-byte offset whose offset is zero repeats the last offset, and may then be long. Source:
 * the S2 block format of klauspost/compress, and format_description.txt of the snappy project.
 */
import { ArchiveError } from "./error.ts";

const corrupt = (): ArchiveError => new ArchiveError("s2: corrupt input");

/** The plain bytes of a block; `sizeMax` bounds them. Throws `ArchiveError`. */
export function decodeBlock(block: Uint8Array, sizeMax: number): Buffer {
  let at = 0;
  let size = 0;
  for (let scale = 1; ; scale *= 128) {
    if (at >= block.length || at > 4) throw corrupt();
    const byte = block[at++];
    size += (byte & 127) * scale;
    if (byte < 128) break;
  }
  if (size > sizeMax) throw new ArchiveError("s2: decoded block is too large");
  const out = Buffer.allocUnsafe(size);
  const written = expand(block, at, out);
  if (written !== size) throw corrupt();
  return out;
}

/** Writes what the commands of a block say; returns how many bytes that were. */
function expand(block: Uint8Array, start: number, out: Buffer): number {
  const end = block.length;
  let at = start;
  let to = 0;
  let offset = 1;
  while (at < end) {
    const tag = block[at++];
    if ((tag & 3) === 0) {
      let length = tag >> 2;
      if (length >= 60) {
        const extra = length - 59;
        if (at + extra > end) throw corrupt();
        length = littleEndian(block, at, extra);
        at += extra;
      }
      length++;
      if (length > end - at || length > out.length - to) throw corrupt();
      if (length < 24) for (let i = 0; i < length; i++) out[to + i] = block[at + i];
      else out.set(block.subarray(at, at + length), to);
      at += length;
      to += length;
      continue;
    }
    let length: number;
    if ((tag & 3) === 1) {
      if (at >= end) throw corrupt();
      const near = ((tag & 0xe0) << 3) | block[at++];
      length = (tag >> 2) & 7;
      if (near === 0) {
        const extra = length - 4;
        if (extra > 0) {
          if (at + extra > end) throw corrupt();
          length = littleEndian(block, at, extra) + REPEAT_BASE[extra];
          at += extra;
        }
      } else offset = near;
      length += 4;
    } else {
      const bytes = (tag & 3) === 2 ? 2 : 4;
      if (at + bytes > end) throw corrupt();
      offset = littleEndian(block, at, bytes);
      at += bytes;
      length = (tag >> 2) + 1;
    }
    if (offset === 0 || offset > to || length > out.length - to) throw corrupt();
    if (offset >= length && length >= 24) out.copyWithin(to, to - offset, to - offset + length);
    else for (let i = 0; i < length; i++) out[to + i] = out[to - offset + i];
    to += length;
  }
  return to;
}

/** What is added to a repeat's length of 1, 2 or 3 bytes, before the 4 of every copy. */
const REPEAT_BASE = [0, 4, 256, 65_536];

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
  return value;
}

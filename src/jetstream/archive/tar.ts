/**
 * As much of tar as archives of version 1 use: regular files, their names in the header or in a PAX record before it. Whole files are handed out, since none is larger
 * than a message block.
 */
import type { ByteQueue } from "./bytequeue.ts";
import { ArchiveError } from "./error.ts";

const BLOCK = 512;
/** Blocks of the reference have at most 8 MiB, or one message that is larger. */
const FILE_BYTES_MAX = 512 << 20;
const REGULAR = new Set([0x30, 0]);
const PAX = 0x78;
const PAX_GLOBAL = 0x67;

export interface TarFile {
  readonly path: string;
  readonly bytes: Buffer;
}

export class TarReader {
  /** The end-of-archive block was seen. */
  isComplete = false;
  #pax: ReadonlyMap<string, string> = new Map();

  constructor(private readonly input: ByteQueue) {}

  /** The next file; undefined until there are more bytes. `refuse` makes the error for what is no regular file. Throws `ArchiveError`. */
  next(refuse: () => ArchiveError): TarFile | undefined {
    const { input } = this;
    while (!this.isComplete) {
      if (input.length < BLOCK) return undefined;
      const header = input.bytes.subarray(input.at, input.at + BLOCK);
      if (header.every((byte) => byte === 0)) {
        this.isComplete = true;
        return undefined;
      }
      checkSum(header);
      const kind = header[156];
      const size = kind !== PAX && this.#pax.has("size") ? Number(this.#pax.get("size")) : numberAt(header, 124, 12);
      if (!Number.isSafeInteger(size) || size < 0 || size > FILE_BYTES_MAX) throw new ArchiveError("archive/tar: invalid tar header");
      const padded = Math.ceil(size / BLOCK) * BLOCK;
      if (input.length < BLOCK + padded) return undefined;
      const path = this.#pax.get("path") ?? nameOf(header);
      input.at += BLOCK;
      const bytes = input.take(padded).subarray(0, size);
      if (kind === PAX || kind === PAX_GLOBAL) {
        if (kind === PAX) this.#pax = paxRecords(bytes);
        continue;
      }
      this.#pax = new Map();
      if (!REGULAR.has(kind)) throw refuse();
      return { path, bytes };
    }
    // What follows the end is padding.
    input.at = input.bytes.length;
    return undefined;
  }
}

function textAt(header: Buffer, at: number, length: number): string {
  const field = header.latin1Slice(at, at + length);
  const end = field.indexOf("\0");
  return end < 0 ? field : field.slice(0, end);
}

function nameOf(header: Buffer): string {
  const name = textAt(header, 0, 100);
  const prefix = header.latin1Slice(257, 262) === "ustar" ? textAt(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Octal digits, or binary when the top bit is set. */
function numberAt(header: Buffer, at: number, length: number): number {
  if ((header[at] & 0x80) !== 0) return header.readUIntBE(at + length - 6, 6);
  const digits = textAt(header, at, length).trim();
  return digits === "" ? 0 : /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : Number.NaN;
}

function checkSum(header: Buffer): void {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i];
  if (numberAt(header, 148, 8) !== sum) throw new ArchiveError("archive/tar: invalid tar header");
}

/** `<length> <key>=<value>\n`, where the length is that of the whole record. */
function paxRecords(bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at);
    const length = Number(bytes.latin1Slice(at, Math.max(at, blank)));
    if (!Number.isInteger(length) || length <= 0 || at + length > bytes.length) throw new ArchiveError("archive/tar: invalid tar header");
    const record = bytes.latin1Slice(blank + 1, at + length - 1);
    const equals = record.indexOf("=");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

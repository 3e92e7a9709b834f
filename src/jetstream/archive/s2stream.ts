/**
 * The S2 framed stream that archives travel in: an identifier, then chunks with a checksum of their plain bytes. Written here with blocks of at most 64 KiB,
 * which every reader takes; read with all that the reference's writer produces (blocks up to 4 MiB, padding, an index at the end). Both sides work
 * incrementally, so that an archive of any size passes through in pieces.
 */
import { CHUNK_BYTES_MAX, frameChunk, maskedChecksum } from "../../util/snappyframe.ts";
import { ArchiveError } from "./error.ts";
import { decodeBlock } from "./s2block.ts";

const IDENTIFIER = Buffer.from([0xff, 6, 0, 0, 0x53, 0x32, 0x73, 0x54, 0x77, 0x4f]);
const SNAPPY_NAME = "sNaPpY";
const S2_NAME = "S2sTwO";
const BLOCK_BYTES_MAX = 4 << 20;
/** A compressed block, a checksum, and what compressing may add. */
const CHUNK_WIRE_MAX = BLOCK_BYTES_MAX + BLOCK_BYTES_MAX / 6 + 64;

const COMPRESSED = 0x00;
const PLAIN = 0x01;
const NAME = 0xff;
/** From here on chunks may be skipped by who does not know them. */
const SKIPPABLE_FROM = 0x80;

export class S2Writer {
  readonly #plain = Buffer.allocUnsafeSlow(CHUNK_BYTES_MAX);
  #used = 0;
  #begun = false;

  /** `emit` gets the framed bytes, in parts that are its own to keep. */
  constructor(private readonly emit: (part: Uint8Array) => void) {}

  /** The bytes are copied. */
  write(bytes: Uint8Array, start = 0, end = bytes.length): void {
    while (start < end) {
      const taken = Math.min(end - start, CHUNK_BYTES_MAX - this.#used);
      this.#plain.set(start === 0 && taken === bytes.length ? bytes : bytes.subarray(start, start + taken), this.#used);
      this.#used += taken;
      start += taken;
      if (this.#used === CHUNK_BYTES_MAX) this.#cut();
    }
  }

  end(): void {
    if (this.#used > 0 || !this.#begun) this.#cut();
  }

  #cut(): void {
    if (!this.#begun) this.emit(Buffer.from(IDENTIFIER));
    this.#begun = true;
    if (this.#used === 0) return;
    const [head, body] = frameChunk(this.#plain.subarray(0, this.#used));
    this.emit(head);
    this.emit(body.buffer === this.#plain.buffer ? Buffer.from(body) : body);
    this.#used = 0;
  }
}

export class S2Reader {
  #input: Buffer = EMPTY;
  #at = 0;
  #begun = false;

  /** More of the stream; the bytes are copied. */
  push(bytes: Uint8Array): void {
    this.#input = Buffer.concat([this.#input.subarray(this.#at), bytes]);
    this.#at = 0;
  }

  /** Bytes that came and could not be used yet. */
  get rest(): number {
    return this.#input.length - this.#at;
  }

  /** Plain bytes of the next chunk; undefined until more is pushed. Throws `ArchiveError`. */
  next(): Buffer | undefined {
    for (;;) {
      if (this.rest < 4) return undefined;
      const kind = this.#input[this.#at];
      const length = this.#input.readUIntLE(this.#at + 1, 3);
      if (!this.#begun && kind !== NAME) throw corrupt();
      if (length > CHUNK_WIRE_MAX && kind < SKIPPABLE_FROM) throw corrupt();
      if (this.rest < 4 + length) return undefined;
      const body = this.#input.subarray(this.#at + 4, this.#at + 4 + length);
      this.#at += 4 + length;
      if (kind === COMPRESSED || kind === PLAIN) return open(kind, body);
      if (kind === NAME) this.#identify(body);
      else if (kind < SKIPPABLE_FROM) throw new ArchiveError("s2: unsupported input");
    }
  }

  #identify(body: Buffer): void {
    const name = body.latin1Slice();
    if (name !== S2_NAME && name !== SNAPPY_NAME) throw corrupt();
    this.#begun = true;
  }
}

const EMPTY = Buffer.alloc(0);
const corrupt = (): ArchiveError => new ArchiveError("s2: corrupt input");

function open(kind: number, body: Buffer): Buffer {
  if (body.length < 4) throw corrupt();
  const stored = body.subarray(4);
  const plain = kind === PLAIN ? stored : decodeBlock(stored, BLOCK_BYTES_MAX);
  if (maskedChecksum(plain) !== body.readUInt32LE(0)) throw new ArchiveError("s2: corrupt input, crc mismatch");
  return plain;
}

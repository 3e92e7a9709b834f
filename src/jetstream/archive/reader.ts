/** An archive as it arrives, in pieces of any size: the S2 stream around it is taken off, its version is found out, and its contents go to a sink. */
import { ByteQueue } from "./bytequeue.ts";
import { EntryReader, MAGIC } from "./entries.ts";
import { ArchiveError } from "./error.ts";
import { LegacyReader } from "./legacy.ts";
import { S2Reader } from "./s2stream.ts";
import type { ArchiveFormat, ArchiveSink } from "./sink.ts";

export class ArchiveReader {
  readonly #frames = new S2Reader();
  readonly #plain = new ByteQueue();
  #format: ArchiveFormat | undefined = undefined;
  /** Bytes pushed. */
  bytes = 0;

  constructor(
    private readonly sink: ArchiveSink,
    private readonly stream: { readonly name: string; readonly account: string },
  ) {}

  push(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.#frames.push(bytes);
  }

  /** Reads a little more; false when that takes further bytes. Throws `ArchiveError`, and what the sink throws. */
  step(): boolean {
    if (this.#format === undefined && this.#plain.length >= MAGIC.length) this.#begin();
    if (this.#format?.step() === true) return true;
    const plain = this.#frames.next();
    if (plain === undefined) return false;
    this.#plain.push(plain);
    return true;
  }

  /** There is nothing more to come, and `step` says there is nothing left to do. Throws `ArchiveError` when the archive is not whole. */
  end(): void {
    if (this.#frames.rest > 0) throw new ArchiveError("s2: corrupt input");
    if (this.#format === undefined) throw new ArchiveError(this.#plain.length === 0 ? "EOF" : "unexpected EOF");
    if (!this.#format.isComplete) throw new ArchiveError(this.#format.truncated);
  }

  #begin(): void {
    const isEntries = this.#plain.bytes.latin1Slice(this.#plain.at, this.#plain.at + MAGIC.length) === MAGIC;
    if (isEntries) this.#plain.at += MAGIC.length;
    this.#format = isEntries ? new EntryReader(this.#plain, this.sink) : new LegacyReader(this.#plain, this.sink, this.stream);
  }
}

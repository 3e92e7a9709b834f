/**
 * The log of all consumers of one stream: one file that is only appended to, and now and then written anew with just what is still true.
 *
 * A record is framed by its length, the number of its consumer, its place among that consumer's records, a checksum of these, and a checksum of its body; the
 * body is sealed when encryption at rest is on. A damaged body or a missing record spoils one consumer; the others load. What is torn at the end was never
 * promised to anybody and is cut off.
 *
 * Writing anew goes in slices beside the running server: each consumer is copied with its state of that moment, and from then on its records go to both files, until the
 * new one, synced, takes the place of the old one.
 */
import type { StorageFile } from "../../platform/index.ts";
import { crc32c } from "../../util/crc32c.ts";
import type { JetStreamContext } from "../context.ts";
import type { AssetFiles } from "../seams.ts";

const FILE = "consumers.log";
const FILE_BESIDE = "consumers.log.new";
const MAGIC = Buffer.from("NBCONS1\n");
/** Length of the sealed body, consumer, place, checksum of these, checksum of the body. */
const FRAME_BYTES = 20;
const BODY_BYTES_MAX = 1 << 30;
const BUFFER_MIN = 16 * 1024;
/** Smaller files are not worth writing anew; larger ones are when they hold this many times what is still true. */
const REWRITE_MIN_BYTES = 1 << 20;
const REWRITE_FACTOR = 4;

/** One record as read back; `body` is undefined when it cannot be trusted. */
export interface LogRecord {
  readonly id: number;
  readonly body: Uint8Array | undefined;
  /** A record of this consumer before this one is missing. */
  readonly hasGap: boolean;
}

/** Bytes that wait to be handed to a file. */
class Output {
  #buffer = Buffer.allocUnsafe(BUFFER_MIN);
  #length = 0;

  constructor(
    readonly file: StorageFile,
    public sizeBytes: number,
  ) {}

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  add(id: number, place: number, sealed: Uint8Array): void {
    const size = FRAME_BYTES + sealed.length;
    if (this.#length + size > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + size));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    const buffer = this.#buffer;
    const at = this.#length;
    buffer.writeUInt32LE(sealed.length, at);
    buffer.writeUInt32LE(id, at + 4);
    buffer.writeUInt32LE(place, at + 8);
    buffer.writeUInt32LE(crc32c(buffer.subarray(at, at + 12)), at + 12);
    buffer.writeUInt32LE(crc32c(sealed), at + 16);
    buffer.set(sealed, at + FRAME_BYTES);
    this.#length += size;
  }

  /** Throws `DiskError`; what could not be written stays. */
  write(): void {
    if (this.#length === 0) return;
    this.file.write(this.#buffer, 0, this.#length, this.sizeBytes);
    this.sizeBytes += this.#length;
    this.#length = 0;
  }
}

export class ConsumerLog {
  readonly #context: JetStreamContext;
  readonly #folder: string;
  readonly #files: AssetFiles;
  #output: Output | undefined = undefined;
  /** The file that is to take the place of the present one, and the consumers that are in it. */
  #beside: { readonly output: Output; readonly copied: Set<number> } | undefined = undefined;
  #rewriteAtBytes = REWRITE_MIN_BYTES;
  /** Records written of each consumer. */
  readonly #places = new Map<number, number>();
  #isDirty = false;
  /** The file is new: its name is not on the device. */
  #isNew = false;
  #syncing: Promise<void> | undefined = undefined;
  #closed = false;

  constructor(context: JetStreamContext, folder: string, files: AssetFiles) {
    this.#context = context;
    this.#folder = folder;
    this.#files = files;
  }

  /** Reads back what is there, in order. Says in the log what was cut off or skipped. */
  read(onRecord: (record: LogRecord) => void): void {
    const { disk, log } = this.#context;
    const beside = `${this.#folder}/${FILE_BESIDE}`;
    if (disk.exists(beside)) disk.remove(beside);
    const path = `${this.#folder}/${FILE}`;
    if (!disk.exists(path)) return;
    const file = disk.openStorage(path);
    const bytes = Buffer.allocUnsafe(file.sizeBytes);
    const length = file.read(bytes, 0, bytes.length, 0);
    const end = this.#parse(bytes.subarray(0, length), path, onRecord);
    if (end < length) {
      log.warn(`Consumer log ${path}: cut off ${length - end} bytes of an incomplete record`);
      file.truncate(end);
    }
    if (end === 0) file.write(MAGIC, 0, MAGIC.length, 0);
    this.#output = new Output(file, Math.max(end, MAGIC.length));
  }

  /** Returns where the last good record ends. */
  #parse(bytes: Buffer, path: string, onRecord: (record: LogRecord) => void): number {
    if (bytes.length < MAGIC.length) return 0;
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
      this.#context.log.warn(`Consumer log ${path}: damaged at its beginning`);
    }
    let at = MAGIC.length;
    let end = at;
    let skippedFrom = -1;
    while (at + FRAME_BYTES <= bytes.length) {
      const length = bytes.readUInt32LE(at);
      const isFrame = bytes.readUInt32LE(at + 12) === crc32c(bytes.subarray(at, at + 12)) && length <= BODY_BYTES_MAX;
      if (!isFrame) {
        // Without a good frame the next record has to be looked for byte by byte.
        if (skippedFrom < 0) skippedFrom = at;
        at++;
        continue;
      }
      const bodyEnd = at + FRAME_BYTES + length;
      if (bodyEnd > bytes.length) break;
      if (skippedFrom >= 0) {
        this.#context.log.warn(`Consumer log ${path}: skipped ${at - skippedFrom} damaged bytes at ${skippedFrom}`);
        skippedFrom = -1;
      }
      this.#take(bytes, at, length, onRecord);
      at = end = bodyEnd;
    }
    return end;
  }

  #take(bytes: Buffer, at: number, length: number, onRecord: (record: LogRecord) => void): void {
    const id = bytes.readUInt32LE(at + 4);
    const place = bytes.readUInt32LE(at + 8);
    const sealed = bytes.subarray(at + FRAME_BYTES, at + FRAME_BYTES + length);
    const expected = this.#places.get(id);
    const hasGap = expected !== undefined && place !== expected;
    this.#places.set(id, (place + 1) >>> 0);
    const isGood = bytes.readUInt32LE(at + 16) === crc32c(sealed);
    onRecord({ id, body: isGood ? this.#files.open(sealed) : undefined, hasGap });
  }

  /** Adds a record, to be written by `write`. */
  add(id: number, body: Uint8Array): void {
    const sealed = this.#files.seal(body);
    const place = this.#places.get(id) ?? 0;
    this.#places.set(id, (place + 1) >>> 0);
    this.#open().add(id, place, sealed);
    if (this.#beside?.copied.has(id) === true) this.#beside.output.add(id, place, sealed);
  }

  /** The consumer is gone; its number is not used again. */
  forget(id: number): void {
    this.#places.delete(id);
    this.#beside?.copied.delete(id);
  }

  /** Hands everything to the kernel. Throws `DiskError`. */
  write(): void {
    const output = this.#output;
    if (output === undefined || (output.isEmpty && this.#beside?.output.isEmpty !== false)) return;
    output.write();
    this.#beside?.output.write();
    this.#isDirty = true;
  }

  /** Resolves when everything written so far is on the device. */
  sync(): Promise<void> {
    if (this.#output === undefined || !this.#isDirty) return this.#syncing ?? Promise.resolve();
    this.#isDirty = false;
    const before = this.#syncing ?? Promise.resolve();
    const mine = Promise.all([before, this.#syncOutput(this.#output.file)]).then(() => undefined);
    this.#syncing = mine;
    return mine.then(
      () => {
        if (this.#syncing === mine) this.#syncing = undefined;
      },
      (error: unknown) => {
        if (this.#syncing === mine) this.#syncing = undefined;
        this.#isDirty = true;
        throw error;
      },
    );
  }

  async #syncOutput(file: StorageFile): Promise<void> {
    const isNew = this.#isNew;
    this.#isNew = false;
    try {
      await Promise.all([file.sync(), isNew ? this.#context.disk.syncFolder(this.#folder) : undefined]);
    } catch (error) {
      this.#isNew ||= isNew;
      throw error;
    }
  }

  /** As `sync`, waiting for it. Throws `DiskError`. */
  syncNow(): void {
    if (this.#output === undefined || !this.#isDirty) return;
    if (this.#isNew) this.#context.disk.syncFolderNow(this.#folder);
    this.#isNew = false;
    this.#output.file.syncNow();
    this.#isDirty = false;
  }

  /** Records wait to be handed to the kernel. */
  get needsWrite(): boolean {
    return this.#output?.isEmpty === false;
  }

  get needsSync(): boolean {
    return this.#isDirty;
  }

  // Writing anew

  /** Whether the file holds much that is not true any more. */
  get wantsRewrite(): boolean {
    return this.#beside === undefined && this.#output !== undefined && this.#output.sizeBytes > this.#rewriteAtBytes;
  }

  get isRewriting(): boolean {
    return this.#beside !== undefined;
  }

  /** Begins the file that is to take the place of the present one. */
  beginRewrite(): void {
    const file = this.#context.disk.openStorage(`${this.#folder}/${FILE_BESIDE}`);
    file.truncate(0);
    file.write(MAGIC, 0, MAGIC.length, 0);
    this.#beside = { output: new Output(file, MAGIC.length), copied: new Set() };
  }

  /** Copies one consumer as it is now: the records that tell all of it. */
  copy(id: number, bodies: readonly Uint8Array[]): void {
    const beside = this.#beside;
    if (beside === undefined) return;
    // Counted so that the next record of this consumer, which goes to both files, follows in both.
    let place = (this.#places.get(id) ?? 0) - bodies.length;
    for (const body of bodies) beside.output.add(id, place++ >>> 0, this.#files.seal(body));
    beside.copied.add(id);
  }

  /** All consumers are copied: the new file takes over once it is on the device. */
  async endRewrite(): Promise<void> {
    const beside = this.#beside;
    const old = this.#output;
    if (beside === undefined || old === undefined) return;
    beside.output.write();
    await beside.output.file.sync();
    // A sync of the old file must not lose it while it is under way.
    while (this.#syncing !== undefined) await this.#syncing.catch(() => undefined);
    if (this.#closed || this.#beside !== beside) return;
    this.write();
    // The little that came meanwhile.
    beside.output.file.syncNow();
    const { disk } = this.#context;
    disk.rename(`${this.#folder}/${FILE_BESIDE}`, `${this.#folder}/${FILE}`);
    disk.syncFolderNow(this.#folder);
    old.file.close();
    this.#output = beside.output;
    this.#isDirty = this.#isNew = false;
    this.#beside = undefined;
    this.#rewriteAtBytes = Math.max(REWRITE_MIN_BYTES, beside.output.sizeBytes * REWRITE_FACTOR);
  }

  #open(): Output {
    if (this.#output !== undefined) return this.#output;
    const file = this.#context.disk.openStorage(`${this.#folder}/${FILE}`);
    file.truncate(0);
    file.write(MAGIC, 0, MAGIC.length, 0);
    this.#output = new Output(file, MAGIC.length);
    this.#isNew = true;
    return this.#output;
  }

  /** Writes what is left, to the device, and closes. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const beside = this.#beside;
    this.#beside = undefined;
    beside?.output.file.close();
    if (this.#output === undefined) return;
    this.write();
    this.syncNow();
    this.#output.file.close();
  }

  /** Closes without writing: the folder goes. */
  abandon(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#beside?.output.file.close();
    this.#output?.file.close();
  }
}

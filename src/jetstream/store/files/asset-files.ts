/**
 * The small files of an asset: metadata, consumer state. A file is 16 bytes (magic, whether it is sealed, length and checksum of the rest) and the contents. It
 * is written beside and renamed over the old one, so that there is always a whole one; only one that is new may be empty after a power failure, until it was synced. A file that was read under another key than it would be written with
 * now is written anew at once: that is how keys rotate, and how encryption comes to old data.
 */
import { DiskError } from "../../../platform/index.ts";
import type { JetStreamContext } from "../../context.ts";
import { type AssetFiles, DamagedFileError } from "../../seams.ts";
import { checksumOfBytes } from "../log/checksum.ts";
import { keyring, open, openWithAny, seal, type Keyring } from "./keys.ts";

const MAGIC = 0x46424e01;
const PREFIX_BYTES = 16;
const PLAIN = 0;
const SEALED = 1;

/** What `AssetFiles.read` throws when no key opens a file, in the reference's words. */
const NO_KEY = "Error decrypting our stream metafile: unable to recover keys";

class SealedFiles implements AssetFiles {
  constructor(
    private readonly context: JetStreamContext,
    private readonly keys: Keyring,
  ) {}

  read(path: string): Buffer | undefined {
    const { disk } = this.context;
    let bytes: Buffer;
    try {
      const read = disk.readFile(path);
      bytes = Buffer.from(read.buffer, read.byteOffset, read.length);
    } catch (error) {
      if (error instanceof DiskError && error.code === "ENOENT") return undefined;
      throw error;
    }
    if (bytes.length < PREFIX_BYTES || bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(8) !== bytes.length - PREFIX_BYTES) throw new DamagedFileError(path, "not a whole file");
    const kind = bytes.readUInt32LE(4);
    const contents = bytes.subarray(PREFIX_BYTES);
    if (bytes.readInt32LE(12) !== ((checksumOfBytes(bytes.subarray(4, 12)) + checksumOfBytes(contents)) | 0)) throw new DamagedFileError(path, "checksum does not fit");
    const { current, all } = this.keys;
    if (kind === PLAIN) {
      if (current !== undefined) this.write(path, contents);
      return contents;
    }
    const opened = openWithAny(all, contents);
    if (opened === undefined) throw new DamagedFileError(path, NO_KEY);
    if (opened.key !== current) this.write(path, opened.plain);
    return opened.plain;
  }

  write(path: string, bytes: Uint8Array): void {
    this.make(path, bytes)?.catch((error: unknown) => this.context.log.error(`JetStream could not sync ${path}: ${error instanceof Error ? error.message : String(error)}`));
  }

  make(path: string, bytes: Uint8Array): Promise<void> | undefined {
    const { disk, settings } = this.context;
    const { current } = this.keys;
    const contents = current === undefined ? bytes : seal(current, bytes, this.context.random);
    const file = Buffer.allocUnsafe(PREFIX_BYTES + contents.length);
    file.writeUInt32LE(MAGIC, 0);
    file.writeUInt32LE(current === undefined ? PLAIN : SEALED, 4);
    file.writeUInt32LE(contents.length, 8);
    file.writeInt32LE((checksumOfBytes(file.subarray(4, 12)) + checksumOfBytes(contents)) | 0, 12);
    file.set(contents, PREFIX_BYTES);
    const syncsNow = settings.syncIntervalMs === "always";
    // A file that is new has nothing older to fall back to.
    const syncsLater = !syncsNow && !disk.exists(path);
    const beside = `${path}.tmp`;
    const storage = disk.openStorage(beside);
    try {
      storage.truncate(0);
      storage.write(file, 0, file.length, 0);
      if (syncsNow) storage.syncNow();
      disk.rename(beside, path);
      const folder = path.slice(0, path.lastIndexOf("/"));
      if (syncsNow) disk.syncFolderNow(folder);
      if (syncsLater) return Promise.all([storage.sync(), disk.syncFolder(folder)]).then(() => undefined).finally(() => storage.close());
    } catch (error) {
      storage.close();
      throw error;
    }
    storage.close();
    return undefined;
  }

  seal(bytes: Uint8Array): Uint8Array {
    const { current } = this.keys;
    return current === undefined ? bytes : seal(current, bytes, this.context.random);
  }

  open(bytes: Uint8Array): Uint8Array | undefined {
    const { current } = this.keys;
    return current === undefined ? bytes : open(current, bytes);
  }
}

/** The small files of a stream and its consumers, sealed if the server has a key. */
export function openAssetFiles(context: JetStreamContext, account: string, stream: string): AssetFiles {
  return new SealedFiles(context, keyring(context.settings.encryption, account, stream));
}

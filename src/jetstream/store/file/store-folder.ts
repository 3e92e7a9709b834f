/** The folder of one file store: which files there are, their keys, and how one is read, made or removed. */
import { DiskError } from "../../../platform/index.ts";
import type { JetStreamContext } from "../../context.ts";
import { derived, keyring, type Keyring, open, openWithAny, seal, type SealKey } from "../files/keys.ts";
import { idOfName, indexPath, rewritePath, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentPath } from "./format.ts";
import { decodeIndex, encodeIndex, type LocalIndex } from "./index-file.ts";
import { readHeader, SegmentFile } from "./segment-file.ts";

const SALT_BYTES = 16;
const KEY_CHECK_BYTES = 8;
const NO_CHECK = new Uint8Array(KEY_CHECK_BYTES);

export class StoreFolder {
  readonly keys: Keyring;

  constructor(
    readonly path: string,
    /** How log lines name the stream: `account > stream`. */
    readonly title: string,
    readonly context: JetStreamContext,
    account: string,
    stream: string,
  ) {
    this.keys = keyring(context.settings.encryption, account, stream);
  }

  /** Numbers of the segments, ascending; what a rewrite left unfinished is removed. */
  segments(): number[] {
    const { disk } = this.context;
    disk.makeFolder(this.path);
    const ids: number[] = [];
    for (const { name } of disk.list(this.path)) {
      const id = idOfName(name);
      if (id === undefined) continue;
      if (name.endsWith(".tmp")) disk.remove(`${this.path}/${name}`);
      else if (name.endsWith(".seg")) ids.push(id);
    }
    return ids.sort((a, b) => a - b);
  }

  /** A file that does not exist yet; `create` makes it. With `beside` it will be renamed to its place. */
  newFile(header: Omit<SegmentHeader, "salt" | "keyCheck" | "cipher" | "framed">, beside = false): SegmentFile {
    const { random, disk } = this.context;
    const key = this.keys.current;
    const salt = random.bytes(SALT_BYTES);
    const path = (beside ? rewritePath : segmentPath)(this.path, header.id);
    const full: SegmentHeader = { ...header, framed: key !== undefined || header.compressed, cipher: key?.cipher, salt, keyCheck: key === undefined ? NO_CHECK : keyCheck(key, salt) };
    return new SegmentFile(disk, path, full, key, random, 0);
  }

  /** Opens a segment's file. `unreadable`: its header is. Throws when no key at hand opens it. */
  openFile(id: number): SegmentFile | "unreadable" {
    const { disk, random } = this.context;
    const path = segmentPath(this.path, id);
    const file = disk.openStorage(path);
    try {
      const header = readHeader(file);
      if (header === undefined) return "unreadable";
      const key = header.cipher === undefined ? undefined : this.keys.all.find((one) => one.cipher === header.cipher && equal(keyCheck(one, header.salt), header.keyCheck));
      if (header.cipher !== undefined && key === undefined) throw new Error("unable to recover keys");
      return new SegmentFile(disk, path, header, key, random, Math.max(file.sizeBytes, SEGMENT_HEADER_BYTES));
    } finally {
      file.close();
    }
  }

  /** The index of a segment if it has one of its present state. */
  readIndex(file: SegmentFile): LocalIndex | undefined {
    let bytes: Uint8Array;
    try {
      bytes = this.context.disk.readFile(indexPath(this.path, file.header.id));
    } catch (error) {
      if (error instanceof DiskError && error.code === "ENOENT") return undefined;
      throw error;
    }
    const key = file.assetKey;
    const local = decodeIndex(bytes, key === undefined ? undefined : (sealed) => open(key, sealed) ?? openWithAny(this.keys.all, sealed)?.plain);
    if (local === undefined) this.context.log.warn(`Index ${indexPath(this.path, file.header.id)} of stream '${this.title}' is damaged, reading the messages instead`);
    const fits = local !== undefined && local.id === file.header.id && local.fileBytes === file.fileBytes && equal(local.salt, file.header.salt);
    return fits ? local : undefined;
  }

  writeIndex(file: SegmentFile, local: LocalIndex): void {
    const { random, disk } = this.context;
    const key = file.assetKey;
    disk.writeFile(indexPath(this.path, file.header.id), encodeIndex(local, key === undefined ? undefined : (bytes) => seal(key, bytes, random)), 0o640);
  }

  removeIndex(id: number): void {
    this.#remove(indexPath(this.path, id));
  }

  removeSegment(id: number): void {
    this.removeIndex(id);
    this.#remove(segmentPath(this.path, id));
  }

  removeRewrite(id: number): void {
    this.#remove(rewritePath(this.path, id));
  }

  /** Renames a rewritten file over the one it replaces. Its handle is closed. */
  takePlace(file: SegmentFile, id: number): void {
    const path = segmentPath(this.path, id);
    this.context.disk.rename(file.path, path);
    file.path = path;
  }

  #remove(path: string): void {
    try {
      this.context.disk.remove(path);
    } catch (error) {
      if (!(error instanceof DiskError && error.code === "ENOENT")) throw error;
    }
  }
}

function keyCheck(key: SealKey, salt: Uint8Array): Uint8Array {
  return derived(derived(key.key, salt), "check").subarray(0, KEY_CHECK_BYTES);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

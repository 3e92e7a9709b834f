/**
 * Account tokens in a folder, one file `<account>.jwt` each, as the reference keeps them, so that either server can take over the other's folder. Names and
 * hashes are in memory, the texts stay on disk. A file is written beside its place, synced and renamed: a crash leaves the old text or the new one.
 * Spec: accounts and authentication, section 8.2.
 */
import { type Clock, DiskError, type StorageDisk } from "../../platform/index.ts";
import { nodeCrypto } from "../../util/builtin.ts";
import { isPublicKey } from "../../util/nkeys.ts";

const EXTENSION = ".jwt";
const WRITTEN = ".tmp";
const DELETED = ".deleted";
const HASH_BYTES = 32;

/** What a folder knows of a token without judging it. */
export interface TokenFacts {
  /** Public key of the account. */
  readonly id: string;
  readonly jti: string;
  /** Seconds since the Unix epoch. */
  readonly issuedS: number;
  /** Seconds since the Unix epoch; 0: never. */
  readonly expiresS: number;
}

export interface DirectoryOptions {
  readonly path: string;
  /** Tokens at most; 0: no limit. A folder that held more at the start keeps them. */
  readonly limit: number;
  /** What comes when the folder is full: the token that was not used for longest goes, or the new one is refused. */
  readonly whenFull: "evict" | "refuse";
  /** Time a token is kept after its last use, milliseconds; 0: until it expires by itself. */
  readonly ttlMs: number;
  /** Deleted files are renamed to `.jwt.deleted`, or removed. */
  readonly whenDeleted: "rename" | "remove";
}

/** A token that the folder does not take; the message is the reference's. */
export class DirectoryError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DirectoryError";
  }
}

interface Entry {
  readonly path: string;
  readonly hash: Buffer;
  /** Milliseconds since the Unix epoch. */
  expiresMs: number;
}

export class TokenDirectory {
  /** In the order of their last use, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #hash = Buffer.alloc(HASH_BYTES);

  private constructor(
    private readonly disk: StorageDisk,
    private readonly clock: Clock,
    private readonly options: DirectoryOptions,
    private readonly factsOf: (text: string) => TokenFacts,
  ) {}

  /**
   * Opens the folder, making it unless it exists, and notes every `.jwt` file in it and below: tools may shard by the last characters of the account.
   * `factsOf` reads a token and throws when it is none; such files are passed over and named in `damaged`. Throws `DiskError`.
   */
  static open(disk: StorageDisk, clock: Clock, options: DirectoryOptions, factsOf: (text: string) => TokenFacts, damaged: (path: string, reason: string) => void): TokenDirectory {
    disk.makeFolder(options.path);
    const directory = new TokenDirectory(disk, clock, options, factsOf);
    directory.#index(options.path, damaged);
    return directory;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Accounts, in the order of their last use. */
  ids(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** XOR of the SHA-256 of all texts: what two folders with the same tokens share. 32 bytes. */
  hash(): Buffer {
    return Buffer.from(this.#hash);
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** The token, which counts as a use; undefined when it is not here. Throws `DiskError` when its file cannot be read. */
  get(id: string): string | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const text = this.#read(entry.path);
    this.#touch(id, entry);
    return text;
  }

  /** Keeps a token. False when this very text is here already. Throws `DirectoryError` when the folder is full, `DiskError`. */
  put(id: string, text: string): boolean {
    if (!isPublicKey(id, "account")) throw new DirectoryError("will only fetch valid account keys");
    const facts = this.factsOf(text);
    const known = this.#entries.get(id);
    const hash = hashOf(text);
    if (known?.hash.equals(hash) === true) {
      this.#touch(id, known);
      return false;
    }
    if (known === undefined) this.#makeRoom();
    const path = known?.path ?? `${this.options.path}/${id}${EXTENSION}`;
    this.#write(path, text);
    this.#forget(id);
    this.#note(id, { path, hash, expiresMs: this.#expiry(facts) });
    return true;
  }

  /** Keeps a token that another server has, unless the one here is the same or newer. Throws as `put`. */
  merge(id: string, text: string): boolean {
    const facts = this.factsOf(text);
    if (facts.id !== id) throw new DirectoryError("subject does not match jwt content");
    const known = this.#entries.get(id);
    if (known !== undefined) {
      const mine = this.factsOf(this.#read(known.path));
      if (mine.jti === facts.jti || mine.issuedS > facts.issuedS) return false;
    }
    return this.put(id, text);
  }

  /** Takes a token away as the options tell. False when it was not here. Throws `DiskError`. */
  delete(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    if (this.options.whenDeleted === "rename") this.disk.rename(entry.path, `${entry.path}${DELETED}`);
    else this.#remove(entry.path);
    this.disk.syncFolderNow(folderOf(entry.path));
    this.#forget(id);
    return true;
  }

  /** Removes what is past its time, and says which accounts that were. */
  expire(): readonly string[] {
    const nowMs = this.clock.nowMs();
    const expired = [...this.#entries].filter(([, { expiresMs }]) => expiresMs <= nowMs);
    for (const [id, { path }] of expired) {
      this.#remove(path);
      this.#forget(id);
    }
    return expired.map(([id]) => id);
  }

  /** Every token that is not past its time, which counts as no use. What cannot be read is left out. */
  *tokens(): Generator<readonly [id: string, text: string]> {
    const nowMs = this.clock.nowMs();
    for (const [id, { path, expiresMs }] of [...this.#entries]) {
      if (expiresMs <= nowMs) continue;
      try {
        yield [id, this.#read(path)];
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
      }
    }
  }

  #index(folder: string, damaged: (path: string, reason: string) => void): void {
    for (const { name, isDirectory } of this.disk.list(folder).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${folder}/${name}`;
      if (isDirectory) this.#index(path, damaged);
      else if (name.endsWith(EXTENSION + WRITTEN)) this.#remove(path);
      else if (name.endsWith(EXTENSION)) this.#indexFile(path, name.slice(0, -EXTENSION.length), damaged);
    }
  }

  #indexFile(path: string, id: string, damaged: (path: string, reason: string) => void): void {
    if (!isPublicKey(id, "account")) return;
    try {
      const text = this.#read(path);
      const facts = this.factsOf(text);
      this.#forget(id);
      this.#note(id, { path, hash: hashOf(text), expiresMs: this.#expiry(facts) });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      damaged(path, error.message);
    }
  }

  #expiry({ expiresS }: TokenFacts): number {
    if (this.options.ttlMs > 0) return this.clock.nowMs() + this.options.ttlMs;
    return expiresS === 0 ? Number.POSITIVE_INFINITY : expiresS * 1000;
  }

  #touch(id: string, entry: Entry): void {
    if (this.options.ttlMs > 0) entry.expiresMs = this.clock.nowMs() + this.options.ttlMs;
    this.#entries.delete(id);
    this.#entries.set(id, entry);
  }

  #note(id: string, entry: Entry): void {
    this.#entries.set(id, entry);
    mix(this.#hash, entry.hash);
  }

  #forget(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    mix(this.#hash, entry.hash);
  }

  #makeRoom(): void {
    const { limit, whenFull } = this.options;
    if (limit === 0 || this.#entries.size < limit) return;
    if (whenFull === "refuse") throw new DirectoryError("jwt store is full");
    const [oldest] = this.#entries;
    this.#remove(oldest[1].path);
    this.#forget(oldest[0]);
  }

  #read(path: string): string {
    return Buffer.from(this.disk.readFile(path)).toString("utf8");
  }

  #write(path: string, text: string): void {
    const bytes = Buffer.from(text, "utf8");
    const beside = path + WRITTEN;
    const file = this.disk.openStorage(beside);
    try {
      file.truncate(0);
      file.write(bytes, 0, bytes.length, 0);
      file.syncNow();
    } finally {
      file.close();
    }
    this.disk.rename(beside, path);
    this.disk.syncFolderNow(folderOf(path));
  }

  #remove(path: string): void {
    try {
      this.disk.remove(path);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ENOENT") throw error;
    }
  }
}

function hashOf(text: string): Buffer {
  return nodeCrypto().createHash("sha256").update(text, "utf8").digest();
}

function mix(into: Buffer, hash: Buffer): void {
  for (let at = 0; at < HASH_BYTES; at++) into[at] ^= hash[at];
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

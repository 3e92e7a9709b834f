/**
 * Files in memory, by path, with the faults of real ones. Folders exist as soon as a file is in them.
 *
 * What was written is at hand at once; what survives a power failure is what was synced, and by the whim of the seed any part of the rest: writes that came
 * later may be there without those before, one may be torn in the middle. Names that were made, renamed or removed survive up to some moment after the last
 * `syncFolder`. A killed process loses nothing that was written.
 */
import { type AppendFile, type DirectoryEntry, DiskError, type DiskLock, type Random, type StorageDisk, type StorageFile } from "../../src/platform/index.ts";

/** What every call throws once the machine has stopped. */
export class CrashError extends Error {
  constructor() {
    super("the machine has stopped");
    this.name = "CrashError";
  }
}

type Change = { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array } | { readonly kind: "truncate"; readonly sizeBytes: number };

/** Contents that may have several names over time. */
class Contents {
  bytes: Uint8Array = new Uint8Array(0);
  size = 0;
  /** As of the last sync, and what happened since. */
  durable: Uint8Array = new Uint8Array(0);
  pending: Change[] = [];

  apply(change: Change): void {
    if (change.kind === "truncate") {
      if (change.sizeBytes > this.size) this.#room(change.sizeBytes);
      else this.bytes.fill(0, change.sizeBytes, this.size);
      this.size = change.sizeBytes;
      return;
    }
    const end = change.position + change.bytes.length;
    this.#room(end);
    this.bytes.set(change.bytes, change.position);
    this.size = Math.max(this.size, end);
  }

  change(change: Change): void {
    this.apply(change);
    this.pending.push(change);
  }

  #room(end: number): void {
    if (end <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(end, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.size));
    this.bytes = larger;
  }

  /** What there is, as a copy. */
  whole(): Uint8Array {
    return this.bytes.slice(0, this.size);
  }

  sync(): void {
    this.durable = this.whole();
    this.pending = [];
  }

  reset(bytes: Uint8Array): void {
    this.bytes = bytes.slice();
    this.size = bytes.length;
    this.durable = bytes.slice();
    this.pending = [];
  }
}

type NameChange = { readonly kind: "make"; readonly path: string; readonly contents: Contents } | { readonly kind: "remove"; readonly path: string };

export class MemoryDisk implements StorageDisk {
  #files = new Map<string, Contents>();
  #durableNames = new Map<string, Contents>();
  #pendingNames: NameChange[] = [];
  readonly #locks = new Set<string>();
  #generation = 0;
  #callsLeft = Number.POSITIVE_INFINITY;
  #whim: Random | undefined;
  #isStopped = false;
  /** Room for bytes that are not there yet; writing more fails with ENOSPC. */
  freeBytes = Number.POSITIVE_INFINITY;
  /** Syncs fail with EIO while set. */
  syncsFail = false;
  readonly counts = { writes: 0, syncs: 0 };

  // Faults

  /** Stops the machine at the `calls`th change or sync from now; that one may be done in part. */
  stopAfter(calls: number, whim: Random): void {
    this.#callsLeft = calls;
    this.#whim = whim;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Starts the machine again. `kill`: the process ended, all writes are there. `power`: see above. Open files are closed. */
  restart(how: "kill" | "power", whim: Random): void {
    this.#generation++;
    this.#isStopped = false;
    this.#callsLeft = Number.POSITIVE_INFINITY;
    this.#locks.clear();
    if (how === "power") this.#losePower(whim);
  }

  #losePower(whim: Random): void {
    const names = new Map(this.#durableNames);
    const kept = whim.integer(this.#pendingNames.length + 1);
    for (const change of this.#pendingNames.slice(0, kept)) {
      if (change.kind === "make") names.set(change.path, change.contents);
      else names.delete(change.path);
    }
    this.#files = names;
    this.#durableNames = new Map(names);
    this.#pendingNames = [];
    for (const contents of new Set(names.values())) contents.reset(survivors(contents, whim));
  }

  /** Flips one bit of a file, on the device. */
  flipBit(path: string, bit: number): void {
    const contents = this.#contents(path, "open");
    contents.bytes[bit >>> 3] ^= 1 << (bit & 7);
    contents.reset(contents.whole());
  }

  /** Shortens a file, on the device. */
  shorten(path: string, sizeBytes: number): void {
    const contents = this.#contents(path, "open");
    contents.reset(contents.whole().subarray(0, sizeBytes));
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    return [...this.#files.keys()].sort();
  }

  /** Counts a change or sync; throws when the machine stops at this one, after `partly` was done. */
  #step(partly: (whim: Random) => void): void {
    if (this.#isStopped) throw new CrashError();
    if (--this.#callsLeft > 0) return;
    this.#isStopped = true;
    if (this.#whim !== undefined) partly(this.#whim);
    throw new CrashError();
  }

  // Files

  readFile(path: string): Uint8Array {
    return this.#contents(path, "open").whole();
  }

  writeFile(path: string, bytes: Uint8Array, _mode: number): void {
    const contents = this.#open(path);
    this.#change(contents, path, { kind: "truncate", sizeBytes: 0 });
    this.#change(contents, path, { kind: "write", position: 0, bytes: bytes.slice() });
  }

  openAppend(path: string, _mode: number): AppendFile {
    const contents = this.#open(path);
    return {
      get sizeBytes() {
        return contents.size;
      },
      append: (bytes) => this.#change(contents, path, { kind: "write", position: contents.size, bytes: bytes.slice() }),
      close: () => undefined,
    };
  }

  rename(from: string, to: string): void {
    this.#step((whim) => whim.integer(2) === 1 && this.#rename(from, to));
    this.#rename(from, to);
  }

  #rename(from: string, to: string): void {
    const contents = this.#files.get(from);
    if (contents !== undefined) {
      this.#name({ kind: "make", path: to, contents });
      return this.#name({ kind: "remove", path: from });
    }
    const below = [...this.#files].filter(([path]) => path.startsWith(`${from}/`));
    if (below.length === 0) throw new DiskError("ENOENT", "rename", `${from} ${to}`, "no such file or directory");
    for (const [path, each] of below) {
      this.#name({ kind: "make", path: to + path.slice(from.length), contents: each });
      this.#name({ kind: "remove", path });
    }
  }

  remove(path: string): void {
    this.#contents(path, "remove");
    this.#step((whim) => whim.integer(2) === 1 && this.#name({ kind: "remove", path }));
    this.#name({ kind: "remove", path });
  }

  #name(change: NameChange): void {
    if (change.kind === "make") this.#files.set(change.path, change.contents);
    else this.#files.delete(change.path);
    this.#pendingNames.push(change);
  }

  absolute(path: string): string {
    return path.startsWith("/") ? path : `/${path}`;
  }

  exists(path: string): boolean {
    return this.#files.has(path) || this.list(path).length > 0;
  }

  list(path: string): DirectoryEntry[] {
    const prefix = path.endsWith("/") ? path : `${path}/`;
    const entries = new Map<string, boolean>();
    for (const file of this.#files.keys()) {
      if (!file.startsWith(prefix)) continue;
      const [name = "", ...below] = file.slice(prefix.length).split("/");
      entries.set(name, below.length > 0);
    }
    return [...entries].map(([name, isDirectory]) => ({ name, isDirectory }));
  }

  openStorage(path: string): StorageFile {
    const contents = this.#open(path);
    const generation = this.#generation;
    let isOpen = true;
    const check = (call: string): void => {
      if (!isOpen || generation !== this.#generation) throw new DiskError("EBADF", call, path, "bad file descriptor");
    };
    return {
      path,
      get sizeBytes() {
        check("stat");
        return contents.size;
      },
      read: (into, start, end, position) => {
        check("read");
        const part = contents.bytes.subarray(Math.min(position, contents.size), Math.min(position + end - start, contents.size));
        into.set(part, start);
        return part.length;
      },
      write: (bytes, start, end, position) => {
        check("write");
        this.#change(contents, path, { kind: "write", position, bytes: bytes.slice(start, end) });
      },
      truncate: (sizeBytes) => {
        check("truncate");
        this.#change(contents, path, { kind: "truncate", sizeBytes });
      },
      sync: async () => {
        check("fdatasync");
        try {
          this.#sync(contents, path);
        } catch (error) {
          if (!(error instanceof CrashError)) throw error;
          // Nobody is told that the machine stopped.
          await new Promise<never>(() => undefined);
        }
      },
      syncNow: () => {
        check("fdatasync");
        this.#sync(contents, path);
      },
      close: () => {
        isOpen = false;
      },
    };
  }

  #change(contents: Contents, path: string, change: Change): void {
    this.#step((whim) => {
      if (change.kind === "write") contents.change({ ...change, bytes: change.bytes.slice(0, whim.integer(change.bytes.length + 1)) });
    });
    this.counts.writes++;
    const growth = change.kind === "write" ? Math.max(0, change.position + change.bytes.length - contents.size) : Math.min(0, change.sizeBytes - contents.size);
    if (growth <= this.freeBytes) {
      this.freeBytes -= growth;
      return contents.change(change);
    }
    if (change.kind === "write") contents.change({ ...change, bytes: change.bytes.slice(0, change.bytes.length - growth + this.freeBytes) });
    this.freeBytes = 0;
    throw new DiskError("ENOSPC", "write", path, "no space left on device");
  }

  #sync(contents: Contents, path: string): void {
    this.#step((whim) => whim.integer(2) === 1 && contents.sync());
    this.counts.syncs++;
    if (this.syncsFail) throw new DiskError("EIO", "fdatasync", path, "input/output error");
    contents.sync();
  }

  makeFolder(_path: string): void {
    // Folders exist as soon as a file is in them.
  }

  removeTree(path: string): void {
    for (const file of [...this.#files.keys()]) if (file === path || file.startsWith(`${path}/`)) this.remove(file);
  }

  async syncFolder(path: string): Promise<void> {
    try {
      this.syncFolderNow(path);
    } catch (error) {
      if (!(error instanceof CrashError)) throw error;
      // Nobody is told that the machine stopped.
      await new Promise<never>(() => undefined);
    }
  }

  /** Folders are not told apart: all names become durable. */
  syncFolderNow(_path: string): void {
    this.#step(() => undefined);
    this.#durableNames = new Map(this.#files);
    this.#pendingNames = [];
  }

  space(): { readonly totalBytes: number; readonly freeBytes: number } {
    return { totalBytes: 2 ** 40, freeBytes: Math.min(this.freeBytes, 2 ** 40) };
  }

  lock(path: string): DiskLock | undefined {
    if (this.#locks.has(path)) return undefined;
    this.#locks.add(path);
    return { release: () => void this.#locks.delete(path) };
  }

  #open(path: string): Contents {
    let contents = this.#files.get(path);
    if (contents === undefined) {
      if (this.#isStopped) throw new CrashError();
      contents = new Contents();
      this.#name({ kind: "make", path, contents });
    }
    return contents;
  }

  #contents(path: string, call: string): Contents {
    const contents = this.#files.get(path);
    if (contents === undefined) throw new DiskError("ENOENT", call, path, "no such file or directory");
    return contents;
  }
}

/** What a device may hold of a file after a power failure. */
function survivors(contents: Contents, whim: Random): Uint8Array {
  const after = new Contents();
  after.reset(contents.durable);
  const how = whim.integer(4);
  // All, none, those before some moment with the last one torn, or any.
  const until = how === 0 ? contents.pending.length : how === 1 ? 0 : whim.integer(contents.pending.length + 1);
  for (const [i, change] of contents.pending.entries()) {
    if (how === 3 ? whim.integer(2) === 0 : i < until) after.apply(change);
    else if (how === 2 && i === until && change.kind === "write") after.apply({ ...change, bytes: change.bytes.slice(0, whim.integer(change.bytes.length + 1)) });
  }
  return after.whole();
}

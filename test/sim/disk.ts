/** Files in memory, by path. Folders exist as soon as a file is in them. */
import { type AppendFile, type DirectoryEntry, DiskError, type DiskLock, type StorageDisk, type StorageFile } from "../../src/platform/index.ts";

export class MemoryDisk implements StorageDisk {
  readonly #files = new Map<string, Uint8Array>();

  readFile(path: string): Uint8Array {
    return this.#file(path, "open").slice();
  }

  writeFile(path: string, bytes: Uint8Array, _mode: number): void {
    this.#files.set(path, bytes.slice());
  }

  openAppend(path: string, _mode: number): AppendFile {
    if (!this.#files.has(path)) this.#files.set(path, new Uint8Array());
    const contents = (): Uint8Array => this.#file(path, "write");
    const append = (bytes: Uint8Array): void => void this.#files.set(path, Buffer.concat([contents(), bytes]));
    return {
      get sizeBytes() {
        return contents().length;
      },
      append,
      close: () => undefined,
    };
  }

  rename(from: string, to: string): void {
    this.#files.set(to, this.#file(from, "rename"));
    this.#files.delete(from);
  }

  remove(path: string): void {
    this.#file(path, "remove");
    this.#files.delete(path);
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
    if (!this.#files.has(path)) this.#files.set(path, new Uint8Array());
    const contents = (): Uint8Array => this.#file(path, "write");
    return {
      path,
      get sizeBytes() {
        return contents().length;
      },
      read: (into, start, end, position) => {
        const part = contents().subarray(position, position + end - start);
        into.set(part, start);
        return part.length;
      },
      write: (bytes, start, end, position) => {
        const old = contents();
        const fresh = new Uint8Array(Math.max(old.length, position + end - start));
        fresh.set(old);
        fresh.set(bytes.subarray(start, end), position);
        this.#files.set(path, fresh);
      },
      truncate: (sizeBytes) => {
        const fresh = new Uint8Array(sizeBytes);
        fresh.set(contents().subarray(0, sizeBytes));
        this.#files.set(path, fresh);
      },
      sync: () => Promise.resolve(),
      syncNow: () => undefined,
      close: () => undefined,
    };
  }

  makeFolder(_path: string): void {
    // Folders exist as soon as a file is in them.
  }

  removeTree(path: string): void {
    for (const file of [...this.#files.keys()]) if (file === path || file.startsWith(`${path}/`)) this.#files.delete(file);
  }

  syncFolder(_path: string): void {
    // Nothing here outlives the process.
  }

  space(): { readonly totalBytes: number; readonly freeBytes: number } {
    return { totalBytes: 2 ** 40, freeBytes: 2 ** 40 };
  }

  lock(path: string): DiskLock | undefined {
    if (this.#locks.has(path)) return undefined;
    this.#locks.add(path);
    return { release: () => void this.#locks.delete(path) };
  }

  readonly #locks = new Set<string>();

  #file(path: string, call: string): Uint8Array {
    const bytes = this.#files.get(path);
    if (bytes === undefined) throw new DiskError("ENOENT", call, path, "no such file or directory");
    return bytes;
  }
}

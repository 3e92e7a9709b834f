/** Files in memory, by path. Folders exist as soon as a file is in them. */
import { type AppendFile, type DirectoryEntry, type Disk, DiskError } from "../../src/platform/index.ts";

export class MemoryDisk implements Disk {
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

  #file(path: string, call: string): Uint8Array {
    const bytes = this.#files.get(path);
    if (bytes === undefined) throw new DiskError("ENOENT", call, path, "no such file or directory");
    return bytes;
  }
}

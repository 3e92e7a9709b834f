/**
 * Files. The only door to them. The synchronous calls are for start-up, reload and logging, where nothing else can go on; storage brings its own
 * asynchronous file handles with it later, on this same interface.
 *
 * Errors are `DiskError` with the operating system's code (`ENOENT`, `ENOSPC`, ...).
 */
export class DiskError extends Error {
  constructor(
    readonly code: string,
    /** System call that failed, as in the reference's texts: `open`, `rename`, ... */
    readonly call: string,
    readonly path: string,
    /** What the code means: `no such file or directory`. */
    readonly reason: string,
  ) {
    super(`${call} ${path}: ${reason}`);
    this.name = "DiskError";
  }
}

/** A file open for appending. Writes are synchronous: a log line is in the kernel's hands when the call returns. */
export interface AppendFile {
  /** Size in bytes, including what was there when it was opened. */
  readonly sizeBytes: number;
  append(bytes: Uint8Array): void;
  close(): void;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface Disk {
  readFile(path: string): Uint8Array;
  /** Writes the whole file, creating it with `mode` (octal permission bits before umask). */
  writeFile(path: string, bytes: Uint8Array, mode: number): void;
  openAppend(path: string, mode: number): AppendFile;
  rename(from: string, to: string): void;
  remove(path: string): void;
  exists(path: string): boolean;
  list(path: string): DirectoryEntry[];
}

/**
 * Files. The only door to them. Calls are synchronous: they reach the page cache, which is quick; what waits for the device (`StorageFile.sync`) is not.
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

/**
 * A file of the storage: read and written at places of the caller's choice. What was written is with the kernel when the call returns (a killed process
 * loses nothing), and on the device after `sync`.
 */
export interface StorageFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Reads from `position` into `into[start, end)`; returns how many bytes were there, less than asked for only at the end of the file. */
  read(into: Uint8Array, start: number, end: number, position: number): number;
  /** Writes all of `bytes[start, end)` at `position`. When it throws (`ENOSPC`, ...) any part may have been written. */
  write(bytes: Uint8Array, start: number, end: number, position: number): void;
  truncate(sizeBytes: number): void;
  /** Resolves when all that was written before the call is on the device (fdatasync, off the event loop). */
  sync(): Promise<void>;
  /** As `sync`, waiting for it. For start and shutdown, and for who knows that the device is quick. */
  syncNow(): void;
  close(): void;
}

/** An exclusive hold on a file, which ends with the process at the latest, however that ends. */
export interface DiskLock {
  release(): void;
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

/** A disk that storage lives on. */
export interface StorageDisk extends Disk {
  /** Opens for reading and writing, made with mode 0640 unless it exists. */
  openStorage(path: string): StorageFile;
  /** Makes the folder and those above it, mode 0750. */
  makeFolder(path: string): void;
  /** Removes a folder with all that is in it; one that does not exist is fine. */
  removeTree(path: string): void;
  /** Resolves when new, renamed and removed names of a folder are durable, those of before the call. Off the event loop. */
  syncFolder(path: string): Promise<void>;
  /** As `syncFolder`, waiting for it. */
  syncFolderNow(path: string): void;
  /** The path from the root of the file system. */
  absolute(path: string): string;
  /** Bytes of the file system that holds `path`. */
  space(path: string): { readonly totalBytes: number; readonly freeBytes: number };
  /** Takes the lock, or undefined when another process (or another holder in this one) has it. Throws `DiskError` when the file cannot be opened. */
  lock(path: string): DiskLock | undefined;
}

/**
 * Files through the operating system's synchronous calls. Every failure becomes a `DiskError` with the words that the C library has for the code, which are
 * also the words of the texts users see (`open x: no such file or directory`).
 */
import { closeSync, constants, existsSync, fdatasync, fdatasyncSync, fstatSync, fsync, fsyncSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, renameSync, rmSync, statfsSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { DiskError } from "../disk.ts";
import { lockFile } from "./file-lock.ts";
import type { AppendFile, DirectoryEntry, DiskLock, StorageDisk, StorageFile } from "../disk.ts";

/** What the operating system's error codes mean, in the C library's words, lower case. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  EAGAIN: "resource temporarily unavailable",
  EBADF: "bad file descriptor",
  EBUSY: "device or resource busy",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EDQUOT: "disk quota exceeded",
  EEXIST: "file exists",
  EFBIG: "file too large",
  EHOSTUNREACH: "no route to host",
  EINVAL: "invalid argument",
  EIO: "input/output error",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  EMFILE: "too many open files",
  EMSGSIZE: "message too long",
  ENAMETOOLONG: "file name too long",
  ENETUNREACH: "network is unreachable",
  ENFILE: "too many open files in system",
  ENODEV: "no such device",
  ENOENT: "no such file or directory",
  ENOMEM: "cannot allocate memory",
  ENOSPC: "no space left on device",
  ENOTDIR: "not a directory",
  ENOTEMPTY: "directory not empty",
  ENXIO: "no such device or address",
  EPERM: "operation not permitted",
  EPIPE: "broken pipe",
  EPROTOTYPE: "protocol wrong type for socket",
  EROFS: "read-only file system",
  ESRCH: "no such process",
  ETIMEDOUT: "connection timed out",
  ETXTBSY: "text file busy",
  EXDEV: "invalid cross-device link",
};

/** The operating system's code of an error that the runtime threw, or its message when it has none. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.message : String(error);
}

/** What an error code means: `ENOENT` is `no such file or directory`; unknown codes come back as they are. */
export function reasonOf(code: string): string {
  return reasons[code] ?? code;
}

function attempt<T>(call: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const code = codeOf(error);
    throw new DiskError(code, call, path, reasonOf(code));
  }
}

class SystemAppendFile implements AppendFile {
  #sizeBytes: number;
  readonly #descriptor: number;
  readonly #path: string;

  constructor(descriptor: number, path: string, sizeBytes: number) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#sizeBytes = sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const from = at;
      const written = attempt("write", this.#path, () => writeSync(this.#descriptor, bytes, from));
      this.#sizeBytes += written;
      at += written;
    }
  }

  close(): void {
    attempt("close", this.#path, () => closeSync(this.#descriptor));
  }
}

class SystemStorageFile implements StorageFile {
  constructor(
    readonly path: string,
    private readonly descriptor: number,
  ) {}

  get sizeBytes(): number {
    return attempt("stat", this.path, () => fstatSync(this.descriptor).size);
  }

  read(into: Uint8Array, start: number, end: number, position: number): number {
    return attempt("read", this.path, () => {
      let at = start;
      while (at < end) {
        const taken = readSync(this.descriptor, into, at, end - at, position + at - start);
        if (taken === 0) break;
        at += taken;
      }
      return at - start;
    });
  }

  write(bytes: Uint8Array, start: number, end: number, position: number): void {
    attempt("write", this.path, () => {
      for (let at = start; at < end; ) at += writeSync(this.descriptor, bytes, at, end - at, position + at - start);
    });
  }

  truncate(sizeBytes: number): void {
    attempt("truncate", this.path, () => ftruncateSync(this.descriptor, sizeBytes));
  }

  sync(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    fdatasync(this.descriptor, (error) => {
      if (error === null) return resolve();
      const code = codeOf(error);
      reject(new DiskError(code, "fdatasync", this.path, reasonOf(code)));
    });
    return promise;
  }

  syncNow(): void {
    attempt("fdatasync", this.path, () => fdatasyncSync(this.descriptor));
  }

  close(): void {
    attempt("close", this.path, () => closeSync(this.descriptor));
  }
}

/** The machine's file systems. */
export class SystemDisk implements StorageDisk {
  readFile(path: string): Uint8Array {
    // A directory opens but does not read, and the call that failed is part of the text.
    const descriptor = attempt("open", path, () => openSync(path, "r"));
    try {
      return attempt("read", path, () => readFileSync(descriptor));
    } finally {
      closeSync(descriptor);
    }
  }

  writeFile(path: string, bytes: Uint8Array, mode: number): void {
    const descriptor = attempt("open", path, () => openSync(path, "w", mode));
    try {
      attempt("write", path, () => writeFileSync(descriptor, bytes));
    } finally {
      closeSync(descriptor);
    }
  }

  openAppend(path: string, mode: number): AppendFile {
    const descriptor = attempt("open", path, () => openSync(path, "a", mode));
    return new SystemAppendFile(descriptor, path, fstatSync(descriptor).size);
  }

  rename(from: string, to: string): void {
    attempt("rename", `${from} ${to}`, () => renameSync(from, to));
  }

  remove(path: string): void {
    attempt("remove", path, () => unlinkSync(path));
  }

  absolute(path: string): string {
    return resolve(path);
  }

  exists(path: string): boolean {
    return existsSync(path);
  }

  list(path: string): DirectoryEntry[] {
    const entries = attempt("open", path, () => readdirSync(path, { withFileTypes: true }));
    return entries.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }));
  }

  openStorage(path: string): StorageFile {
    return new SystemStorageFile(path, attempt("open", path, () => openSync(path, constants.O_RDWR | constants.O_CREAT, 0o640)));
  }

  makeFolder(path: string): void {
    attempt("mkdir", path, () => mkdirSync(path, { recursive: true, mode: 0o750 }));
  }

  removeTree(path: string): void {
    attempt("remove", path, () => rmSync(path, { recursive: true, force: true }));
  }

  syncFolder(path: string): Promise<void> {
    const { promise, resolve: done, reject } = Promise.withResolvers<void>();
    const descriptor = attempt("open", path, () => openSync(path, "r"));
    fsync(descriptor, (error) => {
      closeSync(descriptor);
      if (error === null) return done();
      const code = codeOf(error);
      reject(new DiskError(code, "fsync", path, reasonOf(code)));
    });
    return promise;
  }

  syncFolderNow(path: string): void {
    const descriptor = attempt("open", path, () => openSync(path, "r"));
    try {
      attempt("fsync", path, () => fsyncSync(descriptor));
    } finally {
      closeSync(descriptor);
    }
  }

  space(path: string): { readonly totalBytes: number; readonly freeBytes: number } {
    const { bsize, blocks, bavail } = attempt("statfs", path, () => statfsSync(path));
    return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
  }

  lock(path: string): DiskLock | undefined {
    return attempt("lock", path, () => lockFile(path));
  }
}

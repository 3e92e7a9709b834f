/**
 * Exclusive locks on files, which the runtime lacks, from the C library (`flock`) or, on Windows, from opening the file for nobody else. The system lets go of
 * either when the process ends, however it ends.
 */
import { dlopen, ptr } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";
import type { DiskLock } from "../disk.ts";

const LOCK_EXCLUSIVE = 2;
const LOCK_NONBLOCKING = 4;

const libraries: Readonly<Record<string, readonly string[]>> = {
  linux: ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`],
  darwin: ["libSystem.B.dylib"],
};

function load(name: string) {
  return dlopen(name, { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols;
}

function loadAny(): ReturnType<typeof load> {
  let reason: unknown = new Error(`no locks on ${process.platform}`);
  for (const name of libraries[process.platform] ?? []) {
    try {
      return load(name);
    } catch (error) {
      // the other C library, or none
      reason = error;
    }
  }
  throw reason;
}

/** Undefined when somebody has it. Throws the runtime's error when the file cannot be opened, or there are no locks here. */
export function lockFile(path: string): DiskLock | undefined {
  if (process.platform === "win32") return lockOnWindows(path);
  const { flock } = loadAny();
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o640);
  if (flock(descriptor, LOCK_EXCLUSIVE | LOCK_NONBLOCKING) !== 0) {
    closeSync(descriptor);
    return undefined;
  }
  let isHeld = true;
  return {
    release: () => {
      if (isHeld) closeSync(descriptor);
      isHeld = false;
    },
  };
}

const GENERIC_READ_WRITE = 0xc0000000;
const OPEN_ALWAYS = 4;
const NOT_SHARED = 0;
const INVALID_HANDLE = -1n;
/** Somebody has it open. */
const ERROR_SHARING_VIOLATION = 32;

function lockOnWindows(path: string): DiskLock | undefined {
  const { CreateFileW, CloseHandle, GetLastError } = dlopen("kernel32.dll", {
    CreateFileW: { args: ["ptr", "u32", "u32", "ptr", "u32", "u32", "ptr"], returns: "i64" },
    CloseHandle: { args: ["i64"], returns: "i32" },
    GetLastError: { args: [], returns: "u32" },
  }).symbols;
  const handle = CreateFileW(ptr(Buffer.from(`${path}\0`, "utf16le")), GENERIC_READ_WRITE, NOT_SHARED, null, OPEN_ALWAYS, 0, null);
  if (handle === INVALID_HANDLE) {
    const code = GetLastError();
    if (code === ERROR_SHARING_VIOLATION) return undefined;
    throw new Error(`system error ${code}`);
  }
  let isHeld = true;
  return {
    release: () => {
      if (isHeld) CloseHandle(handle);
      isHeld = false;
    },
  };
}

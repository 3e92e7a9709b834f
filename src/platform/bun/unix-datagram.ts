/**
 * A Unix datagram socket, which the runtime lacks, from the C library. It only ever sends, never blocks (a full daemon loses messages, as with every
 * syslog client), and is opened once, so the cost of a foreign call does not matter.
 *
 * Works on Linux with either C library and on macOS. Elsewhere, and where the runtime cannot load the library, `openUnixDatagram` finds nothing.
 */
import { dlopen, ptr } from "bun:ffi";
import type { SyslogRoad } from "../syslog.ts";

const afUnix = 1;
const sockDgram = 2;
const isLinux = process.platform === "linux";
/** `MSG_DONTWAIT`, and on Linux `MSG_NOSIGNAL`. */
const sendFlags = isLinux ? 0x40 | 0x4000 : 0x80;
/** Size of `sun_path`, with its closing NUL. */
const pathBytesMax = isLinux ? 108 : 104;

const libraries: Readonly<Record<string, readonly string[]>> = {
  linux: ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`],
  darwin: ["libSystem.B.dylib"],
};

function load(name: string) {
  return dlopen(name, {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
    send: { args: ["i32", "ptr", "usize", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  }).symbols;
}

type Calls = ReturnType<typeof load>;

function loadAny(): Calls | undefined {
  for (const name of libraries[process.platform] ?? []) {
    try {
      return load(name);
    } catch {
      // the other C library, or none
    }
  }
  return undefined;
}

/** `struct sockaddr_un` of a path. */
function socketAddress(path: string): Buffer {
  const pathBytes = Buffer.from(path);
  const address = Buffer.alloc(2 + pathBytes.length + 1);
  if (isLinux) {
    address.writeUInt16LE(afUnix, 0);
  } else {
    address[0] = address.length;
    address[1] = afUnix;
  }
  pathBytes.copy(address, 2);
  return address;
}

class DatagramRoad implements SyslogRoad {
  readonly #calls: Calls;
  readonly #descriptor: number;

  constructor(calls: Calls, descriptor: number) {
    this.#calls = calls;
    this.#descriptor = descriptor;
  }

  send(message: Uint8Array): boolean {
    // A failure is a full daemon or a gone one; dialling again tells which, and costs nothing but this message.
    return Number(this.#calls.send(this.#descriptor, ptr(message), message.length, sendFlags)) >= 0;
  }

  async close(): Promise<void> {
    this.#calls.close(this.#descriptor);
  }
}

/** A datagram socket connected to `path`, or undefined when there is none to connect to. */
export function openUnixDatagram(path: string): SyslogRoad | undefined {
  if (Buffer.byteLength(path) >= pathBytesMax) return undefined;
  const calls = loadAny();
  if (calls === undefined) return undefined;
  const descriptor = calls.socket(afUnix, sockDgram, 0);
  if (descriptor < 0) return undefined;
  const address = socketAddress(path);
  if (calls.connect(descriptor, ptr(address), address.length) === 0) return new DatagramRoad(calls, descriptor);
  calls.close(descriptor);
  return undefined;
}

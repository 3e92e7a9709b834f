/**
 * The roads to syslog daemons. UDP, TCP and Unix stream sockets are the runtime's. This machine's own daemon mostly listens on a Unix datagram socket, which
 * the runtime does not have: `unix-datagram.ts` asks the C library for it. Where that cannot be done (Windows), only a stream socket is tried.
 */
import { nodeDns, nodeNet } from "../../util/builtin.ts";
import type { SyslogRoad, SyslogRoads } from "../syslog.ts";
import { codeOf, reasonOf } from "./disk.ts";
import { openUnixDatagram } from "./unix-datagram.ts";

/** Where daemons of the various systems listen. */
const localPaths = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/** Bytes a stream may owe a daemon that does not keep up; messages beyond are dropped. */
const owedBytesMax = 1 << 20;

const closeWaitMs = 1000;

class StreamRoad implements SyslogRoad {
  #socket: Bun.Socket<undefined> | undefined;
  /** Bytes the kernel has not taken yet, in order. */
  #owed: Uint8Array[] = [];
  #owedBytes = 0;
  #drained: (() => void) | undefined;

  async connect(target: { readonly unix: string } | { readonly hostname: string; readonly port: number }): Promise<void> {
    const socketHandler: Bun.SocketHandler<undefined> = {
      data: () => undefined,
      drain: () => this.#flush(),
      close: () => this.#gone(),
      error: () => this.#gone(),
    };
    const common = { socket: socketHandler, data: undefined };
    const socket = await ("unix" in target ? Bun.connect({ ...common, unix: target.unix }) : Bun.connect({ ...common, hostname: target.hostname, port: target.port }));
    socket.unref();
    this.#socket = socket;
  }

  send(message: Uint8Array): boolean {
    if (this.#socket === undefined) return false;
    if (this.#owedBytes + message.length > owedBytesMax) return true;
    this.#owed.push(message);
    this.#owedBytes += message.length;
    if (this.#owed.length === 1) this.#flush();
    return this.#socket !== undefined;
  }

  async close(): Promise<void> {
    if (this.#owed.length > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        setTimeout(resolve, closeWaitMs);
      });
    }
    this.#socket?.end();
    this.#socket = undefined;
  }

  #flush(): void {
    for (let message = this.#owed[0]; message !== undefined && this.#socket !== undefined; message = this.#owed[0]) {
      const written = this.#socket.write(message);
      if (written < 0) return this.#gone();
      this.#owedBytes -= written;
      if (written < message.length) {
        this.#owed[0] = message.subarray(written);
        return;
      }
      this.#owed.shift();
    }
    this.#drained?.();
  }

  #gone(): void {
    this.#socket = undefined;
    this.#owed = [];
    this.#owedBytes = 0;
    this.#drained?.();
  }
}

class UdpRoad implements SyslogRoad {
  readonly #socket: Bun.udp.ConnectedSocket<"uint8array">;

  constructor(socket: Bun.udp.ConnectedSocket<"uint8array">) {
    this.#socket = socket;
    socket.unref();
  }

  send(message: Uint8Array): boolean {
    try {
      this.#socket.send(message);
    } catch {
      // nobody listens there (an earlier datagram was refused), or the message is too long for one
    }
    return true;
  }

  async close(): Promise<void> {
    this.#socket.close();
  }
}

async function unixStream(path: string): Promise<SyslogRoad> {
  const road = new StreamRoad();
  await road.connect({ unix: path });
  return road;
}

/** Splits `host:port`; throws an `Error` with the cause that users see. */
function splitAddress(address: string): { readonly host: string; readonly port: number } {
  if (address === "") throw new Error("missing address");
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(address);
  if (match === null) {
    const colons = address.split(":").length - 1;
    throw new Error(`address ${address}: ${colons > 1 && !address.startsWith("[") ? "too many colons in address" : "missing port in address"}`);
  }
  const [, bracketed, plain, portText = ""] = match;
  const port = Number(portText);
  if (!/^\d+$/.test(portText) || port > 65535) throw new Error(/^\d+$/.test(portText) ? `address ${portText}: invalid port` : `lookup ${portText}: unknown port`);
  return { host: bracketed ?? plain ?? "", port };
}

async function resolve(host: string): Promise<string> {
  if (host === "") return "127.0.0.1";
  if (nodeNet().isIP(host) !== 0) return host;
  try {
    return (await nodeDns().lookup(host)).address;
  } catch {
    throw new Error(`lookup ${host}: no such host`);
  }
}

async function dialNetwork(network: "udp" | "tcp", address: string): Promise<SyslogRoad> {
  let target: { readonly hostname: string; readonly port: number };
  try {
    const { host, port } = splitAddress(address);
    target = { hostname: await resolve(host), port };
  } catch (error) {
    throw new Error(`dial ${network}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    if (network === "udp") {
      return new UdpRoad(await Bun.udpSocket({ connect: target, binaryType: "uint8array", socket: { error: () => undefined } }));
    }
    const road = new StreamRoad();
    await road.connect(target);
    return road;
  } catch (error) {
    const shown = target.hostname.includes(":") ? `[${target.hostname}]` : target.hostname;
    throw new Error(`dial ${network} ${shown}:${target.port}: connect: ${reasonOf(codeOf(error))}`);
  }
}

/** The machine's sockets. */
export class SystemSyslog implements SyslogRoads {
  readonly #localPaths: readonly string[];

  /** `paths`: where the local daemon may listen, in the order to try. */
  constructor(paths: readonly string[] = localPaths) {
    this.#localPaths = paths;
  }

  async local(): Promise<SyslogRoad> {
    for (const path of this.#localPaths) {
      const road = openUnixDatagram(path);
      if (road !== undefined) return road;
    }
    for (const path of this.#localPaths) {
      try {
        return await unixStream(path);
      } catch {
        // the next path
      }
    }
    throw new Error("Unix syslog delivery error");
  }

  async dial(network: "udp" | "tcp" | "unix", address: string): Promise<SyslogRoad> {
    if (network !== "unix") return dialNetwork(network, address);
    try {
      return await unixStream(address);
    } catch (error) {
      throw new Error(`dial unix ${address}: connect: ${reasonOf(codeOf(error))}`);
    }
  }
}

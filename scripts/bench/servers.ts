/**
 * A server under test: started as a fresh process with a small configuration on ports that the system chooses, found
 * through its log (which is an event, where a ports file would have to be polled), ended with SIGTERM.
 */
import { join } from "node:path";
import type { Subprocess } from "bun";
import type { Target } from "./load/spec.ts";

/** File descriptors for servers and loads, as far as the system allows it. */
const OPEN_FILES = 65536;
const START_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;
/** Lines of the log that are kept to explain a failure. */
const LOG_LINES = 8;

export type Transport = Target["transport"];

/** The certificate authority and server certificate that a TLS workload uses. */
export interface Certificates {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Puts `command` behind a shell that raises the limit of open files and then becomes it (same process id). */
export function withOpenFiles(command: readonly string[]): string[] {
  return ["/bin/sh", "-c", `ulimit -n ${OPEN_FILES} 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$@"`, "sh", ...command];
}

/** The configuration that both servers get. `max_pending` is far above what the load leaves outstanding. */
function configuration(transport: Transport, tls: Certificates, more: string): string {
  const lines = ['listen: "127.0.0.1:-1"', 'http: "127.0.0.1:-1"', "max_pending: 256MB", "max_connections: 100000"];
  if (transport === "ws") lines.push('websocket { listen: "127.0.0.1:-1", no_tls: true }');
  if (transport === "tls") lines.push(`tls { cert_file: ${JSON.stringify(tls.certFile)}, key_file: ${JSON.stringify(tls.keyFile)} }`);
  return `${[...lines, more].join("\n")}\n`;
}

/** `nats-server --version` of a binary. Throws if it cannot be run. */
export function versionOf(binary: string): string {
  const { success, stdout, stderr } = Bun.spawnSync([binary, "--version"]);
  if (!success) throw new Error(`${binary} --version failed: ${stderr.toString().trim()}`);
  return stdout.toString().trim();
}

/** Where a server's log says that it listens. */
const LISTENS = {
  client: /Listening for client connections on ([^\s]+):(\d+)$/,
  ws: /Listening for websocket clients on wss?:\/\/([^\s]+):(\d+)$/,
  monitor: /Starting http monitor on ([^\s]+):(\d+)$/,
  ready: /Server is ready$/,
} as const;

export class RunningServer {
  readonly pid: number;
  /** When the process was spawned, in nanoseconds of `Bun.nanoseconds`. */
  readonly spawnedNs: number;
  readonly #process: Subprocess<"ignore", "ignore", "pipe">;
  readonly #transport: Transport;
  readonly #tls: Certificates;
  readonly #log: string[] = [];
  readonly #found = {
    client: Promise.withResolvers<number>(),
    ws: Promise.withResolvers<number>(),
    monitor: Promise.withResolvers<number>(),
    ready: Promise.withResolvers<number>(),
  };

  private constructor(binary: string, configFile: string, transport: Transport, tls: Certificates) {
    this.#transport = transport;
    this.#tls = tls;
    // Nobody may be waiting for a listener that the transport does not use.
    for (const { promise } of Object.values(this.#found)) promise.catch(() => {});
    this.spawnedNs = Bun.nanoseconds();
    this.#process = Bun.spawn(withOpenFiles([binary, "-c", configFile]), { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    this.pid = this.#process.pid;
    void this.#readLog();
  }

  /** Spawns `binary` with a configuration for `transport`, written to the folder `directory`. It may not be ready yet. */
  static async spawn(binary: string, directory: string, transport: Transport, tls: Certificates, more = ""): Promise<RunningServer> {
    const configFile = join(directory, `${transport}.conf`);
    await Bun.write(configFile, configuration(transport, tls, more));
    return new RunningServer(binary, configFile, transport, tls);
  }

  /** The way in, as soon as the listener for clients stands; monitoring may still be missing (`ready` waits for it). */
  async clients(): Promise<Target> {
    return { ...this.#address(await this.#listener(this.#transport === "ws" ? "ws" : "client")), monitorUrl: "" };
  }

  /** The way in, when the server says that it is ready. Rejects if it ends or takes too long. */
  async ready(): Promise<Target> {
    await this.#listener("ready");
    const monitorPort = await this.#listener("monitor");
    return { ...(await this.clients()), monitorUrl: `http://127.0.0.1:${monitorPort}` };
  }

  /** Ends the server and waits for it. */
  async stop(): Promise<void> {
    const kill = setTimeout(() => this.#process.kill("SIGKILL"), STOP_MS_MAX);
    this.#process.kill("SIGTERM");
    await this.#process.exited;
    clearTimeout(kill);
  }

  /** Ends the server as a power failure of the process would. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  /** The last lines that the server logged. */
  get log(): string {
    return this.#log.join("\n");
  }

  #address(port: number): Omit<Target, "monitorUrl"> {
    return { host: "127.0.0.1", port, transport: this.#transport, caFile: this.#tls.caFile, serverPid: this.pid };
  }

  async #listener(name: keyof typeof LISTENS): Promise<number> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`the server did not log ${LISTENS[name]} in time:\n${this.log}`)), START_MS_MAX);
    try {
      return await Promise.race([this.#found[name].promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Reads the log to its end, which keeps the pipe from filling up. */
  async #readLog(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of this.#process.stderr) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#readLine(line.trimEnd());
    }
    for (const { reject } of Object.values(this.#found)) reject(new Error(`the server ended:\n${this.log}`));
  }

  #readLine(line: string): void {
    this.#log.push(line);
    if (this.#log.length > LOG_LINES) this.#log.shift();
    for (const name of ["client", "ws", "monitor", "ready"] as const) {
      const match = LISTENS[name].exec(line);
      if (match !== null) this.#found[name].resolve(Number(match[2] ?? 0));
    }
  }
}

/** What the robustness tests share: the server under test, its figures, and a well-behaved client. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { poll } from "../support/deadline.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { ServerProcess, type ServerSetup } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";

export const BINARY = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));

/** Descriptors that the server may open: enough for every crowd here. */
const DESCRIPTORS = 16_384;

/** Starts the server, on its random client and monitoring ports, with room for many connections: by way of a shell that raises the limit and becomes the server. */
export async function startServer(setup: Omit<ServerSetup, "binary">): Promise<ServerProcess> {
  const launcher = join(temporaryFolder("launcher"), "launch.sh");
  writeFileSync(launcher, `#!/bin/sh\nulimit -n ${DESCRIPTORS}\nexec "${BINARY}" "$@"\n`);
  chmodSync(launcher, 0o755);
  const server = await ServerProcess.start({ ...setup, binary: launcher });
  if (server.ports.monitoring !== undefined) own.set(server, Number((await getJson(server, "/varz"))["subscriptions"]));
  return server;
}

export function natsPort(server: ServerProcess): number {
  return port(server.ports.nats, "nats");
}

export function port(address: { readonly port: number } | undefined, name: string): number {
  if (address === undefined) throw new Error(`the server does not listen for ${name}`);
  return address.port;
}

/** Resident memory of a process, MiB. */
export function residentMiB(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]);
  return (pages * 4096) / 2 ** 20;
}

export async function getJson(server: ServerProcess, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${port(server.ports.monitoring, "monitoring")}${path}`);
  if (response.status !== 200) throw new Error(`${path}: status ${response.status}`);
  return (await response.json()) as Record<string, unknown>;
}

/** Subscriptions that a server has by itself. */
const own = new WeakMap<ServerProcess, number>();

/** Waits until `/varz` shows so many connections, and so many subscriptions beyond the server's own. */
export async function waitForCounts(server: ServerProcess, connections: number, subscriptions: number, milliseconds = 10_000): Promise<void> {
  let last = "";
  try {
    await poll(milliseconds, "counts", async () => {
      const varz = await getJson(server, "/varz");
      last = `${String(varz["connections"])} connections, ${String(varz["subscriptions"])} subscriptions, ${own.get(server) ?? 0} its own`;
      return varz["connections"] === connections && Number(varz["subscriptions"]) - (own.get(server) ?? 0) === subscriptions ? true : undefined;
    });
  } catch {
    throw new Error(`expected ${connections} connections, ${subscriptions} subscriptions; the server has ${last}`);
  }
}

/** A connected client that has seen PONG. */
export async function connect(server: ServerProcess, options = '"verbose":false'): Promise<RawSocket> {
  const socket = await RawSocket.open("127.0.0.1", natsPort(server));
  socket.send(Buffer.from(`CONNECT {${options}}\r\nPING\r\n`));
  await readUntilPong(socket);
  return socket;
}

async function readUntilPong(socket: RawSocket): Promise<void> {
  for (let line = ""; line !== "PONG"; ) {
    line = await socket.received.readLine(5000);
    if (line.startsWith("-ERR")) throw new Error(line);
  }
}

/** Proves that the server serves: a message there and back. */
export async function expectService(server: ServerProcess): Promise<void> {
  const socket = await connect(server);
  socket.send(Buffer.from("SUB still.alive 7\r\nPUB still.alive 2\r\nok\r\nPING\r\n"));
  const lines = [await socket.received.readLine(5000), await socket.received.readLine(5000), await socket.received.readLine(5000)];
  socket.close();
  if (lines.join("|") !== "MSG still.alive 7 2|ok|PONG") throw new Error(`the server answered ${lines.join("|")}`);
}

/** No defect was logged, and the process is still there. */
export function expectSoundLog(server: ServerProcess): void {
  const defects = server.log.filter((line) => /Internal error|panic|Segmentation|\[FTL\]/.test(line));
  if (defects.length > 0) throw new Error(`the server logged:\n${defects.slice(0, 5).join("\n")}`);
}

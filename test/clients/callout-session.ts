/** Servers with an auth callout service, and those who try to get in. One server at a time; `endSession` after each test. */
import { expect } from "bun:test";
import { AuthorizationError, connect, type ConnectionOptions, type NatsConnection } from "@nats-io/transport-node";
import { encodeSeed, keyPairOf } from "../../src/util/nkeys.ts";
import { keyNamed } from "../support/jwt.ts";
import { ServerProcess } from "../support/server-process.ts";
import { type CalloutRequest, type Decision, serve } from "./callout-service.ts";

export const issuer = keyNamed("account", "issuer");
export const stranger = keyNamed("account", "stranger");
const curveSeed = Buffer.alloc(32, 7);
export const curve = { seed: encodeSeed("curve", curveSeed), publicKey: keyPairOf("curve", curveSeed).publicKey };

let server: ServerProcess | undefined;
const open: NatsConnection[] = [];

export async function endSession(): Promise<void> {
  for (const connection of open.splice(0)) await connection.close();
  await server?.stop();
  server = undefined;
}

export async function start(binary: string, config: string, files: Record<string, string> = {}): Promise<ServerProcess> {
  return (server = await ServerProcess.start({ binary, config, files }));
}

function at(running: ServerProcess, options: ConnectionOptions = {}): ConnectionOptions {
  return { servers: `127.0.0.1:${running.ports.nats?.port}`, reconnect: false, timeout: 10_000, ...options };
}

export async function join(running: ServerProcess, options: ConnectionOptions): Promise<NatsConnection> {
  const connection = await connect(at(running, options));
  open.push(connection);
  return connection;
}

export async function service(running: ServerProcess, options: ConnectionOptions, keys: Parameters<typeof serve>[1], decide: (request: CalloutRequest) => Decision): Promise<CalloutRequest[]> {
  const { connection, requests } = await serve(at(running, options), keys, decide);
  open.push(connection);
  return requests;
}

export async function refused(running: ServerProcess, options: ConnectionOptions): Promise<void> {
  const outcome = await connect(at(running, options)).then(
    (connection) => connection.close().then(() => "let in"),
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(AuthorizationError);
}

/** Reasons that events tell of refusals. */
export async function reasons(running: ServerProcess): Promise<string[]> {
  const system = await join(running, { user: "sys", pass: "sys" });
  const seen: string[] = [];
  system.subscribe("$SYS.SERVER.*.CLIENT.AUTH.ERR", { callback: (_error, message) => void seen.push((message.json() as { reason: string }).reason) });
  await system.flush();
  return seen;
}

/** Warnings of the log, without the first of a configuration with plain passwords; keys left out. */
export function warnings(running: ServerProcess): string[] {
  const told = running.log.flatMap((line) => /\[WRN\] (.*)/.exec(line)?.[1] ?? []);
  return told.filter((text) => !text.startsWith("Plaintext passwords")).map((text) => text.replaceAll(/"[UAN][A-Z2-7]{55}"/g, '"KEY"'));
}

/** Violations that `connection` is told of. */
export function violations(connection: NatsConnection): Error[] {
  const seen: Error[] = [];
  void (async () => {
    for await (const status of connection.status()) if (status.type === "error") seen.push(status.error);
  })();
  return seen;
}

/** What monitoring shows of those who are connected, by the name they give themselves. */
export async function shown(running: ServerProcess): Promise<Map<string, Readonly<Record<string, unknown>>>> {
  const connz = (await (await fetch(`http://127.0.0.1:${running.ports.monitoring?.port}/connz?auth=1`)).json()) as { connections: Readonly<Record<string, unknown>>[] };
  return new Map(connz.connections.map((each) => [String(each["name"] ?? ""), each]));
}

export async function reload(running: ServerProcess, config: string): Promise<void> {
  const from = running.log.length;
  running.writeConfig(config);
  running.signal("SIGHUP");
  await running.waitForLog((line) => line.includes("Reloaded server configuration"), from, 3000);
}

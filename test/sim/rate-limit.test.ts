/** How many TLS handshakes may start per second. TLS, section 2.5. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { certificateFolder } from "../support/certificates.ts";
import type { SimClient } from "./client.ts";
import { HELLO } from "./network.ts";
import { type SimServer, Simulation } from "./simulation.ts";

const REFUSAL = "-ERR 'Connection throttling is active. Please try again later.'";

function limited(limit: number): { simulation: Simulation; server: SimServer; open: (count: number) => Promise<SimClient[]> } {
  const simulation = new Simulation();
  for (const name of ["server.pem", "server-key.pem"]) simulation.disk.writeFile(`/${name}`, readFileSync(join(certificateFolder(), name)), 0o600);
  const server = simulation.start(`tls { cert_file: "/server.pem", key_file: "/server-key.pem", timeout: 60, connection_rate_limit: ${limit} }`);
  const open = async (count: number): Promise<SimClient[]> => {
    const clients = Array.from({ length: count }, () => server.open());
    await simulation.settle();
    return clients;
  };
  return { simulation, server, open };
}

function refused(clients: readonly SimClient[]): number {
  return clients.filter((client) => client.isClosed && client.operations().includes(REFUSAL)).length;
}

test("connections above the limit are refused, and the next second admits again", async () => {
  const { simulation, server, open } = limited(3);
  expect(refused(await open(10))).toBe(7);
  await simulation.advance(999);
  expect(refused(await open(1))).toBe(1);
  await simulation.advance(1);
  expect(server.log.lines).toContain("[WRN] Rejected 8 connections due to TLS rate limiting");
  expect(refused(await open(5))).toBe(2);
  expect(new Set(server.closeReasons)).toEqual(new Set(["Maximum Connections Exceeded"]));
});

test("admitted connections go on to TLS and serve", async () => {
  const { simulation, open } = limited(1);
  const [client] = await open(1);
  client.send(HELLO);
  client.send('CONNECT {"verbose":false}\r\nPING\r\n');
  await simulation.settle();
  expect(client.operations()).toEqual(["PONG"]);
});

test("without a limit everybody is admitted", async () => {
  const { open } = limited(0);
  expect(refused(await open(200))).toBe(0);
});

/** What a client still gets when the server closes its connection. Client protocol, section 6. */
import { describe, expect, test } from "bun:test";
import type { SimClient } from "./client.ts";
import { type SimServer, Simulation } from "./simulation.ts";

/** What is left of the messages when it is full fits into half of it: the network takes all of that when it has drained so far. */
const BUFFER = 22_000;

/** A client with 30 messages of 1,016 bytes waiting for it, of which the network holds `BUFFER` bytes; then it breaks the protocol. */
async function offender(bufferBytes = BUFFER, delayMaxMs = 0): Promise<{ simulation: Simulation; server: SimServer; client: SimClient }> {
  const simulation = new Simulation();
  const server = simulation.start('ping_interval: "1h"');
  const client = await server.client({}, { bufferBytes, delayMaxMs, pieceMax: delayMaxMs === 0 ? 0 : 2000 });
  client.send("SUB a 1\r\n");
  await simulation.settle();
  client.pause();
  const producer = await server.client();
  for (let messages = 0; messages < 30; messages++) producer.publish("a", "x".repeat(1000));
  await simulation.settle();
  client.send("NONSENSE\r\n");
  await simulation.settle();
  return { simulation, server, client };
}

describe("a client that is closed with an error", () => {
  test("gets its messages, the error and an orderly end when it reads within 100 ms", async () => {
    const { simulation, client } = await offender();
    await simulation.advance(50);
    client.resume();
    await simulation.advance(10);
    const operations = client.operations();
    expect(operations.length).toBe(31);
    expect(operations.at(-1)).toBe("-ERR 'Unknown Protocol Operation'");
    expect(client.end).toEqual({ error: undefined });
  });

  test("is dropped after 100 ms when it does not read", async () => {
    const { simulation, server, client } = await offender();
    expect(server.closeReasons).toEqual(["Protocol Violation"]);
    await simulation.advance(99);
    expect(client.stream.peer.isClosed).toBe(false);
    await simulation.advance(2);
    expect(client.stream.peer.isClosed).toBe(true);
    expect(client.isClosed).toBe(true);
  });

  test("gets what the network has taken, however late it reads", async () => {
    const { simulation, client } = await offender(100_000);
    await simulation.advance(5000);
    client.resume();
    await simulation.settle();
    expect(client.operations().at(-1)).toBe("-ERR 'Unknown Protocol Operation'");
    expect(client.end).toEqual({ error: undefined });
  });

  test("gets all of it too when the last bytes went out only just in time", async () => {
    const { simulation, client } = await offender(BUFFER, 0.5);
    await simulation.advance(60);
    client.resume();
    for (let tries = 0; tries < 100 && client.operationCount < 15; tries++) await simulation.advance(0.1);
    client.pause();
    // The network has drained below its half, so it took the rest; the client has not read that yet.
    expect(client.stream.peer.inTransit).toBeGreaterThan(1000);
    await simulation.advance(1000);
    client.resume();
    await simulation.settle();
    expect(client.operations().at(-1)).toBe("-ERR 'Unknown Protocol Operation'");
  });

  test("is out of everything at once", async () => {
    const { server } = await offender();
    expect(server.server.clientCount).toBe(1);
    expect(server.subscriptionCount).toBe(0);
  });
});

test("a shutdown sends what is pending and closes in order, without -ERR", async () => {
  const simulation = new Simulation();
  const server = simulation.start('ping_interval: "1h"');
  const reader = await server.client();
  reader.send("SUB a 1\r\n");
  await simulation.settle();
  const writer = await server.client();
  writer.publish("a", "last");
  await simulation.settle();
  const stopped = server.server.shutdown();
  await simulation.settle();
  await stopped;
  expect(reader.operations()).toEqual(["MSG a 1 4 | last"]);
  expect(reader.end).toEqual({ error: undefined });
  expect(server.closeReasons).toEqual(["Server Shutdown", "Server Shutdown"]);
  expect(simulation.clock.pendingTimers).toBe(0);
});

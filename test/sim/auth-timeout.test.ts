/** A client has so long to say who it is. Client protocol, section 8; accounts and authentication. */
import { describe, expect, test } from "bun:test";
import { Simulation } from "./simulation.ts";
import { simulatedHash } from "./system.ts";

const TIMEOUT = ["-ERR 'Authentication Timeout'"];

describe("a silent client", () => {
  test("is cut after 2 s where credentials are required", async () => {
    const simulation = new Simulation();
    const server = simulation.start("authorization { token: secret }, debug: true");
    const client = server.open();
    await simulation.advance(1999);
    expect(client.isClosed).toBe(false);
    await simulation.advance(1);
    expect(client.operations()).toEqual(TIMEOUT);
    expect(client.end).toEqual({ error: undefined });
    expect(server.closeReasons).toEqual(["Authentication Timeout"]);
    expect(server.log.count(" - Authentication Timeout")).toBe(1);
  });

  test("is cut after the configured timeout", async () => {
    const simulation = new Simulation();
    const client = simulation.start("authorization { token: secret, timeout: 0.25 }").open();
    await simulation.advance(249);
    expect(client.isClosed).toBe(false);
    await simulation.advance(1);
    expect(client.operations()).toEqual(TIMEOUT);
  });

  test("is cut with no_auth_user too", async () => {
    const simulation = new Simulation();
    const client = simulation.start("authorization { users: [{ user: guest, password: x }] }, no_auth_user: guest").open();
    await simulation.advance(2000);
    expect(client.operations()).toEqual(TIMEOUT);
    expect(client.isClosed).toBe(true);
  });

  test("stays where nothing is required", async () => {
    const simulation = new Simulation();
    const client = simulation.start().open();
    await simulation.advance(60_000);
    expect(client.isClosed).toBe(false);
    expect(client.operations()).toEqual([]);
  });
});

describe("the timeout is over", () => {
  test("with CONNECT", async () => {
    const simulation = new Simulation();
    const server = simulation.start("authorization { token: secret }");
    const client = await server.client({ auth_token: "secret" });
    await simulation.advance(60_000);
    expect(client.isClosed).toBe(false);
  });

  test("with the first operation of a client that no_auth_user lets in", async () => {
    const simulation = new Simulation();
    const client = simulation.start("authorization { users: [{ user: guest, password: x }] }, no_auth_user: guest").open();
    client.send("PING\r\n");
    await simulation.advance(60_000);
    expect(client.operations()).toEqual(["PONG"]);
    expect(client.isClosed).toBe(false);
  });

  test("but not with half a CONNECT", async () => {
    const simulation = new Simulation();
    const client = simulation.start("authorization { token: secret }").open();
    client.send('CONNECT {"auth_token":');
    await simulation.advance(2000);
    expect(client.operations()).toEqual(TIMEOUT);
  });

  test("while a slow comparison goes on, and what came behind CONNECT waits for it", async () => {
    const simulation = new Simulation();
    simulation.system.bcryptMs = 5000;
    const server = simulation.start(`authorization { users: [{ user: a, password: "${simulatedHash("right")}" }] }`);
    const client = server.open();
    client.send('CONNECT {"verbose":false,"user":"a","pass":"right"}\r\nPING\r\nSUB a 1\r\n');
    await simulation.advance(4999);
    expect(client.operations()).toEqual([]);
    client.publish("a", "later");
    await simulation.advance(1);
    expect(client.operations()).toEqual(["PONG", "MSG a 1 5 | later"]);
  });
});

test("a client that leaves during the comparison leaves nothing behind", async () => {
  const simulation = new Simulation();
  simulation.system.bcryptMs = 50;
  const server = simulation.start(`authorization { users: [{ user: a, password: "${simulatedHash("right")}" }] }`);
  const before = simulation.clock.pendingTimers;
  const client = server.open();
  client.send('CONNECT {"verbose":false,"user":"a","pass":"right"}\r\nSUB a 1\r\n');
  await simulation.advance(10);
  client.stream.break();
  await simulation.settle();
  expect(server.server.clientCount).toBe(0);
  expect(server.subscriptionCount).toBe(0);
  expect(simulation.clock.pendingTimers).toBe(before);
});

test("a wrong secret is refused after the comparison", async () => {
  const simulation = new Simulation();
  simulation.system.bcryptMs = 30;
  const server = simulation.start(`authorization { users: [{ user: a, password: "${simulatedHash("right")}" }] }`);
  const client = server.open();
  client.send('CONNECT {"user":"a","pass":"wrong"}\r\nPING\r\n');
  await simulation.advance(30);
  expect(client.operations()).toEqual(["-ERR 'Authorization Violation'"]);
  expect(server.closeReasons).toEqual(["Authentication Failure"]);
});

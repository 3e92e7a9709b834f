/** Lame duck mode: clients are told, then sent away over time. Client protocol, section 17. */
import { describe, expect, test } from "bun:test";
import type { SimClient } from "./client.ts";
import { type SimServer, Simulation } from "./simulation.ts";

interface Flock {
  readonly simulation: Simulation;
  readonly server: SimServer;
  readonly clients: readonly SimClient[];
  hasStopped(): boolean;
}

/** `count` clients of a server that enters lame duck mode now. */
async function flock(count: number, config = "", seed = 1): Promise<Flock> {
  const simulation = new Simulation(seed);
  const server = simulation.start(`ping_interval: "1h"\n${config}`);
  const clients = Array.from({ length: count }, () => server.open());
  for (const client of clients) client.send('CONNECT {"verbose":false,"protocol":1}\r\nPING\r\n');
  await simulation.settle();
  for (const client of clients) client.operations();
  let stopped = false;
  server.server.onStopped = () => (stopped = true);
  server.server.lameDuck();
  await simulation.settle();
  return { simulation, server, clients, hasStopped: () => stopped };
}

test("without clients the server stops at once", async () => {
  const { server, hasStopped } = await flock(0);
  expect(hasStopped()).toBe(true);
  expect(server.log.lines).toContain("[INF] Entering lame duck mode, stop accepting new clients");
});

test("clients that understand it get INFO with ldm once, others do not", async () => {
  const simulation = new Simulation();
  const server = simulation.start();
  const [modern, old] = [await server.client(), await server.client({ protocol: 0 })];
  const silent = server.open();
  await simulation.settle();
  const before = [modern.infos.length, old.infos.length, silent.infos.length];
  server.server.lameDuck();
  await simulation.advance(5000);
  expect([modern.infos.length, old.infos.length, silent.infos.length]).toEqual([before[0] + 1, before[1], before[2]]);
  expect(modern.infos.at(-1)?.ldm).toBe(true);
});

test("new connections are refused from the start", async () => {
  const { server } = await flock(1);
  expect(() => server.open()).toThrow("connection refused");
});

test("during the grace period everybody stays and is served", async () => {
  const { simulation, clients, server } = await flock(3);
  clients[0].send("SUB a 1\r\n");
  await simulation.advance(9990);
  clients[1].publish("a", "still here");
  await simulation.advance(9);
  expect(clients[0].operations()).toEqual(["MSG a 1 10 | still here"]);
  expect(server.server.clientCount).toBe(3);
  expect(server.log.count("Closing existing clients")).toBe(0);
  await simulation.advance(1);
  expect(server.log.count("Closing existing clients")).toBe(1);
  expect(server.server.clientCount).toBe(2);
});

test("asking twice changes nothing", async () => {
  const { simulation, server, clients } = await flock(2);
  const infos = clients[0].infos.length;
  server.server.lameDuck();
  await simulation.advance(5000);
  expect(clients[0].infos.length).toBe(infos);
  expect(server.log.count("Entering lame duck mode")).toBe(1);
});

describe("closing", () => {
  test("few clients leave one by one, half a second to a second apart, without -ERR", async () => {
    const { simulation, server, clients, hasStopped } = await flock(10);
    await simulation.advance(9999);
    const times: number[] = [];
    for (let ms = 0; ms < 12_000 && server.server.clientCount > 0; ms += 1) {
      const before = server.server.clientCount;
      await simulation.advance(1);
      const left = before - server.server.clientCount;
      expect(left).toBeLessThanOrEqual(1);
      if (left === 1) times.push(ms);
    }
    expect(times.length).toBe(10);
    for (let i = 1; i < times.length; i++) {
      expect(times[i] - times[i - 1]).toBeGreaterThanOrEqual(499);
      expect(times[i] - times[i - 1]).toBeLessThanOrEqual(1001);
    }
    await simulation.settle();
    expect(hasStopped()).toBe(true);
    expect(clients.every((client) => client.isClosed && client.end?.error === undefined && client.operationCount === 0)).toBe(true);
    expect(new Set(server.closeReasons)).toEqual(new Set(["Server Shutdown"]));
  });

  test("ten thousand clients leave evenly over at most the duration", async () => {
    const { simulation, server, hasStopped } = await flock(10_000);
    await simulation.advance(9999);
    expect(server.server.clientCount).toBe(10_000);
    const perSecond: number[] = [];
    while (server.server.clientCount > 0 && perSecond.length < 200) {
      const before = server.server.clientCount;
      await simulation.advance(1000);
      perSecond.push(before - server.server.clientCount);
    }
    // 11 ms per client at most, half of that at least: 91 to 182 in a second.
    expect(perSecond.length).toBeGreaterThanOrEqual(55);
    expect(perSecond.length).toBeLessThanOrEqual(111);
    for (const count of perSecond.slice(0, -1)) {
      expect(count).toBeGreaterThan(85);
      expect(count).toBeLessThan(190);
    }
    await simulation.settle();
    expect(hasStopped()).toBe(true);
  });

  test("in a hurry they leave in batches, within the time there is", async () => {
    const { simulation, server, hasStopped } = await flock(10_000, "lame_duck_duration: 30s, lame_duck_grace_period: 29s");
    await simulation.advance(28_999);
    expect(server.server.clientCount).toBe(10_000);
    await simulation.advance(200);
    expect(server.server.clientCount).toBeGreaterThan(5000);
    await simulation.advance(900);
    expect(server.server.clientCount).toBe(0);
    expect(hasStopped()).toBe(true);
  });

  test("clients that leave by themselves are not waited for", async () => {
    const { simulation, server, clients, hasStopped } = await flock(5);
    for (const client of clients) client.close();
    await simulation.advance(16_000);
    expect(server.server.clientCount).toBe(0);
    expect(hasStopped()).toBe(true);
  });

  test("a shutdown in the middle ends it, and no timer is left", async () => {
    const { simulation, server, clients } = await flock(10);
    await simulation.advance(12_000);
    const stopped = server.server.shutdown();
    await simulation.settle();
    await stopped;
    expect(clients.every((client) => client.isClosed)).toBe(true);
    expect(simulation.clock.pendingTimers).toBe(0);
  });
});

/** When the server pings, and when it gives a peer up. Client protocol, section 8. */
import { describe, expect, test } from "bun:test";
import type { SimClient } from "./client.ts";
import { Simulation } from "./simulation.ts";

/** Lets time pass in steps until `client` has got an operation; the milliseconds that took, or undefined after `limitMs`. */
async function msUntilOperation(simulation: Simulation, client: SimClient, limitMs: number, stepMs = 10): Promise<number | undefined> {
  for (let ms = 0; ms < limitMs; ms += stepMs) {
    if (client.operationCount > 0) return ms;
    await simulation.advance(stepMs);
  }
  return client.operationCount > 0 ? limitMs : undefined;
}

async function mute(simulation: Simulation, config = ""): Promise<{ client: SimClient; server: ReturnType<Simulation["start"]> }> {
  const server = simulation.start(config);
  const client = await server.client();
  client.answersPings = false;
  return { client, server };
}

describe("the first ping", () => {
  test("comes 2.0 to 2.4 s after CONNECT, spread over that span", async () => {
    const times: number[] = [];
    for (let seed = 1; seed <= 40; seed++) {
      const simulation = new Simulation(seed);
      const { client } = await mute(simulation);
      const ms = await msUntilOperation(simulation, client, 3000);
      expect(client.operations()).toEqual(["PING"]);
      times.push(ms ?? Number.NaN);
    }
    expect(Math.min(...times)).toBeGreaterThanOrEqual(2000);
    expect(Math.max(...times)).toBeLessThanOrEqual(2410);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(200);
  });

  test("comes after ping_interval when that is shorter, also spread", async () => {
    const simulation = new Simulation();
    const { client } = await mute(simulation, "ping_interval: 1s");
    const ms = await msUntilOperation(simulation, client, 3000);
    expect(ms).toBeGreaterThanOrEqual(1000);
    expect(ms).toBeLessThanOrEqual(1210);
  });

  test("comes after the whole ping_interval to a client that never sends CONNECT", async () => {
    const simulation = new Simulation();
    const client = simulation.start("ping_interval: 30s").open();
    client.answersPings = false;
    await simulation.advance(29_999);
    expect(client.operations()).toEqual([]);
    await simulation.advance(1);
    expect(client.operations()).toEqual(["PING"]);
  });

  test("is sent to a busy client too, for the round trip is not known yet", async () => {
    const simulation = new Simulation();
    const { client } = await mute(simulation);
    for (let ms = 0; ms < 2500; ms += 100) {
      client.publish("busy", "x");
      await simulation.advance(100);
    }
    expect(client.operations()).toEqual(["PING"]);
  });
});

describe("a peer that does not answer", () => {
  test("is given up when one ping more than ping_max would be outstanding", async () => {
    const simulation = new Simulation();
    const { client, server } = await mute(simulation, "ping_interval: 1s, ping_max: 2");
    await simulation.advance(1200);
    expect(client.operations()).toEqual(["PING"]);
    await simulation.advance(1000);
    expect(client.operations()).toEqual(["PING"]);
    expect(client.isClosed).toBe(false);
    await simulation.advance(1000);
    expect(client.operations()).toEqual(["-ERR 'Stale Connection'"]);
    expect(client.end).toEqual({ error: undefined });
    expect(server.closeReasons).toEqual(["Stale Connection"]);
    expect(server.server.stats.staleConnections).toBe(1);
  });

  test("stays when one PONG comes before the end, asked for or not", async () => {
    const simulation = new Simulation();
    const { client } = await mute(simulation, "ping_interval: 1s, ping_max: 2");
    for (let round = 0; round < 10; round++) {
      await simulation.advance(2000);
      client.send("PONG\r\n");
    }
    await simulation.settle();
    expect(client.isClosed).toBe(false);
    expect(client.operations().every((operation) => operation === "PING")).toBe(true);
  });

  test("is given up although it publishes slower than ping_interval", async () => {
    const simulation = new Simulation();
    const { client, server } = await mute(simulation, "ping_interval: 1s, ping_max: 2");
    for (let ms = 0; ms < 12_000 && !client.isClosed; ms += 1500) {
      client.publish("alive", "x");
      await simulation.advance(1500);
    }
    expect(server.closeReasons).toEqual(["Stale Connection"]);
  });
});

describe("traffic in place of pings", () => {
  test("publishing, SUB, UNSUB and PING within ping_interval suppress the ping once the round trip is known", async () => {
    for (const operation of ["PUB t 1\r\nx\r\n", "SUB t 1\r\n", "UNSUB 1\r\n", "PING\r\n"]) {
      const simulation = new Simulation();
      const server = simulation.start("ping_interval: 10s");
      const client = await server.client();
      await simulation.advance(2500);
      client.answersPings = false;
      for (let ms = 0; ms < 60_000; ms += 3000) {
        client.send(operation);
        await simulation.advance(3000);
      }
      expect(client.operations().filter((each) => each === "PING")).toEqual([]);
    }
  });

  test("the round trip is measured anew after an hour of traffic", async () => {
    const simulation = new Simulation();
    const server = simulation.start('ping_interval: "1m"');
    const client = await server.client();
    await simulation.advance(2500);
    client.answersPings = false;
    const minuteOfPing = async (): Promise<number> => {
      for (let minute = 0; minute < 120; minute++) {
        client.publish("busy", "x");
        await simulation.advance(60_000);
        if (client.operationCount > 0) return minute + 1;
      }
      return Number.NaN;
    };
    const minute = await minuteOfPing();
    expect(client.operations()).toEqual(["PING"]);
    expect(minute).toBeGreaterThanOrEqual(60);
    expect(minute).toBeLessThanOrEqual(62);
  });

  test("deliveries to a client do not count as its own traffic", async () => {
    const simulation = new Simulation();
    const server = simulation.start("ping_interval: 2s, ping_max: 2");
    const reader = await server.client();
    reader.send("SUB news 1\r\n");
    await simulation.advance(2500);
    reader.answersPings = false;
    const writer = await server.client();
    for (let ms = 0; ms < 8000 && !reader.isClosed; ms += 100) {
      writer.publish("news", "x");
      await simulation.advance(100);
    }
    expect(server.closeReasons).toEqual(["Stale Connection"]);
  });
});

test("the measured round trip is the way there and back", async () => {
  const simulation = new Simulation();
  const server = simulation.start();
  const client = await server.client({}, { bufferBytes: 65_536, delayMaxMs: 40, pieceMax: 0 });
  await simulation.advance(3000);
  const [link] = server.server.connections.live.values();
  expect(link.heartbeat.rttNs).toBeGreaterThan(0);
  expect(link.heartbeat.rttNs).toBeLessThanOrEqual(80e6);
  expect(client.isClosed).toBe(false);
});

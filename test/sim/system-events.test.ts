/** The system account's clockwork on virtual time: how often figures and connections are told. */
import { expect, test } from "bun:test";
import { Simulation } from "./simulation.ts";

const CONFIG = `
  system_account: SYS
  accounts {
    SYS: { users: [ { user: sys, password: sys } ] }
    APP: { users: [ { user: app, password: app } ] }
  }
  ping_interval: "1h"`;

/** Number of messages on a subject since the last look. */
function arrived(client: { operations(): string[] }, start: string): number {
  return client.operations().filter((operation) => operation.startsWith(start)).length;
}

test("figures are told after 250 ms, then after twice as long, up to every 10 s", async () => {
  const simulation = new Simulation();
  const server = simulation.start(CONFIG);
  const system = await server.client({ user: "sys", pass: "sys" });
  system.send("SUB $SYS.SERVER.*.STATSZ 1\r\n");
  await simulation.settle();
  const gaps: number[] = [];
  let waited = 0;
  for (let step = 0; step < 700; step++) {
    await simulation.advance(50);
    waited += 50;
    if (arrived(system, "MSG $SYS.SERVER.") === 0) continue;
    gaps.push(waited);
    waited = 0;
  }
  expect(gaps.map((gap) => Math.round(gap / 50) * 50).slice(1)).toEqual([500, 1000, 2000, 4000, 8000, 10_000]);
  expect(gaps[0]).toBeLessThanOrEqual(300);
});

test("figures are not told when nobody listens", async () => {
  const simulation = new Simulation();
  const server = simulation.start(CONFIG);
  await simulation.advance(60_000);
  const system = await server.client({ user: "sys", pass: "sys" });
  system.send("SUB $SYS.SERVER.*.STATSZ 1\r\n");
  await simulation.advance(10_000);
  const [line = ""] = system.operations().filter((operation) => operation.startsWith("MSG"));
  // Messages that say who sends them are counted, and this is the first.
  expect(line).toContain('"seq":1,');
});

test("connections of an account are told again every 30 s, as long as there are some", async () => {
  const simulation = new Simulation();
  const server = simulation.start(CONFIG);
  const system = await server.client({ user: "sys", pass: "sys" });
  system.send("SUB $SYS.ACCOUNT.APP.SERVER.CONNS 1\r\n");
  await simulation.settle();
  const app = await server.client({ user: "app", pass: "app" });
  await simulation.settle();
  expect(arrived(system, "MSG $SYS.ACCOUNT.APP.SERVER.CONNS")).toBe(1);
  await simulation.advance(29_000);
  expect(arrived(system, "MSG $SYS.ACCOUNT.APP.SERVER.CONNS")).toBe(0);
  await simulation.advance(2000);
  expect(arrived(system, "MSG $SYS.ACCOUNT.APP.SERVER.CONNS")).toBe(1);
  await simulation.advance(62_000);
  expect(arrived(system, "MSG $SYS.ACCOUNT.APP.SERVER.CONNS")).toBe(2);
  app.close();
  await simulation.settle();
  expect(arrived(system, "MSG $SYS.ACCOUNT.APP.SERVER.CONNS")).toBe(1);
  await simulation.advance(120_000);
  expect(arrived(system, "MSG $SYS.ACCOUNT.APP.SERVER.CONNS")).toBe(0);
});

test("the global account's connections are not told", async () => {
  const simulation = new Simulation();
  const server = simulation.start('system_account: SYS\naccounts { SYS: { users: [ { user: sys, password: sys } ] } }');
  const system = await server.client({ user: "sys", pass: "sys" });
  system.send("SUB $SYS.ACCOUNT.$G.SERVER.CONNS 1\r\nSUB $SYS.SERVER.ACCOUNT.$G.CONNS 2\r\n");
  await simulation.settle();
  await server.client();
  await simulation.advance(60_000);
  expect(system.operations().filter((operation) => operation.startsWith("MSG"))).toEqual([]);
});

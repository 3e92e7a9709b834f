/** `allow_responses`: the right to answer ends with time or count. Client protocol, section 10. */
import { expect, test } from "bun:test";
import { Simulation } from "./simulation.ts";

const VIOLATION = ["-ERR 'Permissions Violation for Publish to \"inbox\"'"];

async function requested(allowResponses: string): Promise<{ simulation: Simulation; answer: () => Promise<string[]>; seen: () => string[] }> {
  const simulation = new Simulation();
  const server = simulation.start(`ping_interval: 1h, authorization { users: [
    { user: service, password: x, permissions: { subscribe: "svc", allow_responses: ${allowResponses} } }
    { user: client, password: x }
  ] }`);
  const service = await server.client({ user: "service", pass: "x" });
  const client = await server.client({ user: "client", pass: "x" });
  service.send("SUB svc 1\r\n");
  client.send("SUB inbox 1\r\n");
  await simulation.settle();
  client.publish("svc", "?", "inbox");
  await simulation.settle();
  expect(service.operations()).toEqual(["MSG svc 1 inbox 1 | ?"]);
  const answer = async (): Promise<string[]> => {
    service.publish("inbox", "!");
    await simulation.settle();
    return service.operations();
  };
  return { simulation, answer, seen: () => client.operations() };
}

test("an answer within two minutes is allowed by default", async () => {
  const { simulation, answer, seen } = await requested("true");
  await simulation.advance(119_000);
  expect(await answer()).toEqual([]);
  expect(seen()).toEqual(["MSG inbox 1 1 | !"]);
});

test("an answer after two minutes is refused by default", async () => {
  const { simulation, answer, seen } = await requested("true");
  await simulation.advance(121_000);
  expect(await answer()).toEqual(VIOLATION);
  expect(seen()).toEqual([]);
});

test("answers are allowed until `expires`, and not after", async () => {
  const { simulation, answer } = await requested('{ max: 100, expires: "5s" }');
  await simulation.advance(2000);
  expect(await answer()).toEqual([]);
  await simulation.advance(2900);
  expect(await answer()).toEqual([]);
  await simulation.advance(200);
  expect(await answer()).toEqual(VIOLATION);
});

test("negative `expires` and `max` never end", async () => {
  const { simulation, answer } = await requested('{ max: -1, expires: "-1s" }');
  for (let hour = 0; hour < 5; hour++) {
    await simulation.advance(50 * 60_000);
    expect(await answer()).toEqual([]);
  }
});

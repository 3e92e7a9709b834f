/** Direct gets where time matters. */
import { describe, expect, test } from "bun:test";
import { StreamWorld } from "./world.ts";

describe("a mirror", () => {
  test("answers for its origin once it has caught up, also when that is gone", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.O", { name: "O", subjects: ["o.>"], allow_direct: true });
    await world.request("o.1", "one");
    expect(await world.api("STREAM.CREATE.M", { name: "M", mirror: { name: "O" } })).toMatchObject({ config: { mirror_direct: true } });
    await world.simulation.advance(2000);
    await world.api("STREAM.DELETE.O");
    const answer = await world.request("$JS.API.DIRECT.GET.O", '{"seq":1}');
    expect(answer).toContain("Nats-Stream: M\r\n");
    expect(answer).toEndWith("\r\n\r\none");
  });

  test("does not when its origin allows no direct gets", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.O", { name: "O", subjects: ["o.>"] });
    await world.request("o.1", "one");
    await world.api("STREAM.CREATE.M", { name: "M", mirror: { name: "O" } });
    await world.simulation.advance(2000);
    expect(await world.request("$JS.API.DIRECT.GET.O", '{"seq":1}')).toStartWith("NATS/1.0 503");
  });
});

test("a long answer is not cut short by others, and ends with what is left", async () => {
  const world = await StreamWorld.start();
  await world.api("STREAM.CREATE.D", { name: "D", subjects: ["d.>"], allow_direct: true });
  for (let i = 0; i < 2000; i++) world.publish(`d.${i % 10}`, String(i));
  await world.simulation.advance(100);
  world.client.send("SUB long 7\r\nSUB short 8\r\n");
  world.publish("$JS.API.DIRECT.GET.D", '{"seq":1,"batch":1500}', {}, "long");
  world.publish("$JS.API.DIRECT.GET.D", '{"multi_last":["d.>"]}', {}, "short");
  await world.simulation.advance(100);
  const operations = world.client.operations();
  const long = operations.filter((operation) => operation.startsWith("HMSG long "));
  const short = operations.filter((operation) => operation.startsWith("HMSG short "));
  expect(long).toHaveLength(1501);
  expect(long.at(-1)).toContain("204 EOB\r\nNats-Num-Pending: 500\r\nNats-Last-Sequence: 1500\r\n");
  expect(short).toHaveLength(11);
  expect(short.at(-1)).toContain("Nats-UpTo-Sequence: 2000\r\n");
});

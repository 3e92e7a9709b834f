/** Many streams, many subjects: what comes in pages. */
import { expect, test } from "bun:test";
import { StreamWorld } from "./world.ts";

test("names of 1,100 streams come in two pages, lists in five", async () => {
  const world = await StreamWorld.start();
  for (let i = 0; i < 1100; i++) world.publish(`$JS.API.STREAM.CREATE.S${i}`, JSON.stringify({ name: `S${i}`, storage: "memory" }));
  const first = (await world.api("STREAM.NAMES")) as { total: number; offset: number; limit: number; streams: string[] };
  expect(first).toMatchObject({ total: 1100, offset: 0, limit: 1024 });
  expect(first.streams).toHaveLength(1024);
  const second = (await world.api("STREAM.NAMES", { offset: 1024 })) as { total: number; offset: number; streams: string[] };
  expect(second).toMatchObject({ total: 1100, offset: 1024 });
  expect(second.streams).toHaveLength(76);
  const names = Array.from({ length: 1100 }, (_, i) => `S${i}`).sort();
  expect([...first.streams, ...second.streams]).toEqual(names);
  const last = (await world.api("STREAM.LIST", { offset: 1024 })) as { limit: number; streams: { config: { name: string } }[] };
  expect(last.limit).toBe(256);
  expect(last.streams.map(({ config }) => config.name)).toEqual(names.slice(1024));
});

test("100,001 subjects come in two pages, sorted, with their counts", async () => {
  const world = await StreamWorld.start();
  await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], storage: "memory" });
  const subjects = Array.from({ length: 100_001 }, (_, i) => `s.${i}`);
  for (let at = 0; at < subjects.length; at += 5000) {
    world.client.send(subjects.slice(at, at + 5000).map((subject) => `PUB ${subject} 0\r\n\r\n`).join(""));
    await world.simulation.advance(50);
  }
  const page = async (offset: number): Promise<{ total: number; offset: number; limit: number; state: { num_subjects: number; subjects: Record<string, number> } }> =>
    (await world.api("STREAM.INFO.S", { subjects_filter: ">", offset })) as never;
  const first = await page(0);
  const second = await page(100_000);
  expect(first).toMatchObject({ total: 100_001, offset: 0, limit: 100_000 });
  expect(second).toMatchObject({ total: 100_001, offset: 100_000 });
  expect([...Object.keys(first.state.subjects), ...Object.keys(second.state.subjects)]).toEqual(subjects.sort());
  expect(new Set(Object.values(first.state.subjects))).toEqual(new Set([1]));
  const none = await world.api("STREAM.INFO.S", { subjects_filter: "x" });
  expect((none as { state: { subjects?: unknown } }).state.subjects).toBeUndefined();
});

test("more messages than may wait are refused with a header", async () => {
  const world = await StreamWorld.start(1, 'jetstream { store_dir: "/store", max_buffered_msgs: 10 }');
  await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s"] });
  world.client.send(Array.from({ length: 30 }, (_, i) => `PUB s in.many${i} 1\r\nx\r\n`).join(""));
  await world.simulation.advance(20);
  const answers = world.client.operations();
  expect(answers.filter((line) => line.includes("429 Too Many Requests") && line.includes('"err_code":10167')).length).toBeGreaterThan(0);
  expect(answers.filter((line) => line.includes('{"stream":"S","seq":'))).not.toHaveLength(0);
});

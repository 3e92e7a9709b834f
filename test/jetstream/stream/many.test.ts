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

test("who audits requests gets an answer of many steps once more, and the requests behind it in order", async () => {
  const world = await StreamWorld.start();
  await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], storage: "memory" });
  for (let at = 0; at < 30_000; at += 5000) {
    world.client.send(Array.from({ length: 5000 }, (_, i) => `PUB s."${at + i}" 0\r\n\r\n`).join(""));
    await world.simulation.advance(50);
  }
  for (let seq = 2; seq <= 400; seq += 2) world.publish("$JS.API.STREAM.MSG.DELETE.S", JSON.stringify({ seq }), {}, "in.none");
  await world.simulation.advance(20);
  world.client.send("SUB $JS.EVENT.ADVISORY.API 2\r\n");
  world.publish("$JS.API.STREAM.INFO.S", JSON.stringify({ subjects_filter: "s.*", deleted_details: true }), {}, "in.first");
  world.publish("$JS.API.STREAM.INFO.S", "", {}, "in.second");
  await world.simulation.advance(100);
  const told = world.client.operations().filter((line) => / in\.(first|second) | \$JS\.EVENT\.ADVISORY\.API /.test(line));
  const bodies = told.map((line) => line.slice(line.indexOf(" | ") + 3));
  expect(told.map((line) => line.split(" ")[1])).toEqual(["in.first", "$JS.EVENT.ADVISORY.API", "in.second", "$JS.EVENT.ADVISORY.API"]);
  const answer = JSON.parse(bodies[0]) as { total: number; state: { subjects: Record<string, number>; deleted: number[] } };
  expect(answer.total).toBe(29_800);
  expect(answer.state.deleted).toEqual(Array.from({ length: 200 }, (_, i) => 2 * i + 2));
  expect(Object.keys(answer.state.subjects)).toHaveLength(29_800);
  expect((JSON.parse(bodies[1]) as { response: string }).response).toBe(bodies[0]);
  expect((JSON.parse(bodies[3]) as { response: string }).response).toBe(bodies[2]);
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

/** What full disks and dying servers do to streams. */
import { describe, expect, test } from "bun:test";
import type { JetStreamContext } from "../../../src/jetstream/context.ts";
import { openAssetFiles } from "../../../src/jetstream/store/index.ts";
import { SeededRandom } from "../../sim/random.ts";
import { StreamWorld } from "./world.ts";

describe("a full disk", () => {
  test("refuses publishes, keeps what they would have replaced, and takes them again when there is room", async () => {
    const world = await StreamWorld.start();
    const { disk } = world.simulation;
    await world.api("STREAM.CREATE.KV", { name: "KV", subjects: ["k.>"], max_msgs_per_subject: 1, discard: "new", allow_rollup_hdrs: true });
    await world.request("k.1", "old");
    disk.freeBytes = 0;
    const refusal = JSON.parse(await world.request("k.1", "new".repeat(100))) as { error: { code: number; err_code: number } };
    expect(refusal.error).toMatchObject({ code: 503, err_code: 10077 });
    expect(await world.request("k.1", "new".repeat(100), { "Nats-Rollup": "sub" })).toContain('"err_code":10077');
    expect(await world.last("KV", "k.1")).toMatchObject({ seq: 1, payload: "old" });
    disk.freeBytes = Number.POSITIVE_INFINITY;
    expect(await world.request("k.1", "newer")).toBe('{"stream":"KV","seq":2}');
    expect(await world.subjects("KV")).toEqual({ "k.1": 1 });
    await world.restart();
    expect(await world.last("KV", "k.1")).toMatchObject({ seq: 2, payload: "newer" });
  });

  test("ids of refused messages are not remembered, and the account's figures hold", async () => {
    const world = await StreamWorld.start();
    const { disk } = world.simulation;
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"] });
    disk.freeBytes = 0;
    expect(await world.request("s.1", "x".repeat(100), { "Nats-Msg-Id": "a" })).toContain('"err_code":10077');
    expect(await world.api("INFO")).toMatchObject({ storage: 0 });
    disk.freeBytes = Number.POSITIVE_INFINITY;
    expect(await world.request("s.1", "x", { "Nats-Msg-Id": "a" })).toBe('{"stream":"S","seq":1}');
    const { storage } = (await world.api("INFO")) as { storage: number };
    const { state } = (await world.api("STREAM.INFO.S")) as { state: { bytes: number } };
    expect(storage).toBe(state.bytes);
  });
});

describe("what a full disk is told with", () => {
  const CONFIG = `
    jetstream { store_dir: "/store" }
    system_account: SYS
    accounts {
      SYS: { users: [ { user: sys, password: sys } ] }
      APP: { jetstream: enabled, users: [ { user: app, password: app } ] }
    }
    no_auth_user: app`;

  test("an advisory in the system account, once, and the health while it lasts", async () => {
    const world = await StreamWorld.start(1, CONFIG);
    const { simulation } = world;
    const system = await world.server.client({ user: "sys", pass: "sys" });
    system.send("SUB $JS.EVENT.> 1\r\nSUB health 2\r\n");
    const health = async (): Promise<string> => {
      system.publish("$SYS.REQ.SERVER.PING.HEALTHZ", "", "health");
      await simulation.advance(5);
      return system.operations().find((operation) => operation.startsWith("MSG health ")) ?? "";
    };
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"] });
    expect(await health()).toContain('"status":"ok"');
    simulation.disk.freeBytes = 0;
    await world.request("s.1", "x".repeat(100));
    await world.request("s.1", "x".repeat(100));
    const advisories = system.operations().filter((operation) => operation.startsWith("MSG $JS.EVENT.ADVISORY.SERVER.OUT_OF_STORAGE "));
    expect(advisories).toHaveLength(1);
    const [, json = ""] = advisories[0]?.split(" | ") ?? [];
    expect(Object.keys(JSON.parse(json) as object)).toEqual(["type", "id", "timestamp", "server", "server_id", "stream", "cluster"]);
    expect(JSON.parse(json)).toMatchObject({ type: "io.nats.jetstream.advisory.v1.server_out_of_space", stream: "S", cluster: "" });
    expect(await health()).toContain("JetStream stream 'APP \\u003e S' write error: write /store/jetstream/APP/streams/S/");
    expect(await world.api("STREAM.UPDATE.S", { name: "S", subjects: ["s.>", "t"] })).toMatchObject({ error: { code: 500, err_code: 10069 } });
    simulation.disk.freeBytes = Number.POSITIVE_INFINITY;
    expect(await world.request("s.1", "x")).toBe('{"stream":"S","seq":1}');
    expect(await health()).toContain('"status":"ok"');
    expect(await world.api("STREAM.INFO.S")).toMatchObject({ config: { subjects: ["s.>"] } });
  });
});

describe("an atomic batch", () => {
  test("is there as a whole or not at all, wherever the server dies", async () => {
    const outcomes = new Set<number>();
    for (let call = 1; call <= 12; call++) {
      const world = await StreamWorld.start(call);
      const { disk } = world.simulation;
      await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_atomic: true });
      await world.request("s.0", "before");
      for (let i = 1; i <= 5; i++) world.publish("s.1", "x".repeat(200), { "Nats-Batch-Id": "b", "Nats-Batch-Sequence": String(i), ...(i === 5 ? { "Nats-Batch-Commit": "1" } : {}) }, "in.none");
      disk.stopAfter(call, new SeededRandom(call));
      await world.simulation.advance(500);
      disk.restart("kill", new SeededRandom(call));
      await world.start();
      const { "s.1": stored = 0, "s.0": before } = await world.subjects("S");
      expect(before).toBe(1);
      expect([0, 5]).toContain(stored);
      outcomes.add(stored);
    }
    expect(outcomes.has(5)).toBe(true);
  });
});

describe("power that fails while a stream is made", () => {
  test("leaves a stream that was announced, and of any other nothing that is in the way", async () => {
    const outcomes = new Set<string>();
    for (let call = 1; call <= 14; call++) {
      for (const seed of [1, 2, 3]) {
        const world = await StreamWorld.start(call * 10 + seed);
        const { disk } = world.simulation;
        disk.stopAfter(call, new SeededRandom(call * 10 + seed));
        world.publish("$JS.API.STREAM.CREATE.S", JSON.stringify({ name: "S", subjects: ["s.>"] }), {}, "in.created");
        await world.simulation.advance(500);
        const wasAnnounced = world.client.operations().some((operation) => operation.includes(" in.created ") && operation.includes('"did_create":true'));
        disk.restart("power", new SeededRandom(call + seed));
        await world.start();
        const { streams } = (await world.api("STREAM.NAMES")) as { streams: string[] | null };
        const isThere = streams?.includes("S") === true;
        if (wasAnnounced) expect([call, seed, isThere]).toEqual([call, seed, true]);
        if (!isThere) expect([call, seed, await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"] })]).toMatchObject([call, seed, { did_create: true }]);
        await world.request("s.1", "after");
        expect((await world.last("S", "s.1")).payload).toBe("after");
        outcomes.add(`${wasAnnounced ? "announced" : "not announced"}, ${isThere ? "there" : "gone"}`);
      }
    }
    expect([...outcomes].sort()).toEqual(["announced, there", "not announced, gone", "not announced, there"]);
  });
});

describe("a stream that asks for more than this server knows", () => {
  test("is named with the reason, and can be removed", async () => {
    const world = await StreamWorld.start();
    await world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.>"] });
    const path = "/store/jetstream/$G/streams/S/stream.json";
    await world.restart(0, () => {
      const { disk, random } = world.simulation;
      // As much of a server as small files need.
      const context = { disk, random, settings: { encryption: undefined, syncIntervalMs: 1000 } } as unknown as JetStreamContext;
      const files = openAssetFiles(context, "$G", "S");
      const text = files.read(path)?.toString() ?? "";
      expect(text).toContain('"_nats.req.level":"0"');
      files.write(path, Buffer.from(text.replace('"_nats.req.level":"0"', '"_nats.req.level":"9"')));
    });
    const reason = "unsupported - required API level: 9, current API level: 5";
    expect(await world.api("STREAM.LIST")).toMatchObject({ streams: [], missing: ["S"], offline: { S: reason } });
    expect(await world.api("STREAM.INFO.S", "", 1000)).toMatchObject({ error: { err_code: 10194, description: `stream is offline: ${reason}` } });
    expect(await world.api("STREAM.DELETE.S")).toMatchObject({ success: true });
    expect(await world.api("STREAM.CREATE.S", { name: "S" })).toMatchObject({ did_create: true });
  });
});

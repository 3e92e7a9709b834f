/** /connz on a simulated server: orders, filters, paging, and what is remembered of connections that are gone. */
import { describe, expect, test } from "bun:test";
import { connz, type ConnzOptions, connzOptions } from "../../src/monitor/connz.ts";
import { ParameterError, Parameters } from "../../src/monitor/params.ts";
import { roundTrip, localTimestamp, timestampOfMs, uptime } from "../../src/monitor/format.ts";
import { timestamp } from "../../src/util/timestamp.ts";
import { type SimServer, Simulation } from "../sim/simulation.ts";

const ALL: ConnzOptions = { sort: "cid", auth: false, subscriptions: "none", offset: 0, limit: 0, cid: 0, state: "open", user: "", account: "", mqttClient: "", filterSubject: "" };

function names(server: SimServer, options: Partial<ConnzOptions> = {}): (string | undefined)[] {
  return (connz(server.server, { ...ALL, ...options }).connections ?? []).map((connection) => connection.name);
}

describe("orders", () => {
  test("each by what it says, over all connections before paging", async () => {
    const world = new Simulation();
    const server = world.start();
    const idle = await server.client({ name: "idle" });
    await world.advance(5000);
    const chatty = await server.client({ name: "chatty" });
    chatty.publish("x", "0123456789");
    chatty.publish("x", "0");
    await world.settle();
    await world.advance(5000);
    const listener = await server.client({ name: "listener" });
    listener.send("SUB a 1\r\nSUB b 2\r\n");
    await world.settle();
    idle.publish("a", "hello");
    await world.settle();
    await world.advance(1000);

    expect(names(server)).toEqual(["idle", "chatty", "listener"]);
    expect(names(server, { sort: "start" })).toEqual(["idle", "chatty", "listener"]);
    expect(names(server, { sort: "subs" })[0]).toBe("listener");
    expect(names(server, { sort: "msgs_from" })).toEqual(["chatty", "idle", "listener"]);
    expect(names(server, { sort: "bytes_from" })).toEqual(["chatty", "idle", "listener"]);
    expect(names(server, { sort: "msgs_to" })[0]).toBe("listener");
    expect(names(server, { sort: "bytes_to" })[0]).toBe("listener");
    expect(names(server, { sort: "uptime" })).toEqual(["listener", "chatty", "idle"]);
    expect(names(server, { sort: "idle" })[0]).toBe("chatty");
    expect(names(server, { sort: "last" }).at(-1)).toBe("chatty");
    expect(names(server, { sort: "uptime", offset: 1, limit: 1 })).toEqual(["chatty"]);
  });

  test("of closed connections by stop and by reason", async () => {
    const world = new Simulation();
    const server = world.start("max_payload: 10");
    const first = await server.client({ name: "first" });
    const second = await server.client({ name: "second" });
    second.send("PUB x 100\r\n");
    await world.advance(1000);
    first.stream.end();
    await world.advance(1000);
    expect(names(server, { state: "closed", sort: "stop" })).toEqual(["first", "second"]);
    expect(names(server, { state: "closed", sort: "reason" })).toEqual(["first", "second"]);
    expect(connz(server.server, { ...ALL, state: "closed", sort: "reason" }).connections?.map((connection) => connection.reason)).toEqual(["Client Closed", "Maximum Message Payload Exceeded"]);
  });
});

describe("filters", () => {
  test("by subject, user, account and id; the total is of the population", async () => {
    const world = new Simulation();
    const server = world.start("accounts { A { users: [{user: a, password: a}] }, B { users: [{user: b, password: b}] } }");
    const a = await server.client({ user: "a", pass: "a", name: "a" });
    a.send("SUB orders.*.new 1\r\n");
    await server.client({ user: "b", pass: "b", name: "b" });
    await world.settle();
    expect(names(server, { account: "A" })).toEqual(["a"]);
    expect(names(server, { user: "b" })).toEqual(["b"]);
    expect(names(server, { account: "A", filterSubject: "orders.eu.>" })).toEqual(["a"]);
    expect(names(server, { account: "A", filterSubject: "orders.new" })).toEqual([]);
    expect(names(server, { mqttClient: "m" })).toEqual([]);
    const [{ cid }] = connz(server.server, { ...ALL, user: "b" }).connections ?? [];
    const one = connz(server.server, { ...ALL, cid });
    expect([one.num_connections, one.total, one.limit]).toEqual([1, 2, 1]);
    expect(connz(server.server, { ...ALL, account: "NOBODY" }).connections).toBeNull();
  });
});

describe("closed connections", () => {
  test("only the last ones are remembered, oldest first", async () => {
    const world = new Simulation();
    const server = world.start("max_closed_clients: 3");
    for (const name of ["1", "2", "3", "4", "5"]) {
      const client = await server.client({ name });
      client.send("SUB left.behind 7\r\n");
      await world.settle();
      client.stream.end();
      await world.settle();
    }
    expect(names(server, { state: "closed" })).toEqual(["3", "4", "5"]);
    expect(server.server.connections.closed().map((record) => record.name)).toEqual(["3", "4", "5"]);
    const [entry] = connz(server.server, { ...ALL, state: "closed", subscriptions: "detail" }).connections ?? [];
    expect(entry.subscriptions).toBe(1);
    expect(entry.subscriptions_list_detail).toEqual([{ account: "$G", account_tag: "$G", subject: "left.behind", qgroup: undefined, sid: "7", msgs: 0, max: undefined, cid: entry.cid }]);
  });

  test("nothing of the connection itself is kept", async () => {
    const world = new Simulation();
    const server = world.start();
    const client = await server.client({ name: "gone" });
    const link = [...server.server.connections.live.values()][0];
    client.stream.end();
    await world.settle();
    const [record] = server.server.connections.closed();
    expect(Object.values(record)).not.toContain(link);
    expect(Object.values(record).some((value) => value === link.subscriptions || value === link.outbound || value === link.connect)).toBe(false);
  });

  test("who it claimed to be is told, also when that was not believed", async () => {
    const world = new Simulation();
    const server = world.start("authorization { user: u, password: p }");
    const client = server.open();
    client.send('CONNECT {"user":"intruder","pass":"x"}\r\nPING\r\n');
    await world.settle();
    const [entry] = connz(server.server, { ...ALL, state: "closed", auth: true }).connections ?? [];
    expect([entry.reason, entry.authorized_user]).toEqual(["Authentication Failure", "intruder"]);
  });
});

test("reading about a client that says what it is measures its distance, once", async () => {
  const world = new Simulation();
  const server = world.start();
  await server.client({ name: "quiet" });
  await server.client({ name: "known", lang: "test" });
  expect((connz(server.server, ALL).connections ?? []).map((connection) => connection.rtt)).toEqual(["0s", "0s"]);
  await world.settle();
  const after = (connz(server.server, ALL).connections ?? []).map((connection) => [connection.name, connection.rtt !== "0s"]);
  expect(after).toEqual([["quiet", false], ["known", true]]);
});

test("wrong parameters are told in the reference's order", () => {
  const complaint = (query: string): string => {
    try {
      connzOptions(new Parameters(new Map(new URLSearchParams(query))));
      return "";
    } catch (error) {
      if (error instanceof ParameterError) return error.message;
      throw error;
    }
  };
  expect(complaint("sort=x&state=x&auth=x")).toStartWith("Error decoding boolean for 'auth'");
  expect(complaint("sort=x&state=y")).toBe("Error decoding state for y");
  expect(complaint("sort=CID")).toBe("invalid sorting option: CID");
  expect(complaint("sort=stop&state=closed&subs=DETAIL&limit=%2B5&offset=-1&cid=7")).toBe("");
  expect(complaint("limit=9223372036854775808")).toBe(`Error decoding int for 'limit': strconv.Atoi: parsing "9223372036854775808": value out of range`);
});

describe("forms", () => {
  test("times", () => {
    const ns = 1_795_466_615_313_000_000n;
    expect(localTimestamp(ns, 0)).toBe(timestamp(ns));
    expect(localTimestamp(ns + 9n, -300)).toBe("2026-11-23T15:43:35.313000009-05:00");
    expect(localTimestamp(ns, 330)).toBe("2026-11-24T02:13:35.313+05:30");
    expect(timestampOfMs(1_795_466_615_000)).toBe("2026-11-23T20:43:35Z");
    expect(timestampOfMs(1_795_466_615_313.25)).toBe("2026-11-23T20:43:35.31325Z");
  });

  test("spans", () => {
    const minute = 60_000;
    expect([0, 7_999, 702_000, 60 * minute, (3 * 1440 + 240) * minute + 9000].map(uptime)).toEqual(["0s", "7s", "11m42s", "1h0m0s", "3d4h0m9s"]);
    expect(uptime((365 + 2) * 1440 * minute + 1000)).toBe("1y2d0h0m1s");
    expect(uptime(-5)).toBe("0s");
    expect([0, 999, 249_999, 1_500_000, 62_500_000_000].map(roundTrip)).toEqual(["0s", "999ns", "249\u00b5s", "1.5ms", "1m2.5s"]);
  });
});

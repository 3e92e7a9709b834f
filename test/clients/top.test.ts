/**
 * A live view as `nats-top` draws it: `/varz` and `/connz` of the monitoring port, asked again and again with every order, decoded as strictly as that program does,
 * which is written in Go: a figure is a whole number, a time is a time, and rates are differences between two answers. On ours and on the reference.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ServerProcess } from "../support/server-process.ts";
import { binaries } from "./cli-session.ts";

setDefaultTimeout(30_000);

type Kind = "whole" | "real" | "text" | "time" | "span" | "texts";
type Fields = Readonly<Record<string, Kind>>;

/** Left out when empty: until a client has said who it is, or when it subscribes to nothing. */
const OPTIONAL = new Set(["name", "lang", "version", "authorized_user", "account", "subscriptions_list"]);

const VARZ: Fields = {
  server_id: "text", server_name: "text", version: "text", host: "text", port: "whole", start: "time", now: "time", uptime: "span", mem: "whole", cores: "whole", cpu: "real", connections: "whole",
  total_connections: "whole", in_msgs: "whole", out_msgs: "whole", in_bytes: "whole", out_bytes: "whole", slow_consumers: "whole", subscriptions: "whole", max_connections: "whole", max_payload: "whole",
};
const CONNZ: Fields = { server_id: "text", now: "time", num_connections: "whole", total: "whole", offset: "whole", limit: "whole" };
const CONNECTION: Fields = {
  cid: "whole", kind: "text", type: "text", ip: "text", port: "whole", start: "time", last_activity: "time", uptime: "span", idle: "span", pending_bytes: "whole", in_msgs: "whole", out_msgs: "whole",
  in_bytes: "whole", out_bytes: "whole", subscriptions: "whole", name: "text", lang: "text", version: "text", authorized_user: "text", account: "text", subscriptions_list: "texts",
};
const SORTS = ["cid", "start", "subs", "pending", "msgs_to", "msgs_from", "bytes_to", "bytes_from", "last", "idle", "uptime", "rtt"];

const FITS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  whole: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  real: (value) => typeof value === "number" && value >= 0,
  text: (value) => typeof value === "string" && value !== "",
  time: (value) => typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(value),
  span: (value) => typeof value === "string" && /^(?:\d+y)?(?:\d+d)?(?:\d+h)?(?:\d+m)?\d+s$/.test(value),
  texts: (value) => Array.isArray(value) && value.every((each) => typeof each === "string"),
};

type Answer = Readonly<Record<string, unknown>>;

function decoded(answer: unknown, fields: Fields): Answer {
  if (typeof answer !== "object" || answer === null) throw new Error("no object");
  const values = answer as Answer;
  for (const [name, kind] of Object.entries(fields)) if (!(values[name] === undefined && OPTIONAL.has(name)) && !FITS[kind](values[name])) throw new Error(`${name} is ${JSON.stringify(values[name])}, which is no ${kind}`);
  return values;
}

class Top {
  constructor(private readonly url: string) {}

  async varz(): Promise<Answer> {
    return decoded(await (await fetch(`${this.url}/varz`)).json(), VARZ);
  }

  async connections(sort: string, limit = 1024): Promise<readonly Answer[]> {
    const answer = decoded(await (await fetch(`${this.url}/connz?limit=${limit}&sort=${sort}&subs=1&auth=1`)).json(), CONNZ);
    const { connections } = answer as { connections: readonly unknown[] };
    expect(connections.length).toBe(Number(answer["num_connections"]));
    return connections.map((each) => decoded(each, CONNECTION));
  }
}

describe.each(binaries)("%s", (binary) => {
  const closing: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  const start = async (): Promise<{ readonly top: Top; readonly join: (name: string) => Promise<NatsConnection> }> => {
    const server = await ServerProcess.start({ binary, config: "accounts { APP: { users: [ { user: app, password: app } ] } }" });
    closing.push(() => server.stop());
    const { monitoring, nats } = server.ports;
    const join = async (name: string): Promise<NatsConnection> => {
      const connection = await connect({ servers: `127.0.0.1:${nats?.port}`, user: "app", pass: "app", name, reconnect: false });
      closing.push(() => connection.close());
      return connection;
    };
    return { top: new Top(`http://${monitoring?.host}:${monitoring?.port}`), join };
  };

  test("figures, rates and subscriptions, in every order", async () => {
    const { top, join } = await start();
    const [quiet, busy] = [await join("quiet"), await join("busy")];
    quiet.subscribe("news.>");
    quiet.subscribe("jobs", { queue: "workers" });
    await quiet.flush();
    const before = await top.varz();
    for (let count = 0; count < 10; count++) busy.publish("news.today", "hello");
    await busy.flush();
    await quiet.flush();
    const after = await top.varz();
    const grown = (name: string): number => Number(after[name]) - Number(before[name]);
    expect({ connections: after["connections"], in: grown("in_msgs"), out: grown("out_msgs"), inBytes: grown("in_bytes"), outBytes: grown("out_bytes") }).toEqual({ connections: 2, in: 10, out: 10, inBytes: 50, outBytes: 50 });

    for (const sort of SORTS) {
      const byName = new Map((await top.connections(sort)).map((each) => [each["name"], each]));
      expect(byName.get("busy")).toMatchObject({ in_msgs: 10, in_bytes: 50, out_msgs: 0, subscriptions: 0, authorized_user: "app", account: "APP" });
      expect(byName.get("quiet")).toMatchObject({ out_msgs: 10, out_bytes: 50, subscriptions: 2 });
      expect([...(byName.get("quiet")?.["subscriptions_list"] as string[])].sort()).toEqual(["jobs", "news.>"]);
    }
    expect((await top.connections("msgs_to"))[0]?.["name"]).toBe("quiet");
    expect((await top.connections("bytes_from"))[0]?.["name"]).toBe("busy");
    expect((await top.connections("subs", 1)).map((each) => each["name"])).toEqual(["quiet"]);
  });

  test("while clients come and go", async () => {
    const { top, join } = await start();
    let isOver = false;
    const poll = async (): Promise<number> => {
      let polls = 0;
      for (; !isOver; polls++) {
        await top.varz();
        for (const each of await top.connections(SORTS[polls % SORTS.length] ?? "cid")) expect(String(each["name"] ?? "guest ")).toStartWith("guest ");
      }
      return polls;
    };
    const pollers = [poll(), poll(), poll()];
    for (let round = 0; round < 8; round++) {
      const guests = await Promise.all([1, 2, 3, 4, 5].map((number) => join(`guest ${round}.${number}`)));
      for (const guest of guests) {
        guest.subscribe("x");
        guest.publish("x");
      }
      await Promise.all(guests.map((guest) => guest.drain()));
    }
    isOver = true;
    for (const polls of await Promise.all(pollers)) expect(polls).toBeGreaterThan(0);
    expect(await top.varz()).toMatchObject({ total_connections: 40 });
  });
});

/**
 * Every endpoint of this server beside the reference's (NATS_REFERENCE_SERVER): the same clients on both, then the same requests, and the answers must have
 * the same status, content type, keys in the same order and types of values. Values differ by nature (ports, times, ids) and are compared where they are the
 * clients' doing.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { poll } from "../support/deadline.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { ServerProcess } from "../support/server-process.ts";

const reference = process.env["NATS_REFERENCE_SERVER"] ?? "";
const ours = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));

const CONFIG = `
server_name: mon
server_tags: ["Region:EU"]
server_metadata { rack: "7" }
accounts {
  A { users: [ { user: a, password: a } ], mappings { "foo": "bar", "x.*": [ { destination: "y.$1", weight: 40 }, { destination: "w.$1", weight: 30 }, { destination: "z.$1", weight: 10, cluster: c } ] } }
  B { users: [ { user: b, password: b } ] }
}
`;

const REQUESTS = [
  "/varz",
  "/connz",
  "/connz?auth=1",
  "/connz?subs=1",
  "/connz?subs=detail&auth=true",
  "/connz?state=closed",
  "/connz?state=closed&auth=1&subs=detail",
  "/connz?state=all&subs=1&sort=start",
  "/connz?state=CLOSED&sort=stop&limit=1",
  "/connz?sort=reason&state=closed",
  "/connz?limit=1&offset=1",
  "/connz?offset=99",
  "/connz?limit=-1&offset=-1",
  "/connz?cid=99999",
  "/connz?user=a",
  "/connz?user=b&state=closed",
  "/connz?acc=A",
  "/connz?acc=NOBODY",
  "/connz?acc=$G&state=closed",
  "/connz?mqtt_client=x",
  "/connz?sort=nope",
  "/connz?sort=uptime",
  "/connz?sort=stop&state=all",
  "/connz?state=nope",
  "/connz?auth=x",
  "/connz?subs=x",
  "/connz?limit=1e3",
  "/connz?limit=99999999999999999999",
  "/connz?cid=x",
  "/connz?auth=a%22b",
  "/connz?auth=x&limit=x&state=x",
  "/routez",
  "/routez?subs=1",
  "/routez?subs=detail",
  "/routez?subs=x",
  "/gatewayz",
  "/gatewayz?accs=1&subs=1",
  "/gatewayz?gw_name=X",
  "/gatewayz?accs=x",
  "/gatewayz?subs=x&accs=x",
  "/leafz",
  "/leafz?subs=1&acc=A",
  "/leafz?subs=detail",
  "/subsz",
  "/subsz?acc=B",
  "/subsz?acc=A&subs=1&test=foo.a",
  "/subsz?acc=NOBODY&subs=1",
  "/subsz?limit=x",
  "/subsz?offset=x",
  "/subsz?subs=x",
  "/subsz?test=foo.%3E",
  "/subscriptionsz",
  "/accountz",
  "/accountz?acc=A",
  "/accountz?acc=$G",
  "/accountz?acc=NOBODY",
  "/accstatz",
  "/accstatz?unused=1",
  "/accstatz?unused=x",
  "/jsz",
  "/jsz?accounts=1&streams=1&consumers=1&config=1&raft=1",
  "/jsz?acc=A",
  "/jsz?leader-only=1",
  "/jsz?limit=x",
  "/jsz?accounts=x&offset=x",
  "/healthz",
  "/healthz?js-enabled-only=1",
  "/healthz?js-server-only=true",
  "/healthz?js-meta-only=1",
  "/healthz?js-enabled=x",
  "/healthz?details=x",
  "/healthz?account=A&stream=S&consumer=C",
  "/healthz?stream=S",
  "/healthz?stream=S&details=1",
  "/healthz?account=A&consumer=C",
  "/healthz?account=A&consumer=C&details=1",
  "/raftz",
  "/raftz?acc=A&group=x",
  "/ipqueuesz",
  "/ipqueuesz?all=1",
  "/ipqueuesz?all=1&queues=sendQ",
  "/ipqueuesz?all=x",
  "/nope",
  "/varz/",
  "//varz",
  "/a/../varz?x=1",
  "/varz?callback=cb",
  "/expvarz",
] as const;

/**
 * What this server cannot have: `imports` are those of the system account's services, `account_tag` and the like would come with them; a share of subjects
 * found in the cache, and the reference's count of its own internal subscriptions, are values, which are not compared.
 */
const OURS_WITHOUT: ReadonlySet<string> = new Set(["imports"]);

/** The shape of a JSON text: keys in order, types of values. Lists tell the shapes that occur in them. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value.map((item) => JSON.stringify(shapeOf(item))))].sort();
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  return Object.entries(value).flatMap(([key, inner]) => (OURS_WITHOUT.has(key) ? [] : [[key, shapeOf(inner)]]));
}

interface Answer {
  readonly status: number;
  readonly contentType: string | null;
  readonly cors: string | null;
  readonly location: string | null;
  readonly text: string;
}

async function ask(server: ServerProcess, path: string): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${server.ports.monitoring?.port}${path}`, { redirect: "manual" });
  const { headers } = response;
  return { status: response.status, contentType: headers.get("content-type"), cors: headers.get("access-control-allow-origin"), location: headers.get("location"), text: await response.text() };
}

async function lineThat(socket: RawSocket, holds: (line: string) => boolean): Promise<void> {
  while (!holds(await socket.received.readLine(3000)));
}

/** Two clients that stay, one that leaves, one that is refused. */
async function populate(server: ServerProcess): Promise<readonly RawSocket[]> {
  const port = server.ports.nats?.port ?? 0;
  const open = async (connect: string, then: string): Promise<RawSocket> => {
    const socket = await RawSocket.open("127.0.0.1", port);
    socket.send(Buffer.from(`CONNECT ${connect}\r\n${then}PING\r\n`));
    await lineThat(socket, (line) => line === "PONG");
    return socket;
  };
  const one = await open('{"verbose":false,"user":"a","pass":"a","name":"one<>","lang":"test","version":"0.1"}', "SUB foo.> 1\r\nSUB q.a workers 2\r\nUNSUB 2 5\r\nPUB foo.a 2\r\nhi\r\n");
  const two = await open('{"verbose":false,"user":"b","pass":"b"}', "SUB only 1\r\n");
  const gone = await open('{"verbose":false,"user":"b","pass":"b","name":"gone","lang":"test"}', "SUB only 1\r\nPUB only 1\r\nx\r\n");
  const closed = (count: number): Promise<true> =>
    poll(3000, `${count} closed connections`, async () => ((JSON.parse((await ask(server, "/connz?state=closed")).text) as { total: number }).total === count ? true : undefined));
  gone.close();
  // One after the other, so that both servers agree on who left last.
  await closed(1);
  const refused = await RawSocket.open("127.0.0.1", port);
  refused.send(Buffer.from('CONNECT {"verbose":false,"user":"b","pass":"wrong"}\r\nPING\r\n'));
  await lineThat(refused, (line) => line.startsWith("-ERR"));
  await closed(2);
  return [one, two];
}

test("our server binary is built", () => {
  expect(existsSync(ours), `${ours} is missing: run the build, or name a binary with NATS_SERVER`).toBe(true);
});

if (existsSync(ours) && existsSync(reference)) {
  describe("beside the reference", () => {
    let servers: readonly ServerProcess[] = [];
    let sockets: readonly RawSocket[] = [];

    beforeAll(async () => {
      servers = await Promise.all([ours, resolve(reference)].map((binary) => ServerProcess.start({ binary, config: CONFIG })));
      sockets = (await Promise.all(servers.map(populate))).flat();
    });

    afterAll(async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => server.stop()));
    });

    for (const path of REQUESTS) {
      test(path, async () => {
        const [mine, theirs] = await Promise.all(servers.map((server) => ask(server, path)));
        const { text: myText, ...myHead } = mine;
        const { text: theirText, ...theirHead } = theirs;
        expect(myHead).toEqual(theirHead);
        if (mine.status !== 200 || !mine.contentType?.startsWith("application/json")) return expect(myText).toBe(theirText);
        const myLayout = /^\{\n( +)"/.exec(myText)?.[1];
        expect(myLayout).toBe(/^\{\n( +)"/.exec(theirText)?.[1]);
        expect(JSON.stringify(shapeOf(JSON.parse(myText)), undefined, 1)).toBe(JSON.stringify(shapeOf(JSON.parse(theirText)), undefined, 1));
      });
    }

    test("what the clients did is told alike", async () => {
      const figures = await Promise.all(
        servers.map(async (server) => {
          const { connections } = JSON.parse((await ask(server, "/connz?auth=1&subs=detail&state=all")).text) as { connections: Readonly<Record<string, unknown>>[] };
          const kept = ["reason", "in_msgs", "out_msgs", "in_bytes", "out_bytes", "subscriptions", "name", "lang", "version", "authorized_user", "account", "name_tag"];
          return connections.map((connection) => Object.fromEntries(kept.map((key) => [key, connection[key]]))).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
        }),
      );
      expect(figures[0]).toHaveLength(4);
      expect(figures[0]).toEqual(figures[1] ?? []);
    });

    test("mappings are told alike", async () => {
      const [mine, theirs] = await Promise.all(
        servers.map(async (server) => (JSON.parse((await ask(server, "/accountz?acc=A")).text) as { account_detail: { mappings: unknown } }).account_detail.mappings),
      );
      expect(mine).toBeObject();
      expect(mine).toEqual(theirs);
    });

    test("requests are counted alike", async () => {
      const [mine, theirs] = await Promise.all(servers.map(async (server) => (JSON.parse((await ask(server, "/varz")).text) as { http_req_stats: Record<string, number> }).http_req_stats));
      // The list of closed connections was polled, as often as each server needed.
      expect({ ...mine, "/connz": 0 }).toEqual({ ...theirs, "/connz": 0 });
    });
  });
} else if (process.env["REQUIRE_REFERENCE"] === "1") {
  test("the reference server is there", () => {
    throw new Error("REQUIRE_REFERENCE=1, but NATS_REFERENCE_SERVER does not name a binary");
  });
} else console.log("monitor: NATS_REFERENCE_SERVER names no binary, so nothing is compared");

/**
 * What monitoring tells of JetStream, beside the reference (NATS_REFERENCE_SERVER): the same streams, messages and consumers on both, then the same requests.
 * Keys, their order and all values must be equal, but for times, ids, and sizes of the process.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { RawSocket } from "../support/raw-socket.ts";
import { ServerProcess } from "../support/server-process.ts";

const reference = process.env["NATS_REFERENCE_SERVER"] ?? "";
const ours = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));

const CONFIG = `
server_name: js
jetstream { store_dir: "\${dir}/js", max_mem: 64M, max_file: 256M, domain: hub, limits { max_ack_pending: 500, duplicate_window: "2m" } }
accounts {
  A { users: [ { user: a, password: a } ], jetstream: enabled }
  B { users: [ { user: b, password: b } ], jetstream { max_mem: 1M, max_file: 2M, max_streams: 3 } }
  C { users: [ { user: c, password: c } ] }
}
no_auth_user: a
`;

/** Account, subject, body. */
const DONE: readonly (readonly [string, string, string])[] = [
  ["a", "$JS.API.STREAM.CREATE.ORDERS", '{"name":"ORDERS","subjects":["orders.>"],"max_bytes":100000,"description":"<all>"}'],
  ["a", "$JS.API.STREAM.CREATE.MEM", '{"name":"MEM","subjects":["mem"],"storage":"memory","retention":"workqueue"}'],
  ["a", "orders.one", "hello"],
  ["a", "orders.two", "hello"],
  ["a", "orders.two", "hello"],
  ["a", "mem", "x"],
  ["a", "$JS.API.STREAM.MSG.DELETE.ORDERS", '{"seq":2}'],
  ["a", "$JS.API.CONSUMER.CREATE.ORDERS.D", '{"stream_name":"ORDERS","config":{"durable_name":"D","ack_policy":"explicit","metadata":{"k":"v"}}}'],
  ["a", "$JS.API.CONSUMER.CREATE.ORDERS.P", '{"stream_name":"ORDERS","config":{"durable_name":"P","ack_policy":"none","deliver_subject":"nobody","filter_subject":"orders.two"}}'],
  ["a", "$JS.API.STREAM.INFO.NONE", ""],
  ["b", "$JS.API.STREAM.CREATE.S", '{"name":"S","subjects":["s"]}'],
  ["c", "$JS.API.INFO", ""],
];

const REQUESTS = [
  "/jsz",
  "/jsz?accounts=1",
  "/jsz?streams=1",
  "/jsz?consumers=1",
  "/jsz?consumers=1&config=1",
  "/jsz?acc=A&streams=1",
  "/jsz?acc=B",
  "/jsz?acc=C&accounts=1",
  "/jsz?acc=NOBODY",
  "/jsz?accounts=1&offset=1",
  "/jsz?accounts=1&limit=1",
  "/jsz?accounts=1&limit=-1",
  "/jsz?raft=1&streams=1",
  "/jsz?consumers=1&direct-consumers=1",
  "/jsz?stream-leader-only=1&streams=1",
  "/healthz",
  "/healthz?js-enabled-only=1",
  "/healthz?js-server-only=1",
  "/healthz?js-meta-only=1",
  "/healthz?account=A",
  "/healthz?account=C",
  "/healthz?account=NOBODY",
  "/healthz?account=A&stream=ORDERS",
  "/healthz?account=A&stream=NONE",
  "/healthz?account=A&stream=ORDERS&consumer=D",
  "/healthz?account=A&stream=ORDERS&consumer=NONE",
  "/healthz?account=A&stream=ORDERS&consumer=NONE&details=1",
  "/healthz?account=NOBODY&details=1",
  "/healthz?details=1",
] as const;

/** Without what differs by nature. */
function comparable(text: string, folder: string): unknown {
  return JSON.parse(text, (key, value: unknown) => {
    if (key === "server_id" || key === "now" || key === "ts" || key === "created" || key === "first_ts" || key === "last_ts") return typeof value;
    // Streams and accounts come in any order there, unless they are paged.
    if (key === "stream_detail" || key === "account_details") return (value as { readonly name: string }[]).sort((a, b) => (a.name < b.name ? -1 : 1));
    return typeof value === "string" ? value.replace(folder, "<folder>") : value;
  });
}

async function ask(server: ServerProcess, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${server.ports.monitoring?.port}${path}`);
  return { status: response.status, text: await response.text() };
}

async function populate(server: ServerProcess): Promise<void> {
  for (const [user, subject, body] of DONE) {
    const socket = await RawSocket.open("127.0.0.1", server.ports.nats?.port ?? 0);
    socket.send(Buffer.from(`CONNECT {"verbose":false,"user":"${user}","pass":"${user}"}\r\nSUB in 1\r\nPUB ${subject} in ${body.length}\r\n${body}\r\n`));
    while (!(await socket.received.readLine(5000)).startsWith("MSG in "));
    socket.destroy();
  }
}

if (existsSync(ours) && existsSync(reference)) {
  describe("JetStream beside the reference", () => {
    let servers: readonly ServerProcess[] = [];

    beforeAll(async () => {
      servers = await Promise.all([ours, resolve(reference)].map((binary) => ServerProcess.start({ binary, config: CONFIG })));
      await Promise.all(servers.map(populate));
    });

    afterAll(async () => {
      await Promise.all(servers.map((server) => server.stop()));
    });

    for (const path of REQUESTS) {
      test(path, async () => {
        const [mine, theirs] = await Promise.all(
          servers.map(async (server) => {
            const { status, text } = await ask(server, path);
            return { status, body: status === 200 || text.startsWith("{") ? comparable(text, server.folder) : text };
          }),
        );
        expect(JSON.stringify(mine, undefined, 1)).toBe(JSON.stringify(theirs, undefined, 1));
      });
    }

    test("/varz and /accountz", async () => {
      const told = await Promise.all(
        servers.map(async (server) => {
          const varz = comparable((await ask(server, "/varz")).text, server.folder) as { readonly jetstream: unknown };
          const accounts = await Promise.all(["A", "B", "C"].map(async (name) => (JSON.parse((await ask(server, `/accountz?acc=${name}`)).text) as { readonly account_detail: Readonly<Record<string, unknown>> }).account_detail));
          return { jetstream: varz.jetstream, accounts: accounts.map(({ jetstream_enabled, mappings }) => ({ jetstream_enabled, mappings })) };
        }),
      );
      expect(told[0]).toEqual(told[1]);
    });
  });
} else if (process.env["REQUIRE_REFERENCE"] === "1") {
  test("the reference server is there", () => {
    throw new Error("REQUIRE_REFERENCE=1, but NATS_REFERENCE_SERVER does not name a binary");
  });
} else console.log("monitor: NATS_REFERENCE_SERVER names no binary, so nothing is compared");

/** Requests of the system account with bodies that are no requests: each gets an answer or none, nobody's connection ends, and the server does not complain of itself. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { join, resolve } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ServerProcess } from "../support/server-process.ts";

setDefaultTimeout(30_000);

const binary = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));

const ENDPOINTS = ["IDZ", "STATSZ", "VARZ", "SUBSZ", "CONNZ", "ROUTEZ", "GATEWAYZ", "LEAFZ", "ACCOUNTZ", "JSZ", "HEALTHZ", "EXPVARZ", "IPQUEUESZ", "RAFTZ"];
const ACCOUNT_ENDPOINTS = ["SUBSZ", "CONNZ", "LEAFZ", "JSZ", "INFO", "STATZ", "CONNS"];
const OPTIONS = [
  "server_name", "host", "tags", "domain", "exact_match", "sort", "auth", "subscriptions", "subscriptions_detail", "offset", "limit", "state", "user", "acc", "account", "mqtt_client", "filter_subject",
  "test", "name", "accounts", "streams", "consumer", "config", "leader_only", "js-enabled", "stream", "all", "group", "duration", "include_unused", "subject", "queue",
];
const VALUES = ["1", "-1", "1e400", "1.5", "9007199254740993", "true", "null", '""', '"x"', '"*"', '"a..b"', '"\\u0000"', '">"', "[]", "[1]", '["a",null]', "{}", '"\\ud800"', `"${"y".repeat(5000)}"`];
const RAW = ["", " ", "{", "}", "[", "nul", '"', '{"a":}', "\u00ff\u00fe", '{"limit":1}{"limit":2}', "x".repeat(70_000), "{".repeat(5000), "[".repeat(5000)];

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

test("garbage instead of options", async () => {
  const server = await ServerProcess.start({
    binary,
    config: `system_account: SYS\njetstream { store_dir: "\${dir}/js" }\naccounts { SYS: { users: [ { user: sys, password: sys } ] }, APP: { jetstream: enabled, users: [ { user: app, password: app } ] } }`,
  });
  closing.push(() => server.stop());
  const enter = async (user: string): Promise<NatsConnection> => {
    const connection = await connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, user, pass: user, reconnect: false });
    closing.push(() => connection.close());
    connection.subscribe("answers", { callback: () => undefined });
    return connection;
  };
  const [system, user] = [await enter("sys"), await enter("app")];
  const bodies = [...OPTIONS.flatMap((name) => VALUES.map((value) => `{"${name}":${value}}`)), ...RAW];
  const flood = async (connection: NatsConnection, subjects: readonly string[]): Promise<void> => {
    for (const subject of subjects) {
      for (const body of bodies) connection.publish(subject, body, { reply: "answers" });
      await connection.flush();
    }
  };
  await flood(system, [
    ...ENDPOINTS.map((name) => `$SYS.REQ.SERVER.PING.${name}`),
    ...ACCOUNT_ENDPOINTS.flatMap((name) => ["APP", "$G", "NONE"].map((account) => `$SYS.REQ.ACCOUNT.${account}.${name}`)),
    "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING.STATZ", "$SYS.REQ.ACCOUNT.NSUBS", "$SYS.DEBUG.SUBSCRIBERS", "$SYS.REQ.USER.INFO",
  ]);
  await flood(user, ["$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.ACCOUNT.PING.STATZ", "$SYS.REQ.USER.INFO"]);
  const answer = (await system.request("$SYS.REQ.SERVER.PING.VARZ", "", { timeout: 5000 })).json<{ data: { connections: number } }>();
  expect(answer.data.connections).toBe(2);
  expect(server.log.filter((line) => line.includes("[ERR]") || line.includes("Internal"))).toEqual([]);
});

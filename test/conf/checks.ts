/** What each sample promises its reader, as a check on a server that runs it: for most, something that works and something that does not. */
import { expect } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { within, poll } from "../support/deadline.ts";
import { nkeyNamed } from "../support/nkeys.ts";
import type { Address } from "../support/server-process.ts";
import { Client } from "./client.ts";
import { accountsChecks } from "./accounts-checks.ts";
import { jetstreamChecks } from "./jetstream-checks.ts";
import { operatorChecks } from "./operator-checks.ts";
import type { Running } from "./samples.ts";

/** A check on a server that is ready. */
export type Check = (running: Running) => Promise<void>;

const REFUSED = "-ERR 'Authorization Violation'";
const publishRefused = (subject: string): string => `-ERR 'Permissions Violation for Publish to "${subject}"'`;
const subscribeRefused = (subject: string, queue = ""): string => `-ERR 'Permissions Violation for Subscription to "${subject}"${queue === "" ? "" : ` using queue "${queue}"`}'`;

/** The text of the error that `promise` rejects with. */
async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return String(error);
  }
  return "no failure";
}

const alice = { user: "alice", pass: "wonderland" };
const bob = { user: "bob", pass: "builder" };

async function aliceAndBob(running: Running): Promise<void> {
  expect(await running.login(alice)).toBe("PONG");
  expect(await running.login(bob)).toBe("PONG");
  expect(await running.login({ user: "alice", pass: "builder" })).toBe(REFUSED);
  expect(await running.login()).toBe(REFUSED);
}

/** Common name of the certificate that a client gets who asks for `serverName`. */
async function certificateFor(address: Address, serverName: string, ca: Buffer): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const plain = connect({ host: address.host, port: address.port });
  plain.once("error", reject);
  plain.once("data", () => {
    plain.removeAllListeners();
    const secure = tlsConnect({ socket: plain, ca, servername: serverName });
    secure.once("error", reject);
    secure.once("secureConnect", () => {
      resolve(String(secure.getPeerCertificate().subject.CN));
      secure.destroy();
    });
  });
  return within(5000, "TLS handshake", promise);
}

async function getJson(url: string, ca?: Buffer): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(url, ca === undefined ? {} : { tls: { ca } });
  expect(response.status).toBe(200);
  return (await response.json()) as Readonly<Record<string, unknown>>;
}

const basics: Readonly<Record<string, Check>> = {
  "basics/smallest.conf": async (running) => {
    const client = await running.client();
    expect(client.info.server_name).toBe("my-server");
    expect(await client.exchange("SUB hello 1", "PUB hello 5", "world")).toEqual(["MSG hello 1 5", "world"]);
  },
  "basics/variables.conf": async (running) => {
    const admin = await running.client({ user: "admin", pass: "s3cret" });
    expect(admin.info.max_payload).toBe(1024 * 1024);
    expect(await admin.exchange("PUB x 0", "")).toEqual([]);
    const viewer = await running.client({ user: "viewer", pass: "look" });
    expect(await viewer.exchange("SUB x 1", "PUB x 0", "")).toEqual([publishRefused("x")]);
    expect(await running.login({ user: "admin", pass: "NATS_PASSWORD" })).toBe(REFUSED);
  },
  "basics/includes.conf": async (running) => {
    expect((await running.open()).info.max_payload).toBe(64 * 1024);
    await aliceAndBob(running);
  },
  "basics/config.json": async (running) => {
    expect((await running.open()).info.server_name).toBe("configured-in-json");
    await aliceAndBob(running);
    const reader = await running.client(bob);
    expect(await reader.exchange("SUB news.today 1", "SUB secrets 2")).toEqual([subscribeRefused("secrets")]);
  },
  "basics/limits.conf": async (running) => {
    const first = await running.client();
    const second = await running.client();
    const third = await running.open();
    expect(await third.line()).toBe("-ERR 'maximum connections exceeded'");
    expect(await first.exchange("SUB a 1", "SUB b 2", "SUB c 3", "SUB d 4")).toEqual(["-ERR 'maximum subscriptions exceeded'"]);
    second.send("PUB x 4097\r\n");
    expect(await second.line()).toBe("-ERR 'Maximum Payload Violation'");
    await second.ended();
  },
  "basics/lame-duck.conf": async (running) => {
    const client = await running.client({ protocol: 1 });
    await client.exchange();
    process.kill(Number(readFileSync(join(running.folder, "nats-server.pid"), "utf8")), "SIGUSR2");
    while (client.info.ldm !== true) await client.readInfo();
    await client.ended();
    expect(await running.server.exited(10_000)).toBe(0);
  },
  "basics/reload.conf": async (running) => {
    const [stays, goes] = [await running.client(alice), await running.client(bob)];
    const text = readFileSync(running.file, "utf8");
    const changed = text.replace(/^.*user: bob.*\n/m, "").replace("max_payload: 1MB", "max_payload: 1KB");
    expect(changed.length).toBeLessThan(text.length - 10);
    writeFileSync(running.file, changed);
    running.server.signal("SIGHUP");
    await running.server.waitForLog((line) => line.includes("Reloaded server configuration"));
    await goes.ended();
    expect(await stays.exchange()).toEqual([]);
    expect((await running.open()).info.max_payload).toBe(1024);
    expect(await running.login(bob)).toBe(REFUSED);
    // what is wrong changes nothing
    const from = running.server.log.length;
    writeFileSync(running.file, `${changed}\nnonsense: 1\n`);
    running.server.signal("SIGHUP");
    await running.server.waitForLog((line) => line.includes("Failed to reload server configuration"), from);
    expect(await stays.exchange()).toEqual([]);
    writeFileSync(running.file, text);
  },
};

const auth: Readonly<Record<string, Check>> = {
  "auth/token.conf": async (running) => {
    expect(await running.login({ auth_token: "s3cret" })).toBe("PONG");
    expect(await running.login({ auth_token: "guess" })).toBe(REFUSED);
  },
  "auth/password.conf": aliceAndBob,
  "auth/bcrypt.conf": async (running) => {
    expect(await running.login(alice)).toBe("PONG");
    expect(await running.login({ user: "alice", pass: "wonderlanD" })).toBe(REFUSED);
  },
  "auth/nkey.conf": async (running) => {
    const attempt = async (name: string): Promise<string> => {
      const client = await running.open();
      const key = nkeyNamed("user", name);
      return client.login({ nkey: nkeyNamed("user", "sample").publicKey, sig: key.sign(client.info.nonce ?? "").toString("base64url") });
    };
    expect(await attempt("sample")).toBe("PONG");
    expect(await attempt("somebody else")).toBe(REFUSED);
  },
  "auth/tls-map.conf": async (running) => {
    const byEmail = await running.open({ certificate: "alice" });
    expect(await byEmail.login()).toBe("PONG");
    expect(await byEmail.exchange("PUB admin.x 0", "")).toEqual([]);
    const bySubject = await running.open({ certificate: "bob" });
    expect(await bySubject.login()).toBe("PONG");
    expect(await bySubject.exchange("PUB admin.x 0", "")).toEqual([publishRefused("admin.x")]);
    expect(await refusedByTls(running)).toBe(true);
  },
  "auth/no-auth-user.conf": async (running) => {
    const guest = await running.client();
    expect(await guest.exchange("SUB public.news 1", "SUB private 2", "PUB x 0", "")).toEqual([subscribeRefused("private"), publishRefused("x")]);
    expect(await (await running.client(alice)).exchange("SUB private 2", "PUB x 0", "")).toEqual([]);
    expect(await running.login({ user: "alice", pass: "guess" })).toBe(REFUSED);
  },
  "auth/permissions.conf": async (running) => {
    const user = (name: string): Promise<Client> => running.client({ user: name, pass: name });
    expect(await (await user("guest")).exchange("PUB sandbox.a 0", "", "PUB orders.new 0", "")).toEqual([publishRefused("orders.new")]);

    const [shop, service] = [await user("shop"), await user("service")];
    expect(await service.exchange("SUB orders.> 1", "PUB orders.new 0", "")).toEqual([publishRefused("orders.new")]);
    await shop.exchange("SUB _INBOX.shop.> 1", "PUB orders.new _INBOX.shop.1 0", "");
    expect(await service.exchange("PUB _INBOX.shop.1 2", "ok", "PUB _INBOX.shop.1 5", "again")).toEqual(["MSG orders.new 1 _INBOX.shop.1 0", "", publishRefused("_INBOX.shop.1")]);
    expect(await shop.exchange("PUB orders.cancel 0", "")).toEqual(["MSG _INBOX.shop.1 1 2", "ok", publishRefused("orders.cancel")]);

    const worker = await user("worker");
    expect(await worker.exchange("SUB jobs.a v1.fast 1", "SUB jobs.a v1.test 2", "SUB jobs.a 3")).toEqual([subscribeRefused("jobs.a", "v1.test"), subscribeRefused("jobs.a")]);

    const auditor = await user("auditor");
    expect(await auditor.exchange("SUB secret.x 1", "PUB secret.x 0", "")).toEqual([subscribeRefused("secret.x"), publishRefused("secret.x")]);
    expect(await auditor.exchange("SUB > 2", "PUB open 2", "hi")).toEqual(["MSG open 2 2", "hi"]);
  },
  "auth/accounts.conf": async (running) => {
    const [shop, engineer] = [await running.client({ user: "shop", pass: "shop" }), await running.client({ user: "engineer", pass: "engineer" })];
    await engineer.exchange("SUB > 1");
    expect(await shop.exchange("SUB > 1", "PUB plant.a 2", "hi")).toEqual(["MSG plant.a 1 2", "hi"]);
    expect(await engineer.exchange()).toEqual([]);
    expect(await engineer.exchange("PUB plant.old.7 0", "")).toEqual(["MSG plant.new.7 1 0", ""]);
    const sensor = await running.client({ user: "sensor", pass: "sensor" });
    expect(await sensor.exchange("PUB shop.x 0", "", "SUB shop.x 1")).toEqual([publishRefused("shop.x"), subscribeRefused("shop.x")]);
    expect(await running.login({ user: "shop-viewer", pass: "look" })).toBe("PONG");
    expect(await running.login({ user: "shop", pass: "shop" })).toBe("-ERR 'maximum account active connections exceeded'");
    shop.send("PUB x 1025\r\n");
    expect(await shop.line()).toBe("-ERR 'Maximum Payload Violation'");
    expect(await running.login()).toBe(REFUSED);
  },
  "auth/system-account.conf": async (running) => {
    const operator = await running.client({ user: "operator", pass: "operate", protocol: 1 });
    await operator.exchange("SUB > 1");
    const application = await running.client({ protocol: 1 });
    expect(await application.exchange("SUB > 1", "PUB hello 5", "world")).toEqual(["MSG hello 1 5", "world"]);
    // the operator may see what the server says of itself, but nothing of the application
    expect((await operator.exchange()).filter((line) => line.startsWith("MSG hello "))).toEqual([]);
    // servers before 2.11 do not tell clients their account
    if (!running.own && operator.info.remote_account === undefined) return;
    expect([operator.info.remote_account, operator.info.acc_is_sys]).toEqual(["SYS", true]);
    expect([application.info.remote_account, application.info.acc_is_sys]).toEqual(["APP", undefined]);
  },
};

/** Whether a client without a certificate gets nowhere: the handshake fails, or the connection ends before an answer. */
async function refusedByTls(running: Running, certificate?: string): Promise<boolean> {
  try {
    const client = await running.open(certificate === undefined ? {} : { certificate });
    return (await client.login()) !== "PONG";
  } catch {
    return true;
  }
}

async function tlsWorks(running: Running, tls: { readonly certificate?: string; readonly first?: boolean } = {}): Promise<void> {
  const client = await running.open(tls);
  expect(await client.login()).toBe("PONG");
  expect(client.socket.tlsVersion).toBe("TLSv1.3");
}

const tls: Readonly<Record<string, Check>> = {
  "tls/basic.conf": async (running) => {
    await tlsWorks(running);
    const plain = await running.open();
    expect(plain.info.tls_required).toBe(true);
    plain.send('CONNECT {"verbose":false}\r\nPING\r\n');
    expect((await plain.ended()).includes("PONG")).toBe(false);
  },
  "tls/verify.conf": async (running) => {
    await tlsWorks(running, { certificate: "bob" });
    expect(await refusedByTls(running)).toBe(true);
  },
  "tls/handshake-first.conf": async (running) => {
    await tlsWorks(running, { first: true });
    const plain = await Client.dial(running.server.ports.nats);
    plain.send(Buffer.from('CONNECT {"verbose":false}\r\n'));
    expect(await failure(plain.received.readLine(5000))).toContain("connection ended");
  },
  "tls/allow-non-tls.conf": async (running) => {
    await tlsWorks(running);
    const plain = await running.client();
    expect([plain.info.tls_required, plain.info.tls_available]).toEqual([undefined, true]);
  },
  "tls/several-certificates.conf": async (running) => {
    const address = running.server.ports.nats;
    if (address === undefined) throw new Error("no client port");
    const ca = readFileSync(join(running.certificates, "ca.pem"));
    expect(await certificateFor(address, "localhost", ca)).toBe("localhost");
    expect(await certificateFor(address, "nats.example.com", ca)).toBe("nats.example.com");
  },
  "tls/pinned.conf": async (running) => {
    await tlsWorks(running, { certificate: "alice" });
    expect(await refusedByTls(running, "bob")).toBe(true);
  },
};

const others: Readonly<Record<string, Check>> = {
  "websocket/browser.conf": async (running) => {
    const upgrade = async (headers: Readonly<Record<string, string>>): ReturnType<typeof Client.upgrade> => {
      const upgraded = await Client.upgrade(await Client.dial(running.server.ports.websocket), headers);
      running.keep(upgraded.client);
      return upgraded;
    };
    const origin = { Origin: "http://localhost:8080" };
    const { client, headers } = await upgrade({ ...origin, "Sec-WebSocket-Extensions": "permessage-deflate", Cookie: "nats_user=browser; nats_pass=page" });
    expect(headers.get("x-server")).toBe("sample");
    expect(headers.get("sec-websocket-extensions")).toStartWith("permessage-deflate");
    expect(await client.login()).toBe("PONG");
    expect(await client.exchange("SUB hello 1", "PUB hello 5", "world")).toEqual(["MSG hello 1 5", "world"]);
    expect(await (await upgrade(origin)).client.login()).toBe(REFUSED);
    expect(await failure(upgrade({ Origin: "http://elsewhere.example.com" }))).toContain("status 403");
    expect(await running.login(alice)).toBe("PONG");
    expect(await running.login({ user: "browser", pass: "page" })).toBe(REFUSED);
  },
  "websocket/tls.conf": async (running) => {
    const socket = await Client.dial(running.server.ports.websocket);
    await socket.startTls({ certificates: running.certificates });
    const client = running.keep((await Client.upgrade(socket, {})).client);
    expect(await client.login()).toBe("PONG");
    expect(await client.exchange("SUB public.x 1", "PUB public.x 0", "")).toEqual([publishRefused("public.x")]);
    expect(await running.login()).toBe(REFUSED);
  },
  "logging/file.conf": async (running) => {
    const files = (): string[] => readdirSync(running.folder).filter((name) => name.startsWith("nats-server.log"));
    const read = (): string => readFileSync(join(running.folder, "nats-server.log"), "utf8");
    await poll(5000, "the start in the log", () => (read().includes("[INF] Server is ready\n") ? true : undefined));
    const client = await running.client();
    await client.exchange("PUB hello 5", "world");
    await poll(5000, "trace lines", () => (read().includes("<<- [PUB hello 5]") ? true : undefined));
    const long = "x".repeat(200);
    for (let round = 0; round < 20; round++) await client.exchange(...Array.from({ length: 100 }, () => [`PUB a.subject 200`, long]).flat());
    await poll(5000, "rotated files", () => (files().length === 3 && !read().includes("Server is ready") ? true : undefined));
  },
  "monitoring/http.conf": async (running) => {
    const { monitoring } = running.server.ports;
    const url = `http://${monitoring?.host}:${monitoring?.port}`;
    expect((await getJson(`${url}/nats/varz`))["connections"]).toBe(0);
    expect((await getJson(`${url}/nats/healthz`))["status"]).toBe("ok");
    expect((await fetch(`${url}/varz`)).status).toBe(404);
    if (running.own) expect(await (await fetch(`${url}/nats/metrics`)).text()).toContain("gnatsd_varz_connections");
  },
  "monitoring/https.conf": async (running) => {
    const { monitoring } = running.server.ports;
    const ca = readFileSync(join(running.certificates, "ca.pem"));
    expect((await getJson(`https://${monitoring?.host}:${monitoring?.port}/varz`, ca))["server_id"]).toMatch(/^N[A-Z2-7]{55}$/);
  },
  "routing/mappings.conf": async (running) => {
    const client = await running.client();
    expect(await client.subjectsOf("orders.eu.17")).toEqual(["shop.orders.17.eu"]);
    expect(await client.subjectsOf("log.eu-west-1")).toEqual(["log.eu.west.1"]);
    expect(await client.subjectsOf("sku.abc123xy")).toEqual(["sku.abc.xy"]);
    expect(await client.subjectsOf("cut.aabbcc")).toEqual(["cut.aa.bb.cc"]);
    const [partition] = await client.subjectsOf("events.c1.login");
    expect(partition).toMatch(/^events\.c1\.login\.[0-2]$/);
    expect(await client.subjectsOf("events.c1.login")).toEqual([partition]);
    await client.exchange("SUB api.> 1");
    const answers = await client.exchange(...Array.from({ length: 1000 }, () => ["PUB api.user.get 0", ""]).flat());
    const canary = answers.filter((line) => line.startsWith("MSG api.v2.")).length;
    expect(answers.filter((line) => line.startsWith("MSG api.v")).length).toBe(1000);
    expect(canary).toBeGreaterThan(40);
    expect(canary).toBeLessThan(200);
  },
  "routing/tracing.conf": async (running) => {
    const client = await running.client({ headers: true });
    const headers = "NATS/1.0\r\nNats-Trace-Dest: reports\r\nNats-Trace-Only: true\r\n\r\n";
    // the report may come after the answer to the PING, nothing else comes at all
    const lines = await client.exchange("SUB hello.you 1", "SUB reports 2", `HPUB greet.you ${headers.length} ${headers.length + 2}`, `${headers}hi`);
    while (lines.length < 2) lines.push(await client.line());
    expect(lines[0]).toStartWith("MSG reports 2 ");
    const { events } = JSON.parse(lines[1]) as { events: readonly { type: string; to?: string; sub?: string }[] };
    expect(events.map(({ type }) => type)).toEqual(["in", "sm", "eg"]);
    expect([events[1].to, events[2].sub]).toEqual(["hello.you", "hello.you"]);
  },
  "proxy/proxy-protocol.conf": async (running) => {
    const client = await running.open();
    client.send("PROXY TCP4 192.0.2.7 198.51.100.1 5555 4222\r\n");
    expect(await client.login({ protocol: 1 })).toBe("PONG");
    await client.exchange();
    expect(client.info.client_ip).toBe("192.0.2.7");
    const direct = await running.client({ protocol: 1 });
    await direct.exchange();
    expect(direct.info.client_ip).toBe("127.0.0.1");
  },
  "proxy/trusted-proxies.conf": async (running) => {
    const attempt = async (user: string, signer?: string): Promise<string> => {
      const client = await running.open();
      const proxy_sig = signer === undefined ? undefined : nkeyNamed("user", signer).sign(client.info.nonce ?? "").toString("base64url");
      return client.login({ user, pass: user, proxy_sig });
    };
    expect(await attempt("direct")).toBe("PONG");
    expect(await attempt("outside")).toBe(REFUSED);
    expect(await attempt("outside", "sample proxy")).toBe("PONG");
    expect(await attempt("outside", "somebody else")).toBe(REFUSED);
  },
};

/** By path of the sample below `conf/`. `logging/syslog.conf` is checked where the test listens as syslog. */
export const CHECKS: Readonly<Record<string, Check>> = { ...basics, ...auth, ...tls, ...others, ...accountsChecks, ...jetstreamChecks, ...operatorChecks };

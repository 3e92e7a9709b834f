/** What the samples of `conf/operator`, and of auth callout, say they do. */
import { expect } from "bun:test";
import { encodeSeed } from "../../src/util/nkeys.ts";
import { jwtAuthenticator } from "@nats-io/transport-node";
import { allow, deny, type Keys, place, serve } from "../clients/callout-service.ts";
import { accountToken, keyNamed, userToken, type Named } from "../support/jwt.ts";
import { poll } from "../support/deadline.ts";
import type { Client } from "./client.ts";
import type { Running } from "./samples.ts";

const REFUSED = "-ERR 'Authorization Violation'";
const [operator, system, app] = [keyNamed("operator", "sample"), keyNamed("account", "sample-system"), keyNamed("account", "sample-app")];

async function login(running: Running, account: Named, name = "somebody"): Promise<{ readonly client: Client; readonly answer: string }> {
  const client = await running.open();
  const user = keyNamed("user", name);
  const answer = await client.login({ jwt: userToken(user, account), sig: user.sign(client.info.nonce ?? "").toString("base64url"), headers: true });
  return { client, answer };
}

/** The system's user pushes an account's token, whose users then come in. */
async function push(running: Running, message: string): Promise<void> {
  const { client } = await login(running, system);
  const token = accountToken(app, operator);
  const lines = await client.exchange("SUB in 1", `PUB $SYS.REQ.CLAIMS.UPDATE in ${token.length}`, token);
  // The answer may come after that to the PING.
  const answer = lines.length > 0 ? lines : await poll(2000, "the answer", async () => {
    const later = await client.exchange();
    return later.length > 0 ? later : undefined;
  });
  expect(answer.join("\n")).toContain(message);
}

export const operatorChecks: Readonly<Record<string, (running: Running) => Promise<void>>> = {
  "operator/memory.conf": async (running) => {
    expect((await login(running, app)).answer).toBe("PONG");
    expect((await login(running, keyNamed("account", "unknown"))).answer).toBe(REFUSED);
  },
  "operator/full.conf": async (running) => {
    expect((await login(running, app)).answer).toBe(REFUSED);
    await push(running, '"message":"jwt updated"');
    expect((await login(running, app)).answer).toBe("PONG");
  },
  "operator/cache.conf": async (running) => {
    expect((await login(running, app)).answer).toBe("PONG");
    await push(running, '"message":"jwt updated cache"');
  },
  "operator/sentinel.conf": async (running) => {
    const guest = await running.client();
    expect(await guest.exchange("PUB x 0", "")).toEqual(["-ERR 'Permissions Violation for Publish to \"x\"'"]);
    expect((await login(running, app)).answer).toBe("PONG");
  },
  "operator/url.conf": fromSite,
  "operator/url-tls.conf": fromSite,
  "operator/mixed.conf": async (running) => {
    const nkey = async (name: string): Promise<Client> => {
      const client = await running.open();
      const user = keyNamed("user", name);
      expect(await client.login({ nkey: user.publicKey, sig: user.sign(client.info.nonce ?? "").toString("base64url") })).toBe("PONG");
      return client;
    };
    const boss = await nkey("sample-static-system");
    await boss.exchange("SUB $SYS.ACCOUNT.*.CONNECT 1");
    const listener = await nkey("sample-static");
    await listener.exchange("SUB x 1");
    // The reference tells it of its own coming, too, and now and then only by now.
    const told = await poll(2000, "the event", async () => (await boss.exchange()).find((line) => line.startsWith("MSG ") && !line.includes(system.publicKey)));
    expect(told).toStartWith(`MSG $SYS.ACCOUNT.${app.publicKey}.CONNECT 1 `);
    await (await running.client({ user: "app", pass: "app" })).exchange("PUB x 2", "hi");
    expect(await listener.exchange()).toEqual(["MSG x 1 2", "hi"]);
  },
  "operator/callout.conf": async (running) => {
    const [door, auth] = [keyNamed("account", "sample-door"), keyNamed("user", "sample-auth")];
    const servers = `127.0.0.1:${running.server.ports.nats?.port}`;
    const { connection } = await serve({ servers, authenticator: jwtAuthenticator(userToken(auth, door), Buffer.from(auth.seed)) }, { issuer: door }, (request) =>
      request.nats.connect_opts["pass"] === "right" ? place(request, door, app, { name: "alice" }) : deny(request, door, "no"),
    );
    try {
      expect(await running.login({ user: "alice", pass: "wrong" })).toBe(REFUSED);
      const alice = await running.client({ user: "alice", pass: "right" });
      const { client } = await login(running, app);
      await client.exchange("SUB x 1");
      await alice.exchange("PUB x 2", "hi");
      expect(await client.exchange()).toEqual(["MSG x 1 2", "hi"]);
    } finally {
      await connection.close();
    }
  },
  "auth/callout.conf": (running) => callout(running, { issuer: keyNamed("account", "sample-issuer") }),
  "auth/callout-sealed.conf": (running) => callout(running, { issuer: keyNamed("account", "sample-issuer"), curve: { seed: encodeSeed("curve", Buffer.alloc(32, 7)), publicKey: "" } }),
};

/** A service decides about everybody but the users that the server judges itself. */
async function callout(running: Running, keys: Keys): Promise<void> {
  expect(await running.login({ user: "alice", pass: "anything" })).toBe(REFUSED);
  expect(await running.login({ user: "sys", pass: "sys" })).toBe("PONG");
  const { connection } = await serve({ servers: `127.0.0.1:${running.server.ports.nats?.port}`, user: "auth", pass: "auth" }, keys, (request) => allow(request, keys.issuer, { aud: "APP", name: "alice" }));
  try {
    expect(await running.login({ user: "alice", pass: "anything" })).toBe("PONG");
  } finally {
    await connection.close();
  }
}

async function fromSite(running: Running): Promise<void> {
  expect((await login(running, app)).answer).toBe("PONG");
  expect((await login(running, keyNamed("account", "unknown"))).answer).toBe(REFUSED);
}

/** What the samples of `conf/operator`, and of auth callout, say they do. */
import { expect } from "bun:test";
import { encodeSeed } from "../../src/util/nkeys.ts";
import { allow, serve } from "../clients/callout-service.ts";
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
  "auth/callout.conf": async (running) => {
    const issuer = keyNamed("account", "sample-issuer");
    expect(await running.login({ user: "alice", pass: "anything" })).toBe(REFUSED);
    const { connection } = await serve({ servers: `127.0.0.1:${running.server.ports.nats?.port}`, user: "auth", pass: "auth" }, { issuer, curve: { seed: encodeSeed("curve", Buffer.alloc(32, 7)), publicKey: "" } }, (request) => allow(request, issuer, { aud: "APP", name: "alice" }));
    try {
      expect(await running.login({ user: "alice", pass: "anything" })).toBe("PONG");
    } finally {
      await connection.close();
    }
  },
};

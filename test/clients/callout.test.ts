/** Auth callout with a real service, written with nats.js, on our executable and on the reference: in configuration and in operator mode. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { AuthorizationError, connect, type ConnectionOptions, jwtAuthenticator, type NatsConnection, PermissionViolationError } from "@nats-io/transport-node";
import { encodeSeed, keyPairOf } from "../../src/util/nkeys.ts";
import { accountToken, keyNamed, operatorToken, userToken } from "../support/jwt.ts";
import { poll, within } from "../support/deadline.ts";
import { ServerProcess } from "../support/server-process.ts";
import { allow, type CalloutRequest, type Decision, deny, serve } from "./callout-service.ts";
import { binaries } from "./cli-session.ts";

setDefaultTimeout(30_000);

const issuer = keyNamed("account", "issuer");
const stranger = keyNamed("account", "stranger");
const curveSeed = Buffer.alloc(32, 7);
const curve = { seed: encodeSeed("curve", curveSeed), publicKey: curvePublicKey() };

function curvePublicKey(): string {
  return keyPairOf("curve", curveSeed).publicKey;
}

let server: ServerProcess | undefined;
const open: NatsConnection[] = [];
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
  await server?.stop();
  server = undefined;
});

async function start(binary: string, config: string): Promise<ServerProcess> {
  return (server = await ServerProcess.start({ binary, config }));
}

function at(running: ServerProcess, options: ConnectionOptions = {}): ConnectionOptions {
  return { servers: `127.0.0.1:${running.ports.nats?.port}`, reconnect: false, timeout: 10_000, ...options };
}

async function join(running: ServerProcess, options: ConnectionOptions): Promise<NatsConnection> {
  const connection = await connect(at(running, options));
  open.push(connection);
  return connection;
}

async function service(running: ServerProcess, options: ConnectionOptions, keys: Parameters<typeof serve>[1], decide: (request: CalloutRequest) => Decision): Promise<CalloutRequest[]> {
  const { connection, requests } = await serve(at(running, options), keys, decide);
  open.push(connection);
  return requests;
}

async function refused(running: ServerProcess, options: ConnectionOptions): Promise<void> {
  const outcome = await connect(at(running, options)).then(
    (connection) => connection.close().then(() => "let in"),
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(AuthorizationError);
}

/** Reasons that events tell of refusals. */
async function reasons(running: ServerProcess): Promise<string[]> {
  const system = await join(running, { user: "sys", pass: "sys" });
  const seen: string[] = [];
  system.subscribe("$SYS.SERVER.*.CLIENT.AUTH.ERR", { callback: (_error, message) => void seen.push((message.json() as { reason: string }).reason) });
  await system.flush();
  return seen;
}

/** Warnings of the log, without the first, which is about plain passwords; keys left out. */
function warnings(running: ServerProcess): string[] {
  const told = running.log.flatMap((line) => /\[WRN\] (.*)/.exec(line)?.[1] ?? []);
  return told.slice(1).map((text) => text.replaceAll(/"[UAN][A-Z2-7]{55}"/g, '"KEY"'));
}

const config = (more = ""): string => `
  server_name: north
  accounts {
    AUTH: { users: [ { user: auth, password: auth } ] }
    APP: { users: [ { user: known, password: known } ] }
    SYS: { users: [ { user: sys, password: sys } ] }
  }
  system_account: SYS
  authorization {
    timeout: 1
    auth_callout { issuer: ${issuer.publicKey}, account: AUTH, auth_users: [ auth, sys ] ${more} }
  }`;

for (const binary of binaries) {
  describe(binary === binaries[0] ? "our server" : "the reference", () => {
    test("a user whom only the service knows is let in, where it says and with what it says", async () => {
      const running = await start(binary, config());
      const requests = await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => allow(request, issuer, { name: "Alice", aud: "APP", nats: { pub: { allow: ["a.>"] }, sub: { allow: ["a.>", "_INBOX.>"] } } }));
      const alice = await join(running, { user: "alice", pass: "secret", name: "her program" });
      const problems: unknown[] = [];
      void (async () => {
        for await (const status of alice.status()) if (status.type === "error") problems.push(status.error);
      })();
      alice.publish("b");
      await alice.flush();
      await poll(2000, "a violation", () => (problems.length > 0 ? true : undefined));
      expect(problems[0]).toBeInstanceOf(PermissionViolationError);

      const known = await join(running, { user: "known", pass: "known" });
      const heard = known.subscribe("a.x", { max: 1 });
      await known.flush();
      alice.publish("a.x", "hello");
      const next = await within(2000, "a message", (async () => {
        for await (const message of heard) return message.string();
        return "";
      })());
      expect(next).toBe("hello");

      const [request] = requests;
      expect(request).toMatchObject({
        aud: "nats-authorization-request",
        sub: issuer.publicKey,
        nats: {
          server_id: { name: "north", host: "127.0.0.1", id: request?.iss, version: expect.stringMatching(/^2\.15/) },
          user_nkey: expect.stringMatching(/^U[A-Z2-7]{55}$/),
          client_info: { host: "127.0.0.1", id: expect.any(Number), user: "alice", name: "her program", kind: "Client", type: "nats" },
          connect_opts: { user: "alice", pass: "secret", name: "her program", protocol: 1 },
          type: "authorization_request",
          version: 2,
        },
      });
      expect(request?.nats.server_id["xkey"]).toBeUndefined();
    });

    test("users of the configuration are asked about too; the service itself is not", async () => {
      const running = await start(binary, config());
      const requests = await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => (request.nats.connect_opts["user"] === "known" ? deny(request, issuer, "not today") : allow(request, issuer, { aud: "APP" })));
      const seen = await reasons(running);
      await refused(running, { user: "known", pass: "known" });
      expect(requests.map(({ nats }) => nats.connect_opts["user"])).toEqual(["known"]);
      await refused(running, { user: "auth", pass: "wrong" });
      expect(requests.length).toBe(1);
      await poll(2000, "two events", () => (seen.length >= 2 ? true : undefined));
      expect(seen).toEqual(["Authentication Failure", "Authentication Failure"]);
      expect(warnings(running)).toEqual(["Auth callout service returned an error: not today"]);
    });

    test("users of accounts that are not allowed are not asked about", async () => {
      const running = await start(binary, config(", allowed_accounts: [ APP ]"));
      const requests = await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => allow(request, issuer, { aud: "APP" }));
      await join(running, { user: "known", pass: "known" });
      await join(running, { user: "sys", pass: "sys" });
      expect(requests.map(({ nats }) => nats.connect_opts["user"])).toEqual(["known"]);
    });

    test("answers that are not good enough", async () => {
      const running = await start(binary, config());
      const other = keyNamed("user", "other");
      const wrong: Record<string, (request: CalloutRequest) => Decision> = {
        empty: () => ({ raw: new Uint8Array(0) }),
        user: (request) => allow(request, issuer, { aud: "APP" }, { sub: other.publicKey }),
        server: (request) => allow(request, issuer, { aud: "APP" }, { aud: keyNamed("server", "else").publicKey }),
        account: (request) => allow(request, issuer, { aud: "NONE" }),
        issuer: (request) => allow(request, stranger, { aud: "APP" }),
        subject: (request) => allow(request, issuer, { aud: "APP", sub: other.publicKey }),
        expired: (request) => allow(request, issuer, { aud: "APP", exp: 1_767_225_601 }),
        late: (request) => allow(request, issuer, { aud: "APP" }, { exp: 1_767_225_601 }),
        garbage: () => ({ raw: Buffer.from("eyJnot.a.token") }),
      };
      await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => wrong[String(request.nats.connect_opts["user"])]?.(request));
      for (const user of Object.keys(wrong)) await refused(running, { user });
      await poll(2000, "a warning for each", () => (warnings(running).length >= Object.keys(wrong).length ? true : undefined));
      expect(warnings(running).slice(0, -1)).toEqual([
        'Auth callout violation: "no reason supplied" on account "AUTH"',
        "Auth callout violation: auth callout response is not for expected user",
        "Auth callout violation: auth callout response is not for server",
        'No valid account "NONE" for auth callout response on account "AUTH": account missing',
        "Auth callout signing key is unknown",
        'Expected authorized user of "KEY" but got "KEY" on account "AUTH"',
        "Error validating user JWT: claim is expired",
        "Authorization response had validation errors: claim is expired",
      ]);
    });

    test("no answer in time is a refusal, and leaves nobody behind", async () => {
      const running = await start(binary, config());
      await service(running, { user: "auth", pass: "auth" }, { issuer }, () => undefined);
      await refused(running, { user: "alice" });
      const varz = (await (await fetch(`http://127.0.0.1:${running.ports.monitoring?.port}/varz`)).json()) as { connections: number };
      expect(varz.connections).toBe(1);
    });

    test("sealed requests and answers", async () => {
      const running = await start(binary, config(`, xkey: ${curve.publicKey}`));
      const requests = await service(running, { user: "auth", pass: "auth" }, { issuer, curve }, (request) => allow(request, issuer, { aud: "APP" }));
      const alice = await join(running, { user: "alice" });
      expect(requests[0]?.nats.server_id["xkey"]).toBe((alice.info as unknown as { xkey: string }).xkey);
    });

    test("a user who belongs to the service's account cannot ask", async () => {
      const running = await start(binary, config());
      await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => allow(request, issuer, { aud: "AUTH" }));
      const mallory = await join(running, { user: "mallory" });
      const problems: unknown[] = [];
      void (async () => {
        for await (const status of mallory.status()) if (status.type === "error") problems.push(status.error);
      })();
      mallory.publish("$SYS.REQ.USER.AUTH", "x");
      await mallory.flush();
      await poll(2000, "a violation", () => (problems.length > 0 ? true : undefined));
      expect(problems[0]).toBeInstanceOf(PermissionViolationError);
    });

    test("a user's time ends", async () => {
      const running = await start(binary, config());
      await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => allow(request, issuer, { aud: "APP", exp: Math.floor(Date.now() / 1000) + 2 }));
      const alice = await join(running, { user: "alice" });
      expect(await within(5000, "the end", alice.closed())).toBeInstanceOf(Error);
    });

    test("operator mode: a sentinel's users are placed in accounts that are allowed", async () => {
      const [o, sys, a, b, c, sentinel, auth] = [keyNamed("operator", "O"), keyNamed("account", "SYS"), keyNamed("account", "A"), keyNamed("account", "B"), keyNamed("account", "C"), keyNamed("user", "sentinel"), keyNamed("user", "auth")];
      const asking = accountToken(a, o, { authorization: { auth_users: [auth.publicKey], allowed_accounts: [b.publicKey] } });
      const running = await start(binary, `operator: ${operatorToken(o)}\nsystem_account: ${sys.publicKey}\nresolver: MEMORY\nresolver_preload: { ${sys.publicKey}: ${accountToken(sys, o)}, ${a.publicKey}: ${asking}, ${b.publicKey}: ${accountToken(b, o)}, ${c.publicKey}: ${accountToken(c, o)} }\nauthorization { timeout: 1 }`);
      const bearer = userToken(sentinel, a, { bearer_token: true, pub: { deny: [">"] }, sub: { deny: [">"] } });
      const targets: Record<string, (request: CalloutRequest) => Decision> = {
        alice: (request) => ({ response: answer(request, a, b) }),
        carol: (request) => ({ response: answer(request, a, c) }),
      };
      const answer = (request: CalloutRequest, signer: typeof a, target: typeof a): string => {
        const decision = allow(request, target, { name: "placed" });
        const jwt = decision !== undefined && "response" in decision ? (JSON.parse(Buffer.from(decision.response.split(".")[1] ?? "", "base64url").toString("utf8")) as { nats: { jwt: string } }).nats.jwt : "";
        const outer = allow(request, signer, {}, { nats: { jwt } });
        return outer !== undefined && "response" in outer ? outer.response : "";
      };
      const requests = await service(running, { authenticator: jwtAuthenticator(userToken(auth, a), Buffer.from(auth.seed)) }, { issuer: a }, (request) => targets[String(request.nats.connect_opts["user"])]?.(request));
      const login = (user: string): ConnectionOptions => ({ authenticator: [jwtAuthenticator(bearer), () => ({ user, pass: "x" })] });
      const alice = await join(running, login("alice"));
      const inside = await join(running, { authenticator: jwtAuthenticator(userToken(keyNamed("user", "inside"), b), Buffer.from(keyNamed("user", "inside").seed)) });
      const heard = inside.subscribe("x", { max: 1 });
      await inside.flush();
      alice.publish("x", "hi");
      expect(await within(2000, "a message", (async () => {
        for await (const message of heard) return message.string();
        return "";
      })())).toBe("hi");
      await refused(running, login("carol"));
      expect(requests[0]).toMatchObject({ sub: a.publicKey, nats: { client_info: { user: "alice", name_tag: "sentinel" }, connect_opts: { jwt: bearer, user: "alice" } } });
    });
  });
}

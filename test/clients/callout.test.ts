/** Auth callout with a real service, written with nats.js, on our executable and on the reference, as the configuration sets it up. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { nkeyAuthenticator, PermissionViolationError } from "@nats-io/transport-node";
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { encodeSeed } from "../../src/util/nkeys.ts";
import { open, seal } from "../../src/util/xkeys.ts";
import { certificateFolder } from "../support/certificates.ts";
import { keyNamed } from "../support/jwt.ts";
import { poll, within } from "../support/deadline.ts";
import { allow, type CalloutRequest, type Decision, deny } from "./callout-service.ts";
import { curve, endSession, issuer, join, reasons, refused, reload, service, shown, start, stranger, violations, warnings } from "./callout-session.ts";
import { binaries } from "./cli-session.ts";

setDefaultTimeout(30_000);

afterEach(endSession);

const config = (more = ""): string => `
  server_name: north
  accounts {
    AUTH: { users: [ { user: auth, password: auth } ] }
    APP: { users: [ { user: known, password: known }, { nkey: ${keyNamed("user", "known").publicKey} } ] }
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
      const problems = violations(alice);
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
      const problems = violations(mallory);
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

    test("who is not named by the service is called by what it presented", async () => {
      const running = await start(binary, config());
      const known = keyNamed("user", "known");
      const requests = await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => allow(request, issuer, { aud: "APP", ...(request.nats.connect_opts["pass"] === "n" ? { name: "Nick" } : {}) }));
      await join(running, { name: "user", user: "alice" });
      await join(running, { name: "token", token: "secret" });
      await join(running, { name: "nkey", authenticator: nkeyAuthenticator(Buffer.from(known.seed)) });
      await join(running, { name: "nothing" });
      await join(running, { name: "named", user: "alice", pass: "n" });
      const rows = await shown(running);
      const told = ["user", "token", "nkey", "nothing", "named"].map((name) => [rows.get(name)?.["authorized_user"], rows.get(name)?.["account"], rows.get(name)?.["issuer_key"]]);
      expect(told).toEqual([["alice", "APP", "APP"], ["[REDACTED]", "APP", "APP"], [known.publicKey, "APP", "APP"], [undefined, "APP", "APP"], ["Nick", "APP", "APP"]]);
      expect(requests[2]?.nats).toMatchObject({ client_info: { user: known.publicKey, nonce: expect.stringMatching(/^[\w-]{15}$/) }, connect_opts: { nkey: known.publicKey, sig: expect.any(String) } });
      expect(requests[1]?.nats).toMatchObject({ client_info: { user: "[REDACTED]" }, connect_opts: { auth_token: "secret" } });
    });

    test("of a user's token only permissions and times hold; what else it says is not for here", async () => {
      const running = await start(binary, config());
      const users: Record<string, Parameters<typeof allow>[2]["nats"]> = {
        limits: { subs: 0, payload: 1 },
        websocket: { allowed_connection_types: ["WEBSOCKET"] },
        elsewhere: { src: ["10.0.0.0/8"] },
        unknown: { allowed_connection_types: ["PIGEON"] },
        never: { times: [{ start: "00:00:00", end: "00:00:00" }], times_location: "UTC" },
        proxied: { proxy_required: true },
        account: { issuer_account: stranger.publicKey },
      };
      await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => allow(request, issuer, { aud: "APP", nats: users[String(request.nats.connect_opts["user"])] ?? {} }));
      const limits = await join(running, { user: "limits" });
      const heard = limits.subscribe("x", { max: 1 });
      limits.publish("x", "more than a byte");
      for await (const message of heard) expect(message.string()).toBe("more than a byte");
      await join(running, { user: "websocket" });
      await join(running, { user: "elsewhere" });
      for (const user of ["unknown", "never", "proxied", "account"]) await refused(running, { user });
      await poll(2000, "a warning for each", () => (warnings(running).length >= 4 ? true : undefined));
      expect(warnings(running)).toEqual([
        'Authorized user on account "AUTH" using invalid connection type',
        'Authorized user on account "AUTH" outside of valid connect times',
        "Proxy connection required",
        'Error non operator mode account "AUTH": attempted to use issuer_account',
      ]);
    });

    test("a sealed question may be answered in the open, but not sealed by another", async () => {
      const running = await start(binary, config(`, xkey: ${curve.publicKey}`));
      const other = { seed: encodeSeed("curve", Buffer.alloc(32, 9)), publicKey: "" };
      const asService = await join(running, { user: "auth", pass: "auth" });
      asService.subscribe("$SYS.REQ.USER.AUTH", {
        callback: (_error, message) => {
          const serverKey = message.headers?.get("Nats-Server-Xkey") ?? "";
          const request = openedBy(message.data, serverKey);
          const decision = allow(request, issuer, { aud: "APP" });
          const plain = Buffer.from(decision !== undefined && "response" in decision ? decision.response : "", "latin1");
          const user = request.nats.connect_opts["user"];
          message.respond(user === "plain" ? plain : user === "short" ? Buffer.from("xkv1") : seal(plain, crypto.getRandomValues(new Uint8Array(24)), other.seed, serverKey));
        },
      });
      await asService.flush();
      await join(running, { user: "plain" });
      await refused(running, { user: "other" });
      await refused(running, { user: "short" });
      await poll(2000, "a warning for each", () => (warnings(running).length >= 2 ? true : undefined));
      expect(warnings(running)).toEqual(["could not decrypt input", "encrypted input is not valid"].map((why) => `Error decrypting auth callout response on account "AUTH": nkeys: ${why}`));
    });

    test("a client's certificates, up to the authority", async () => {
      const folder = certificateFolder();
      const files = { caFile: `${folder}/ca.pem`, certFile: `${folder}/client.pem`, keyFile: `${folder}/client-key.pem` };
      const running = await start(binary, `tls { cert_file: "${folder}/server.pem", key_file: "${folder}/server-key.pem", ca_file: "${folder}/ca.pem", verify: true }\n${config()}`);
      const requests = await service(running, { user: "auth", pass: "auth", tls: files }, { issuer }, (request) => allow(request, issuer, { aud: "APP" }));
      await join(running, { user: "alice", tls: files });
      const [tls] = requests.map(({ nats }) => nats.client_tls);
      expect(tls).toMatchObject({ version: "1.3", cipher: expect.stringMatching(/^TLS_/), verified_chains: [[pemOf(files.certFile), pemOf(files.caFile)]] });
      expect(tls?.["certs"]).toBeUndefined();
    });

    // The reference closes all of them at every reload.
    if (binary === binaries[0]) test("a reload leaves those alone whom the service let in, unless their account is gone", async () => {
      const running = await start(binary, config());
      const requests = await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => allow(request, issuer, { aud: "APP" }));
      const alice = await join(running, { user: "alice" });
      const asked = requests.length;
      await reload(running, config().replace("password: known }", "password: known }, { user: more, password: more }"));
      await alice.flush();
      expect(requests.length).toBe(asked);
      await reload(running, config().replace("APP:", "OTHER:"));
      await within(2000, "the end", alice.closed());
    });

    test("no_auth_user is asked about by name and password", async () => {
      const running = await start(binary, config().replace("system_account: SYS", "system_account: SYS\nno_auth_user: known"));
      const requests = await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => allow(request, issuer, { aud: "APP", name: "Nobody" }));
      await join(running, { name: "nothing" });
      expect(requests[0]?.nats).toMatchObject({ client_info: { user: "known" }, connect_opts: { user: "known", pass: "known" } });
      expect((await shown(running)).get("nothing")).toMatchObject({ authorized_user: "Nobody", account: "APP" });
    });

    test("a client that leaves before the answer is counted nowhere", async () => {
      const running = await start(binary, config());
      const asked = Promise.withResolvers<CalloutRequest>();
      await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => {
        asked.resolve(request);
        return undefined;
      });
      const socket = createConnection(Number(running.ports.nats?.port), "127.0.0.1");
      socket.write('CONNECT {"user":"alice","verbose":false}\r\nSUB a 1\r\nPING\r\n');
      await within(2000, "the question", asked.promise);
      socket.destroy();
      const site = `http://127.0.0.1:${running.ports.monitoring?.port}`;
      // The reference lets it go when the time for the answer is over.
      await poll(5000, "nobody but the service", async () => (((await (await fetch(`${site}/varz`)).json()) as { connections: number }).connections === 1 ? true : undefined));
      const { account_statz } = (await (await fetch(`${site}/accstatz?unused=1`)).json()) as { account_statz: { acc: string; conns: number; num_subscriptions: number }[] };
      expect(account_statz.filter(({ acc }) => acc === "APP" || acc === "$G").map(({ conns }) => conns)).toEqual([0, 0]);
    });
  });
}

function pemOf(file: string): string {
  return `${readFileSync(file, "utf8").trim()}\n`;
}

function openedBy(data: Uint8Array, serverKey: string): CalloutRequest {
  const token = open(data, curve.seed, serverKey);
  if (token === undefined) throw new Error("a request that does not open");
  return JSON.parse(Buffer.from(token.toString("latin1").split(".")[1] ?? "", "base64url").toString("utf8")) as CalloutRequest;
}

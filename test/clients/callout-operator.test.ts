/** Auth callout in operator mode: an account's token names the users of its service, and everybody else in it is delegated. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ConnectionOptions, jwtAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { encodeToken, type NewClaims } from "../../src/jwt/index.ts";
import { accountToken, FREE, ISSUED_S, keyNamed, type Named, operatorToken, userToken } from "../support/jwt.ts";
import { poll, within } from "../support/deadline.ts";
import type { ServerProcess } from "../support/server-process.ts";
import type { CalloutRequest, Decision } from "./callout-service.ts";
import { endSession, join, refused, service, shown, start, violations, warnings } from "./callout-session.ts";
import { binaries } from "./cli-session.ts";

setDefaultTimeout(30_000);
afterEach(endSession);

const operator = keyNamed("operator", "O");
/** The account that asks, two that users are placed in, and keys of them. */
const [sys, asking, other, third] = ["SYS", "A", "B", "C"].map((name) => keyNamed("account", name)) as [Named, Named, Named, Named];
const [askingKey, otherKey, scopedKey] = ["K", "BK", "S"].map((name) => keyNamed("account", name)) as [Named, Named, Named];
const [sentinel, auth, admin, inside] = ["sentinel", "auth", "admin", "inside"].map((name) => keyNamed("user", name)) as [Named, Named, Named, Named];

const bearer = userToken(sentinel, asking, { bearer_token: true, pub: { deny: [">"] }, sub: { deny: [">"] } });

const askingToken = (allowed: readonly string[], more: NewClaims["nats"] = {}): string => accountToken(asking, operator, { authorization: { auth_users: [auth.publicKey], allowed_accounts: allowed }, signing_keys: [askingKey.publicKey], ...more });
const scope = (subject: string): NewClaims["nats"] => ({ kind: "user_scope", key: scopedKey.publicKey, template: { pub: { allow: [subject] } } });
const otherToken = (more: NewClaims["nats"] = {}): string => accountToken(other, operator, { signing_keys: [otherKey.publicKey, scope("s.{{name()}}")], ...more });

function config(allowed: readonly string[], more = ""): string {
  return `
    operator: ${operatorToken(operator)}
    system_account: ${sys.publicKey}
    resolver { type: full, dir: jwt }
    resolver_preload: { ${sys.publicKey}: ${accountToken(sys, operator)}, ${asking.publicKey}: ${askingToken(allowed)}, ${other.publicKey}: ${otherToken()}, ${third.publicKey}: ${accountToken(third, operator)} }
    authorization { timeout: 1 }
    ${more}`;
}

interface Placement {
  /** Signs the user. */
  readonly by: Named;
  /** Signs the answer; the asking account unless said. */
  readonly answeredBy?: Named;
  readonly user?: NewClaims["nats"];
  readonly answer?: NewClaims["nats"];
}

function place(request: CalloutRequest, { by, answeredBy = asking, user = {}, answer = {} }: Placement): Decision {
  const jwt = encodeToken({ type: "user", sub: request.nats.user_nkey, name: String(request.nats.connect_opts["user"] ?? ""), iat: ISSUED_S, nats: { ...FREE, ...user } }, by.pair);
  return { response: encodeToken({ type: "authorization_response", sub: request.nats.user_nkey, aud: String(request.nats.server_id["id"]), iat: ISSUED_S, nats: { jwt, ...answer } }, answeredBy.pair) };
}

const scoped = { issuer_account: other.publicKey, subs: 0, data: 0, payload: 0 };

/** By the user's name in CONNECT. */
const PLACEMENTS: Readonly<Record<string, Placement>> = {
  home: { by: asking },
  homekey: { by: askingKey, user: { issuer_account: asking.publicKey } },
  away: { by: other },
  awaykey: { by: otherKey, user: { issuer_account: other.publicKey } },
  scoped: { by: scopedKey, user: scoped },
  answeredbykey: { by: other, answeredBy: askingKey, answer: { issuer_account: asking.publicKey } },
  // Not good enough:
  nameless: { by: otherKey },
  limited: { by: scopedKey, user: { issuer_account: other.publicKey } },
  stranger: { by: keyNamed("account", "X"), user: { issuer_account: other.publicKey } },
  elsewhere: { by: other, answeredBy: other },
};

async function serveThem(running: ServerProcess): Promise<CalloutRequest[]> {
  return service(running, { authenticator: jwtAuthenticator(userToken(auth, asking), Buffer.from(auth.seed)) }, { issuer: asking }, (request) => {
    const placement = PLACEMENTS[String(request.nats.connect_opts["user"])];
    return placement === undefined ? undefined : place(request, placement);
  });
}

const login = (user: string): ConnectionOptions => ({ name: user, authenticator: [jwtAuthenticator(bearer), () => ({ user, pass: "x" })] });

/** Pushes an account's token as a user of the system account. */
async function push(system: NatsConnection, token: string): Promise<void> {
  const answer = await system.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5000 });
  expect(answer.json()).toMatchObject({ data: { message: "jwt updated" } });
}

const asAdmin = (running: ServerProcess): Promise<NatsConnection> => join(running, { authenticator: jwtAuthenticator(userToken(admin, sys), Buffer.from(admin.seed)) });

async function published(connection: NatsConnection, subject: string): Promise<boolean> {
  const seen = violations(connection);
  connection.publish(subject);
  await connection.flush();
  // Violations are told a few turns after they were read.
  await connection.flush();
  return seen.length === 0;
}

for (const binary of binaries) {
  describe(binary === binaries[0] ? "our server" : "the reference", () => {
    test("users are placed by the keys of accounts that are allowed, and by no others", async () => {
      const running = await start(binary, config([other.publicKey]));
      const requests = await serveThem(running);
      for (const user of ["home", "homekey", "away", "awaykey", "scoped", "answeredbykey"]) await join(running, login(user));
      const rows = await shown(running);
      const told = ["home", "homekey", "away", "awaykey", "scoped", "answeredbykey"].map((name) => [rows.get(name)?.["authorized_user"], rows.get(name)?.["account"], rows.get(name)?.["issuer_key"], rows.get(name)?.["jwt"]]);
      expect(told).toEqual([
        ["home", asking.publicKey, asking.publicKey, undefined],
        ["homekey", asking.publicKey, askingKey.publicKey, undefined],
        ["away", other.publicKey, other.publicKey, undefined],
        ["awaykey", other.publicKey, otherKey.publicKey, undefined],
        ["scoped", other.publicKey, scopedKey.publicKey, undefined],
        ["answeredbykey", other.publicKey, other.publicKey, undefined],
      ]);
      for (const user of ["nameless", "limited", "stranger", "elsewhere"]) await refused(running, login(user));
      await poll(2000, "a warning for each", () => (warnings(running).length >= 4 ? true : undefined));
      expect(warnings(running)).toEqual([
        'Account "KEY" not permitted as valid account option for auth callout for account "KEY"',
        "User JWT is not valid: scoped users require no permissions or limits set",
        'User JWT issuer "KEY" is not known',
        "Auth callout signing key is unknown",
      ]);
      expect(requests[0]).toMatchObject({ sub: asking.publicKey, nats: { client_info: { user: "home", name_tag: "sentinel" }, connect_opts: { jwt: bearer, user: "home" } } });
    });

    test("messages pass between the placed and those who belong there", async () => {
      const running = await start(binary, config(["*"]));
      await serveThem(running);
      const away = await join(running, login("away"));
      const there = await join(running, { authenticator: jwtAuthenticator(userToken(inside, other), Buffer.from(inside.seed)) });
      const heard = there.subscribe("x", { max: 1 });
      await there.flush();
      away.publish("x", "hi");
      expect(await within(2000, "a message", (async () => {
        for await (const message of heard) return message.string();
        return "";
      })())).toBe("hi");
    });

    test("the default sentinel stands in for a token, and nobody gets past by naming a user of the service", async () => {
      const running = await start(binary, config([other.publicKey], `default_sentinel: ${bearer}`));
      const requests = await serveThem(running);
      await join(running, { user: "away", pass: "x" });
      await refused(running, { user: auth.publicKey, pass: "x" });
      expect(requests.map(({ nats }) => [nats.connect_opts["user"], nats.connect_opts["jwt"]])).toEqual([["away", bearer], [auth.publicKey, bearer]]);
    });

    test("a new token of the account holds for those who were placed there", async () => {
      const running = await start(binary, config(["*"]));
      await serveThem(running);
      const system = await asAdmin(running);
      const [away, awaykey, byScope] = await Promise.all(["away", "awaykey", "scoped"].map((user) => join(running, login(user)))) as [NatsConnection, NatsConnection, NatsConnection];
      await push(system, otherToken({ default_permissions: { pub: { allow: ["only"] } } }));
      expect(await published(away, "else")).toBe(false);
      expect(await published(away, "only")).toBe(true);
      await push(system, accountToken(other, operator, { signing_keys: [scope("s.{{name()}}")] }));
      await within(2000, "the end of whom a key vouched for that is gone", awaykey.closed());
      expect(await published(byScope, "s.scoped")).toBe(true);
      await push(system, accountToken(other, operator, { signing_keys: [scope("t.{{name()}}")] }));
      await within(2000, "the end of whom another scope vouched for", byScope.closed());
      expect(await published(away, "else")).toBe(true);
      await push(system, accountToken(other, operator, { revocations: { "*": ISSUED_S } }));
      await within(2000, "the end of the revoked", away.closed());
    });

    // The reference forgets the denial with the first new token.
    if (binary === binaries[0]) test("users of the asking account cannot ask, also after its token changed", async () => {
      const running = await start(binary, config(["*"]));
      await serveThem(running);
      const system = await asAdmin(running);
      const home = await join(running, login("home"));
      expect(await published(home, "$SYS.REQ.USER.AUTH")).toBe(false);
      await push(system, askingToken(["*"], { default_permissions: { sub: { deny: ["x"] } } }));
      expect(await published(home, "$SYS.REQ.USER.AUTH")).toBe(false);
      expect(await published(home, "else")).toBe(true);
    });
  });
}

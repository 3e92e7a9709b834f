/**
 * `nsc` beside a server, ours and the reference: what it makes is run, what it pushes changes the clients that are there, what it deletes is gone. Clients are
 * nats.js and the `nats` CLI with the files of credentials that `nsc` writes.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AuthorizationError, connect, credsAuthenticator, type NatsConnection, PermissionViolationError, type Status } from "@nats-io/transport-node";
import { within } from "../support/deadline.ts";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { binaries, hasCli, runCli } from "./cli-session.ts";
import { hasTool, requireTool, Workplace } from "./nsc-session.ts";

setDefaultTimeout(60_000);
requireTool("nsc");

const servers: ServerProcess[] = [];
const connections: NatsConnection[] = [];
afterAll(async () => {
  for (const connection of connections) await connection.close();
  for (const server of servers) await server.stop();
});

/** A connection with a file of credentials. */
async function enter(server: ServerProcess, creds: string): Promise<NatsConnection> {
  const authenticator = credsAuthenticator(readFileSync(creds));
  const connection = await connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, authenticator, reconnect: false, noAsyncTraces: true });
  connections.push(connection);
  return connection;
}

/** An operator's workplace and the server that it works with. */
class Site {
  private constructor(
    readonly work: Workplace,
    readonly server: ServerProcess,
  ) {}

  static async open(binary: string, kind: Parameters<Workplace["config"]>[0], accounts: Readonly<Record<string, readonly string[]>>): Promise<Site> {
    const work = new Workplace();
    await work.found(accounts);
    const server = await ServerProcess.start({ binary, config: `server_name: north\n${await work.config(kind)}` });
    servers.push(server);
    const site = new Site(work, server);
    await work.nsc("edit", "operator", "--account-jwt-server-url", site.url, "--service-url", site.url);
    return site;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.server.ports.nats?.port}`;
  }

  /** Pushes accounts side by side: for each, the tool waits a second for further servers. */
  async push(...accounts: readonly string[]): Promise<void> {
    for (const said of await Promise.all(accounts.map((account) => this.work.nsc("push", "--account", account)))) expect(said).toContain("jwt updated");
  }

  join(account: string, user: string): Promise<NatsConnection> {
    return enter(this.server, this.work.creds(account, user));
  }

  async refused(account: string, user: string): Promise<void> {
    expect(await this.join(account, user).then(() => "let in", (error: unknown) => error)).toBeInstanceOf(AuthorizationError);
  }

  /** The file of a token in the server's folder. */
  kept(key: string): string {
    return join(this.server.folder, "jwt", `${key}.jwt`);
  }
}

/** What `$SYS.REQ.USER.INFO` tells a connection of its permissions. */
async function permissions(connection: NatsConnection): Promise<unknown> {
  return (await connection.request("$SYS.REQ.USER.INFO", "", { timeout: 5000 })).json<{ data: { permissions?: unknown } }>().data.permissions;
}

/** The first message on `subject` that `send` brings about. */
async function heard(connection: NatsConnection, subject: string, send: () => Promise<void> | void): Promise<string> {
  const subscription = connection.subscribe(subject, { max: 1 });
  await connection.flush();
  await send();
  for await (const message of subscription) return message.string();
  throw new Error("ended without a message");
}

/** The error that a connection ends with. */
function ended(connection: NatsConnection): Promise<string> {
  return within(5000, "the end of the connection", connection.closed().then((error) => (error === undefined ? "" : error.message)));
}

/** The next problem that the server tells the connection of. */
async function told(connection: NatsConnection): Promise<Error> {
  const next = async (): Promise<Error> => {
    for await (const status of connection.status() as AsyncIterable<Status>) if (status.type === "error") return status.error;
    throw new Error("the connection is gone");
  };
  return within(5000, "an error", next());
}

if (hasTool("nsc")) {
  describe.each(binaries)("%s", (binary) => {
    test.concurrent("runs a configuration with the accounts in it", async () => {
      const site = await Site.open(binary, "mem-resolver", { APP: ["app"], OTHER: ["other"] });
      const [app, other] = [await site.join("APP", "app"), await site.join("OTHER", "other")];
      const foreign = other.subscribe("x");
      await other.flush();
      expect(await heard(app, "x", () => app.publish("x", "hello"))).toBe("hello");
      await other.flush();
      expect(foreign.getReceived()).toBe(0);
      expect(await site.work.nsc("tool", "pub", "x", "hi", "--account", "APP", "--user", "app")).toContain('Published [x] : "hi"');
      expect(await site.work.nsc("tool", "rtt", "--account", "APP", "--user", "app")).toContain("round trip time");
      expect(await heard(app, "y", async () => void (await site.work.nsc("tool", "pub", "y", "hi", "--account", "APP", "--user", "app")))).toBe("hi");
      app.subscribe("double", { callback: (_, message) => void message.respond(`${message.string()}${message.string()}`) });
      await app.flush();
      expect(await site.work.nsc("tool", "req", "double", "ab", "--account", "APP", "--user", "app")).toContain("abab");
      if (hasCli) expect((await runCli(["--server", site.url, "--creds", site.work.creds("APP", "app"), "request", "--raw", "double", "cd"])).stdout).toContain("cdcd");
    });

    test.concurrent("pushes accounts, whose clients change with them", async () => {
      const site = await Site.open(binary, "nats-resolver", { APP: ["app", "two"] });
      const { work } = site;
      await site.refused("APP", "app");
      expect(await work.nsc("push", "--all")).toMatch(/pushed "APP" to nats-server \S+: jwt updated[^]*pushed "SYS" to nats-server \S+: jwt updated/);
      expect(readFileSync(site.kept(work.key("APP")), "utf8")).toBe(work.token("APP"));
      const [app, two] = [await site.join("APP", "app"), await site.join("APP", "two")];

      await work.nsc("edit", "account", "APP", "--deny-pub", "closed.>");
      await site.push("APP");
      expect(await permissions(app)).toEqual({ publish: { deny: ["closed.>"] }, subscribe: {} });
      const problem = told(app);
      app.publish("closed.door");
      expect(await problem).toBeInstanceOf(PermissionViolationError);

      await work.nsc("revocations", "add-user", "--account", "APP", "--name", "two");
      await site.push("APP");
      expect(await ended(two)).toContain("User Authentication Revoked");
      await site.refused("APP", "two");

      const second = await site.join("APP", "app");
      await work.nsc("edit", "account", "APP", "--conns", "1");
      await site.push("APP");
      expect(await ended(second)).toContain("maximum account active connections exceeded");
      await app.flush();
    });

    test.concurrent("keeps in a cache what is used", async () => {
      const site = await Site.open(binary, "nats-resolver-cache", { APP: ["app"] });
      expect(await site.work.nsc("push", "--account", "APP")).toContain("jwt update cache skipped");
      await site.refused("APP", "app");
      // Another server, played by a client, has the account.
      const peer = await site.join("SYS", "sys");
      peer.subscribe(`$SYS.REQ.ACCOUNT.${site.work.key("APP")}.CLAIMS.LOOKUP`, { callback: (_, message) => void message.respond(site.work.token("APP")) });
      await peer.flush();
      const app = await site.join("APP", "app");
      await site.work.nsc("edit", "account", "APP", "--deny-pub", "closed.>");
      expect(await site.work.nsc("push", "--account", "APP")).toContain("jwt updated cache");
      expect(await permissions(app)).toMatchObject({ publish: { deny: ["closed.>"] } });
    });

    test.concurrent("activates a private export for one account", async () => {
      const site = await Site.open(binary, "nats-resolver", { FARM: ["cow"], SHOP: ["clerk"], THIEF: ["thief"] });
      const { work } = site;
      await work.nsc("add", "export", "--account", "FARM", "--private", "--name", "milk", "--subject", "milk.>");
      await work.nsc("add", "export", "--account", "FARM", "--private", "--service", "--name", "price", "--subject", "price");
      const activation = join(work.folder, "milk.jwt");
      await work.nsc("generate", "activation", "--account", "FARM", "--target-account", "SHOP", "--subject", "milk.fresh", "--output-file", activation);
      await work.nsc("add", "import", "--account", "SHOP", "--token", activation, "--local-subject", "bought");
      const service = join(work.folder, "price.jwt");
      await work.nsc("generate", "activation", "--account", "FARM", "--target-account", "SHOP", "--subject", "price", "--output-file", service);
      await work.nsc("add", "import", "--account", "SHOP", "--token", service, "--local-subject", "ask", "--service");
      await work.nsc("add", "import", "--account", "THIEF", "--src-account", work.key("FARM"), "--remote-subject", "milk.fresh", "--local-subject", "bought");
      // The system account that nsc makes offers every account what concerns it.
      await work.nsc("add", "import", "--account", "SHOP", "--src-account", work.key("SYS"), "--remote-subject", `$SYS.REQ.ACCOUNT.${work.key("SHOP")}.INFO`, "--service", "--local-subject", "me");
      await site.push("FARM", "SHOP", "THIEF");
      const [cow, clerk, thief] = [await site.join("FARM", "cow"), await site.join("SHOP", "clerk"), await site.join("THIEF", "thief")];
      const stolen = thief.subscribe(">");
      await thief.flush();
      expect(await heard(clerk, "bought", () => cow.publish("milk.fresh", "1 l"))).toBe("1 l");
      cow.subscribe("price", { callback: (_, message) => void message.respond("2") });
      await cow.flush();
      expect((await clerk.request("ask")).string()).toBe("2");
      expect((await clerk.request("me")).json<object>()).toMatchObject({ data: { account_name: work.key("SHOP"), name_tag: "SHOP", client_connections: 1 } });
      await thief.flush();
      expect(stolen.getReceived()).toBe(0);

      await work.nsc("revocations", "add-activation", "--account", "FARM", "--subject", "milk.>", "--target-account", "SHOP");
      await site.push("FARM");
      const late = clerk.subscribe("bought");
      await clerk.flush();
      cow.publish("milk.fresh", "sour");
      await cow.flush();
      await clerk.flush();
      expect(late.getReceived()).toBe(0);
    });

    test.concurrent("signs users with a scoped key", async () => {
      const site = await Site.open(binary, "nats-resolver", { APP: ["app"] });
      const { work } = site;
      await work.nsc("edit", "signing-key", "--account", "APP", "--sk", "generate", "--role", "worker", "--allow-pub", "work.{{name()}}.>,$SYS.REQ.USER.INFO", "--allow-sub", "_INBOX.>", "--subs", "5");
      await work.nsc("add", "user", "joe", "--account", "APP", "--private-key", "worker");
      await site.push("APP");
      const [app, joe] = [await site.join("APP", "app"), await site.join("APP", "joe")];
      expect(await permissions(joe)).toMatchObject({ publish: { allow: expect.arrayContaining(["work.joe.>"]) }, subscribe: { allow: ["_INBOX.>"] } });
      expect(await heard(app, "work.>", () => joe.publish("work.joe.done", "ok"))).toBe("ok");
      const problem = told(joe);
      joe.publish("work.ann.done");
      expect(await problem).toBeInstanceOf(PermissionViolationError);
      if (hasCli) expect((await runCli(["--server", site.url, "--creds", work.creds("APP", "joe"), "--timeout", "1s", "account", "info"])).stdout).toMatch(/User: joe \(U[A-Z2-7]{55}\)[^]*work\.joe\.>/);

      await work.nsc("edit", "account", "APP", "--rm-sk", signingKey(work, "APP"));
      await site.push("APP");
      await ended(joe);
      await site.refused("APP", "joe");
      await app.flush();
    });

    test.concurrent("limits users by place, size and kind of connection", async () => {
      const site = await Site.open(binary, "mem-resolver", { APP: ["app"] });
      const { work } = site;
      await work.nsc("add", "user", "far", "--account", "APP", "--source-network", "192.0.2.0/24");
      await work.nsc("add", "user", "near", "--account", "APP", "--source-network", "127.0.0.0/8");
      await work.nsc("add", "user", "small", "--account", "APP");
      await work.nsc("edit", "user", "small", "--account", "APP", "--payload", "10", "--subs", "1");
      await work.nsc("add", "user", "browser", "--account", "APP");
      await work.nsc("edit", "user", "browser", "--account", "APP", "--conn-type", "WEBSOCKET");
      await site.refused("APP", "far");
      await site.refused("APP", "browser");
      await (await site.join("APP", "near")).flush();
      const small = await site.join("APP", "small");
      expect(small.info?.max_payload).toBe(10);
    });

    test.concurrent("deletes accounts, and takes back what the server has", async () => {
      const site = await Site.open(binary, "nats-resolver", { APP: ["app"], OLD: ["old"], GONE: ["gone"] });
      const { work } = site;
      await site.push("APP", "OLD", "GONE");
      const [old, gone] = [await site.join("OLD", "old"), await site.join("GONE", "gone")];
      const [oldKey, goneKey] = [work.key("OLD"), work.key("GONE")];
      await work.nsc("delete", "account", "OLD", "--force");
      const said = await work.nsc("push", "--prune");
      for (const part of [`account ${oldKey} only exists in server`, "named APP exists", "deleted 1 accounts"]) expect(said).toContain(part);
      expect(await ended(old)).toContain("Account Authentication Expired");
      expect(existsSync(site.kept(oldKey))).toBe(false);
      expect(existsSync(`${site.kept(oldKey)}.deleted`)).toBe(true);

      const [removed, listed] = await Promise.all([work.nsc("push", "--account-removal", "GONE"), work.nsc("push", "--diff")]);
      expect(removed).toContain("deleted 1 accounts");
      expect(listed).toContain("named APP exists");
      expect(await ended(gone)).toContain("Account Authentication Expired");
      await site.refused("GONE", "gone");
      expect(existsSync(site.kept(goneKey))).toBe(false);

      const there = work.token("APP");
      await work.nsc("edit", "account", "APP", "--description", "never pushed");
      expect(work.token("APP")).not.toBe(there);
      expect(await work.nsc("pull", "--all", "--overwrite-newer")).toContain('stored account "APP"');
      expect(work.token("APP")).toBe(there);
    });
  });

  const [ours = "", theirs] = binaries;
  if (theirs !== undefined) test("a folder of tokens goes from one server to the other and back", async () => {
    for (const [first, second] of [[ours, theirs ?? ""], [theirs ?? "", ours]]) {
      const work = new Workplace();
      await work.found({ APP: ["app"], LATER: ["later"], OLD: ["old"] });
      const folder = temporaryFolder("nsc-folder");
      const config = await work.config("nats-resolver");
      /** Starts a server on the folder, works with it, and ends it. */
      const on = async (binary: string, use: (join: (account: string, user: string) => Promise<NatsConnection>, push: (account: string) => Promise<void>) => Promise<void>): Promise<void> => {
        const server = await ServerProcess.start({ binary, folder, config });
        try {
          const system = await enter(server, work.creds("SYS", "sys"));
          const push = async (account: string): Promise<void> => expect((await system.request("$SYS.REQ.CLAIMS.UPDATE", work.token(account))).string()).toContain("jwt updated");
          await use((account, user) => enter(server, work.creds(account, user)), push);
          const listed = (await system.request("$SYS.REQ.CLAIMS.LIST")).json<{ data: readonly string[] }>();
          expect([...listed.data].sort()).toEqual(readdirSync(join(folder, "jwt")).map((name) => name.replace(".jwt", "")).sort());
        } finally {
          await server.stop();
        }
      };
      await on(first, async (_, push) => {
        for (const account of ["APP", "OLD"]) await push(account);
      });
      await work.nsc("edit", "account", "APP", "--deny-pub", "closed");
      await on(second, async (enterAs, push) => {
        await enterAs("OLD", "old");
        for (const account of ["APP", "LATER"]) await push(account);
      });
      await on(first, async (enterAs) => {
        for (const [account, user] of [["OLD", "old"], ["LATER", "later"]]) await enterAs(account, user);
        expect(await permissions(await enterAs("APP", "app"))).toMatchObject({ publish: { deny: ["closed"] } });
      });
    }
  });
}

/** The key of an account's only signing key. */
function signingKey(work: Workplace, account: string): string {
  const [, claims = ""] = work.token(account).split(".");
  const { nats } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { nats: { signing_keys: readonly { key: string }[] } };
  const [only] = nats.signing_keys;
  if (only === undefined) throw new Error("no signing key");
  return only.key;
}

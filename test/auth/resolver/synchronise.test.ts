/**
 * Full folders agree by packs of tokens. A second server is played by a client of the system account: it asks for a pack, and answers what the server asks.
 * On our executable, and on the reference where it is there.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, jwtAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { poll, within } from "../../support/deadline.ts";
import { accountToken, ISSUED_S, keyNamed, type Named, operatorToken, userToken } from "../../support/jwt.ts";
import { logText, ServerProcess } from "../../support/server-process.ts";
import { binaries } from "../../clients/cli-session.ts";

setDefaultTimeout(30_000);

const operator = keyNamed("operator", "O");
const [system, a, b, c, d] = ["SYS", "A", "B", "C", "D"].map((name) => keyNamed("account", name)) as [Named, Named, Named, Named, Named];
const user = keyNamed("user", "U");
const token = (account: Named, description = "", iat = ISSUED_S): string => accountToken(account, operator, { description }, { iat });
const CONFIG = `
server_name: north
operator: ${operatorToken(operator, { system_account: system.publicKey })}
resolver: { type: full, dir: "jwt", interval: "100ms" }
resolver_preload: { ${system.publicKey}: ${token(system)}, ${a.publicKey}: ${token(a)} }
`;

/** What two folders with the same tokens share. */
function hashOf(...tokens: readonly string[]): Buffer {
  const hash = Buffer.alloc(32);
  for (const text of tokens) createHash("sha256").update(text).digest().forEach((byte, at) => (hash[at] ^= byte));
  return hash;
}

/** A server's peer. */
class Peer {
  readonly #asked;

  private constructor(readonly connection: NatsConnection) {
    this.#asked = connection.subscribe("$SYS.REQ.CLAIMS.PACK")[Symbol.asyncIterator]();
  }

  static async of(server: ServerProcess): Promise<Peer> {
    const authenticator = jwtAuthenticator(userToken(user, system), Buffer.from(user.seed));
    return new Peer(await connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, authenticator, reconnect: false }));
  }

  /** The server's next question. */
  async question(): Promise<{ readonly inbox: string; readonly hash: Buffer }> {
    for (;;) {
      const { value, done } = await within(5000, "a question", this.#asked.next());
      if (done === true) throw new Error("the connection is gone");
      if (value.reply?.startsWith("$SYS._INBOX.") === true) return { inbox: value.reply, hash: Buffer.from(value.data) };
    }
  }

  /** Answers the server's next question. */
  async offer(...messages: readonly string[]): Promise<void> {
    const { inbox } = await this.question();
    for (const message of messages) this.connection.publish(inbox, message);
  }

  /** Waits until the server has this token of an account; an empty text: none. */
  async has(account: Named, expected: string): Promise<void> {
    await poll(3000, `the token of ${account.name}`, async () => {
      const kept = await this.connection.request(`$SYS.REQ.ACCOUNT.${account.publicKey}.CLAIMS.LOOKUP`);
      return kept.string() === expected ? true : undefined;
    });
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** What the server answers to a question. */
  async pack(hash: Uint8Array): Promise<string[]> {
    const answers = this.connection.subscribe("answers");
    this.connection.publish("$SYS.REQ.CLAIMS.PACK", hash, { reply: "answers" });
    const texts: string[] = [];
    for await (const message of answers) {
      if (message.data.length === 0) return texts.sort();
      texts.push(message.string());
    }
    throw new Error("the connection is gone");
  }
}

describe.each(binaries)("%s", (binary) => {
  const servers: ServerProcess[] = [];
  afterAll(async () => {
    for (const server of servers) await server.stop();
  });

  test("answers with every token, or with none to who has the same", async () => {
    const server = await ServerProcess.start({ binary, config: CONFIG });
    servers.push(server);
    const peer = await Peer.of(server);
    const all = [system, a].map((account) => `${account.publicKey}|${token(account)}`).sort();
    expect(await peer.pack(Buffer.alloc(0))).toEqual(all);
    expect(await peer.pack(Buffer.alloc(32))).toEqual(all);
    expect(await peer.pack(hashOf(token(a)))).toEqual(all);
    expect(await peer.pack(hashOf(token(a), token(system)))).toEqual([]);
    await peer.close();
  });

  test("asks again and again, and takes what is new", async () => {
    const server = await ServerProcess.start({ binary, config: CONFIG });
    servers.push(server);
    const peer = await Peer.of(server);
    const { inbox, hash } = await peer.question();
    expect(inbox).toMatch(/^\$SYS\._INBOX\.\w{8}\.\w{8}$/);
    expect(hash).toEqual(hashOf(token(a), token(system)));
    await peer.offer(`${b.publicKey}|${token(b)}\n\n${c.publicKey}|${token(c)}`, "");
    await peer.has(b, token(b));
    await peer.has(c, token(c));
    await peer.offer(`${a.publicKey}|${token(a, "newer", ISSUED_S + 100)}`);
    await peer.has(a, token(a, "newer", ISSUED_S + 100));
    await peer.offer(`${a.publicKey}|${token(a, "older", ISSUED_S + 50)}`, `${b.publicKey}|${token(b, "", ISSUED_S + 1)}`);
    await peer.has(b, token(b, "", ISSUED_S + 1));
    await peer.has(a, token(a, "newer", ISSUED_S + 100));
    // What the folder has now is what it asks with.
    const wanted = hashOf(token(system), token(a, "newer", ISSUED_S + 100), token(b, "", ISSUED_S + 1), token(c));
    await poll(3000, "the new hash", async () => ((await peer.question()).hash.equals(wanted) ? true : undefined));
    await peer.close();
  });

  test.each(["full", "cache"])("asks others for an account that is not in its %s folder", async (type) => {
    const config = `operator: ${operatorToken(operator, { system_account: system.publicKey })}\nresolver: { type: ${type}, dir: "jwt", timeout: "300ms" }\nresolver_preload: { ${system.publicKey}: ${token(system)} }`;
    const server = await ServerProcess.start({ binary, config });
    servers.push(server);
    const peer = await Peer.of(server);
    const silent = keyNamed("account", "SILENT");
    peer.connection.subscribe("$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP", {
      callback: (_, message) => {
        const [, , , account] = message.subject.split(".");
        if (account === d.publicKey) message.respond(token(d));
        else if (account === b.publicKey) message.respond(accountToken(b, keyNamed("operator", "P")));
        else if (account === a.publicKey) message.respond();
      },
    });
    await peer.connection.flush();
    const login = (account: Named): Promise<string> => {
      const authenticator = jwtAuthenticator(userToken(user, account), Buffer.from(user.seed));
      return connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, authenticator, reconnect: false }).then(
        (connection) => connection.close().then(() => "in"),
        (error: unknown) => (error instanceof Error ? error.message : ""),
      );
    };
    expect(await login(d)).toBe("in");
    expect(readFileSync(join(server.folder, "jwt", `${d.publicKey}.jwt`), "utf8")).toBe(token(d));
    for (const account of [a, b, silent]) expect(await login(account)).toBe("Authorization Violation");
    for (const problem of ["account jwt not found", "fetching jwt timed out"]) await server.waitForLog((line) => logText(line) === `[WRN] Account fetch failed: ${problem}`);
    await peer.close();
  });

  test("keeps questions apart that are under way at once", async () => {
    const config = `operator: ${operatorToken(operator, { system_account: system.publicKey })}\nresolver: { type: full, dir: "jwt", timeout: "5s" }\nresolver_preload: { ${system.publicKey}: ${token(system)} }`;
    const server = await ServerProcess.start({ binary, config });
    servers.push(server);
    const peer = await Peer.of(server);
    const asked: (() => void)[] = [];
    peer.connection.subscribe("$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP", {
      callback: (_, message) => {
        const wanted = [c, d].find(({ publicKey }) => message.subject.includes(publicKey));
        if (wanted !== undefined) asked.unshift(() => void message.respond(token(wanted)));
        // Both are asked for: the later question is answered first.
        if (asked.length === 2) for (const answer of asked) answer();
      },
    });
    await peer.connection.flush();
    const logins = [c, d].map((account) => connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, authenticator: jwtAuthenticator(userToken(user, account), Buffer.from(user.seed)), reconnect: false }));
    for (const connection of await Promise.all(logins)) await connection.close();
    await peer.close();
  });

  test("says what is wrong with a pack, and takes the rest", async () => {
    const server = await ServerProcess.start({ binary, config: CONFIG });
    servers.push(server);
    const peer = await Peer.of(server);
    await peer.offer("hello", "a|b|c", `${user.publicKey}|x`, `${c.publicKey}|${token(c)}`);
    await peer.has(c, token(c));
    for (const problem of [`line in package didn't contain 2 entries: "hello"`, `line in package didn't contain 2 entries: "a|b|c"`, "key to merge is not a valid public account key"]) {
      await server.waitForLog((line) => logText(line) === `[ERR] DirResolver - Merging resulted in error: ${problem}`);
    }
    await peer.close();
  });
});

test("ours takes nothing that is no token, another account's, or another operator's", async () => {
  const server = await ServerProcess.start({ binary: binaries[0] ?? "", config: CONFIG });
  try {
    const peer = await Peer.of(server);
    await peer.offer(`${d.publicKey}|hello`, `${d.publicKey}|${token(a)}`, `${b.publicKey}|${accountToken(b, keyNamed("operator", "P"))}`, `${c.publicKey}|${token(c)}`);
    await peer.has(c, token(c));
    for (const account of [d, b]) await peer.has(account, "");
    await peer.close();
  } finally {
    await server.stop();
  }
});

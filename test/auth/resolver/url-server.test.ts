/** Servers that get their accounts from a web server, with TLS and without: our executable, and the reference where it is there. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, jwtAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { certificateFolder } from "../../support/certificates.ts";
import { accountToken, keyNamed, type Named, operatorToken, userToken } from "../../support/jwt.ts";
import { logText, runToEnd, ServerProcess } from "../../support/server-process.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { binaries } from "../../clients/cli-session.ts";

setDefaultTimeout(30_000);

const operator = keyNamed("operator", "O");
const [system, a, b, foreign, wrong, slow, unknown] = ["SYS", "A", "B", "FOREIGN", "WRONG", "SLOW", "UNKNOWN"].map((name) => keyNamed("account", name)) as [Named, Named, Named, Named, Named, Named, Named];
const user = keyNamed("user", "U");
const certificates = certificateFolder();
const pem = (name: string): string => readFileSync(join(certificates, name), "utf8");

const TOKENS: ReadonlyMap<string, string> = new Map([
  [system.publicKey, accountToken(system, operator)],
  [a.publicKey, accountToken(a, operator)],
  [b.publicKey, `${accountToken(b, operator)}\n`],
  [foreign.publicKey, accountToken(foreign, keyNamed("operator", "P"))],
  [wrong.publicKey, accountToken(a, operator)],
]);

const closing: (() => Promise<unknown> | void)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

type Tls = "none" | "server" | "both";

/** A web server with tokens; it keeps who asks for `slow` waiting. The URL below which they are. */
function site(tls: Tls): { readonly url: string; readonly asked: string[] } {
  const asked: string[] = [];
  const own = { cert: pem("server.pem"), key: pem("server-key.pem") };
  const web = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    ...(tls === "none" ? {} : { tls: tls === "server" ? own : { ...own, ca: pem("ca.pem"), requestCert: true, rejectUnauthorized: true } }),
    fetch: ({ url }) => {
      const account = new URL(url).pathname.replace("/jwt/v1/accounts/", "");
      asked.push(account);
      if (account === "") return new Response("ok");
      if (account === slow.publicKey) return new Promise<Response>(() => undefined);
      const token = TOKENS.get(account);
      return token === undefined ? new Response("no", { status: 404 }) : new Response(token);
    },
  });
  closing.push(() => web.stop(true));
  return { url: `${tls === "none" ? "http" : "https"}://127.0.0.1:${web.port}/jwt/v1`, asked };
}

async function start(binary: string, config: string): Promise<ServerProcess> {
  const server = await ServerProcess.start({ binary, config });
  closing.push(() => server.stop());
  return server;
}

async function enter(server: ServerProcess, account: Named): Promise<NatsConnection> {
  const authenticator = jwtAuthenticator(userToken(user, account), Buffer.from(user.seed));
  const connection = await connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, authenticator, reconnect: false, timeout: 5000 });
  closing.push(() => connection.close());
  return connection;
}

async function outcome(server: ServerProcess, account: Named): Promise<string> {
  return enter(server, account).then(
    () => "in",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

describe.each(binaries)("%s", (binary) => {
  test.concurrent("asks where the operator says, once for each account", async () => {
    const { url, asked } = site("none");
    const server = await start(binary, `operator: ${operatorToken(operator, { system_account: system.publicKey, account_server_url: url })}`);
    expect(asked[0]).toBe("");
    expect(new Set(asked)).toEqual(new Set(["", system.publicKey]));
    for (const account of [a, a, b]) expect(await outcome(server, account)).toBe("in");
    expect(asked.filter((account) => account === a.publicKey).length).toBe(1);
    for (const account of [foreign, wrong, unknown]) expect(await outcome(server, account)).toBe("Authorization Violation");
    await server.waitForLog((line) => logText(line) === `[WRN] Account fetch failed: could not fetch <"${url}/accounts/${unknown.publicKey}">: 404 Not Found`);

    const boss = await enter(server, system);
    const update = (account: Named, token: string): Promise<unknown> => boss.request(`$SYS.REQ.ACCOUNT.${account.publicKey}.CLAIMS.UPDATE`, token).then((message) => message.json<{ data?: unknown; error?: unknown }>());
    expect(await update(a, accountToken(a, operator, { description: "new" }))).toMatchObject({ data: { account: a.publicKey, code: 200, message: "jwt updated" } });
    expect(await update(unknown, accountToken(unknown, operator))).toMatchObject({ data: { account: unknown.publicKey, code: 200, message: "jwt update skipped" } });
    const failures: readonly (readonly [Named, string, string])[] = [
      [a, "", "jwt update error - request body is empty"],
      [unknown, "hello", "jwt update resulted in error - expected 3 chunks"],
      [unknown, accountToken(a, operator), "jwt update resulted in error - subject does not match jwt content"],
      [a, accountToken(a, operator, {}, { exp: 1_767_225_601 }), "jwt update resulted in error - account validation failed"],
    ];
    for (const [account, token, description] of failures) expect(await update(account, token)).toMatchObject({ error: { account: account.publicKey, code: 500, description } });
  });

  test.concurrent("does not wait for ever", async () => {
    const { url } = site("none");
    const server = await start(binary, `operator: ${operatorToken(operator)}\nresolver: URL("${url}/accounts/")`);
    expect(await outcome(server, slow)).toBe("Authorization Violation");
    const asked = `${url}/accounts/${slow.publicKey}`;
    await server.waitForLog((line) => /^\[WRN\] Account \[\w+\] fetch took 1\.9\d*s$/.test(logText(line)));
    await server.waitForLog((line) => logText(line) === `[WRN] Account fetch failed: could not fetch <"${asked}">: Get "${asked}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`);
  });

  test.concurrent("trusts the authority that the configuration names", async () => {
    const { url } = site("server");
    const config = `operator: ${operatorToken(operator)}\nresolver: URL("${url}/accounts/")`;
    const server = await start(binary, `${config}\nresolver_tls { ca_file: "${certificates}/ca.pem" }`);
    expect(await outcome(server, a)).toBe("in");

    const folder = temporaryFolder("url-resolver");
    await Bun.write(join(folder, "nats.conf"), `port: -1\n${config}`);
    const { code, stderr } = await runToEnd([binary, "-c", "nats.conf"], { folder });
    expect(code).toBe(1);
    expect(stderr).toContain(`could not fetch <"${url}/accounts/">: Get "${url}/accounts/": tls: failed to verify certificate: x509: certificate signed by unknown authority`);
  });

  test.concurrent("shows its own certificate", async () => {
    const { url } = site("both");
    const server = await start(binary, `operator: ${operatorToken(operator)}\nresolver: URL("${url}/accounts/")\nresolver_tls { ca_file: "${certificates}/ca.pem", cert_file: "${certificates}/client.pem", key_file: "${certificates}/client-key.pem" }`);
    expect(await outcome(server, a)).toBe("in");
  });
});

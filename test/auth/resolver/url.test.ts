/** Accounts from a web server: a real one, with and without TLS, and what it may do wrong. */
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ResolverError } from "../../../src/auth/operator/index.ts";
import { UrlResolver } from "../../../src/auth/resolver/index.ts";
import { bunHttp } from "../../../src/platform/bun/http.ts";
import { certificateFolder } from "../../support/certificates.ts";
import { accountToken, keyNamed } from "../../support/jwt.ts";

const account = keyNamed("account", "A");
const token = accountToken(account, keyNamed("operator", "O"));
type Site = ReturnType<typeof Bun.serve>;
let site: Site | undefined;
afterEach(() => site?.stop(true));

/** Knows one account, and answers the empty one as servers of the kind do. */
function serve(tls?: { readonly cert: string; readonly key: string }): Site {
  return (site = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    ...(tls === undefined ? {} : { tls }),
    fetch: ({ url }) => {
      const asked = new URL(url).pathname.replace("/jwt/v1/accounts/", "");
      if (asked === "") return new Response("ok");
      return asked === account.publicKey ? new Response(token) : new Response("no", { status: 404 });
    },
  }));
}

async function problem(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ResolverError);
  return error instanceof Error ? error.message : "";
}

test("finds an account, with a slash at the end of the URL or without", async () => {
  const { port } = serve();
  for (const url of [`http://127.0.0.1:${port}/jwt/v1/accounts/`, `http://127.0.0.1:${port}/jwt/v1/accounts`]) {
    const resolver = new UrlResolver(bunHttp, url, undefined);
    await resolver.check();
    expect(await resolver.fetch(account.publicKey)).toBe(token);
  }
});

test("tells that there is none, and hides the password", async () => {
  const { port } = serve();
  const resolver = new UrlResolver(bunHttp, `http://bob:secret@127.0.0.1:${port}/jwt/v1/accounts/`, undefined);
  expect(await problem(resolver.fetch("AX"))).toBe(`could not fetch <"http://bob:xxxxx@127.0.0.1:${port}/jwt/v1/accounts/AX">: 404 Not Found`);
});

test("tells that nobody is there", async () => {
  expect(await problem(new UrlResolver(bunHttp, "http://127.0.0.1:1/", undefined).check())).toBe('could not fetch <"http://127.0.0.1:1/">: Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused');
});

test("asks web servers, and nothing else that the runtime could fetch", async () => {
  for (const [url, scheme] of [["ftp://x/", "ftp"], ["file:///etc/", "file"], ["s3://bucket/", "s3"], ["nope/", ""]]) {
    expect(await problem(new UrlResolver(bunHttp, url ?? "", undefined).check())).toBe(`could not fetch <"${url}">: Get "${url}": unsupported protocol scheme "${scheme}"`);
  }
});

test("trusts the authority that the configuration names, and no other", async () => {
  const folder = certificateFolder();
  const { port } = serve({ cert: readFileSync(join(folder, "server.pem"), "utf8"), key: readFileSync(join(folder, "server-key.pem"), "utf8") });
  const url = `https://127.0.0.1:${port}/jwt/v1/accounts/`;
  const ca = readFileSync(join(folder, "ca.pem"), "utf8");
  const none = { ca: "", certificate: "", key: "", insecure: false };
  expect(await new UrlResolver(bunHttp, url, { ...none, ca }).fetch(account.publicKey)).toBe(token);
  expect(await new UrlResolver(bunHttp, url, { ...none, insecure: true }).fetch(account.publicKey)).toBe(token);
  expect(await problem(new UrlResolver(bunHttp, url, none).fetch(account.publicKey))).toContain("could not fetch");
});

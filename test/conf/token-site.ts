/** The web server that the samples of URL resolvers ask for tokens: it has those of the sample's accounts. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accountToken, keyNamed } from "../support/jwt.ts";

const operator = keyNamed("operator", "sample");
const TOKENS: ReadonlyMap<string, string> = new Map(["sample-system", "sample-app"].map((name) => keyNamed("account", name)).map((account) => [account.publicKey, accountToken(account, operator)]));

/** Starts web servers, with TLS and without, and puts their ports into the samples of a copy in `folder`. Returns what ends them. */
export function serveTokens(folder: string): () => void {
  const pem = (name: string): string => readFileSync(join(folder, "tls/certificates", name), "utf8");
  const plain = site(undefined);
  const secure = site({ cert: pem("server.pem"), key: pem("server-key.pem"), ca: pem("ca.pem"), requestCert: true, rejectUnauthorized: true });
  for (const [name, { port }] of [["operator/url.conf", plain], ["operator/url-tls.conf", secure]] as const) {
    const path = join(folder, name);
    writeFileSync(path, readFileSync(path, "utf8").replace("127.0.0.1:9090", `127.0.0.1:${port}`));
  }
  return () => {
    for (const each of [plain, secure]) void each.stop(true);
  };
}

function site(tls: Bun.TLSOptions | undefined) {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    ...(tls === undefined ? {} : { tls }),
    fetch: ({ url }) => {
      const account = new URL(url).pathname.replace("/jwt/v1/accounts/", "");
      if (account === "") return new Response("ok");
      const token = TOKENS.get(account);
      return token === undefined ? new Response("no", { status: 404 }) : new Response(token);
    },
  });
}

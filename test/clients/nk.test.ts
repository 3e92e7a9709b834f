/** `nk`: keys that it makes are users of a server, ours and the reference, and what it signs lets them in. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "../conf/client.ts";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { isPublicKey, keyPairFromSeed, verifySignature } from "../../src/util/nkeys.ts";
import { binaries, hasCli, runCli } from "./cli-session.ts";
import { hasTool, requireTool, runTool } from "./nsc-session.ts";

setDefaultTimeout(30_000);
requireTool("nk");

const servers: ServerProcess[] = [];
const clients: Client[] = [];
afterAll(async () => {
  for (const client of clients) client.close();
  for (const server of servers) await server.stop();
});

const folder = temporaryFolder("nk");

/** A new key: its public form, and the file with its seed. */
async function made(kind: string): Promise<{ readonly publicKey: string; readonly file: string }> {
  const [seed = "", publicKey = ""] = (await runTool("nk", ["-gen", kind, "-pubout"])).trim().split("\n");
  const file = join(folder, `${publicKey}.nk`);
  writeFileSync(file, seed);
  return { publicKey, file };
}

/** What `nk` signs with the seed in a file. */
async function signed(text: string, seed: string): Promise<string> {
  const file = join(folder, "text");
  writeFileSync(file, text);
  return (await runTool("nk", ["-sign", file, "-inkey", seed])).trim();
}

if (hasTool("nk")) {
  test.each(["user", "account", "server", "cluster", "operator"] as const)("a %s's seed has the same public key here, and each verifies what the other signed", async (kind) => {
    const { publicKey, file } = await made(kind);
    const keys = keyPairFromSeed(readFileSync(file, "utf8"));
    expect(keys?.publicKey).toBe(publicKey);
    const text = Buffer.from("hello");
    expect(verifySignature(publicKey, text, Buffer.from(await signed("hello", file), "base64url"))).toBe(true);
    const signature = join(folder, "signature");
    writeFileSync(signature, keys?.sign(text).toString("base64url") ?? "");
    expect(await runTool("nk", ["-verify", join(folder, "text"), "-sigfile", signature, "-inkey", file])).toContain("Verified OK");
  });

  test("a curve's keys are known as such", async () => {
    const { publicKey, file } = await made("curve");
    expect(isPublicKey(publicKey, "curve")).toBe(true);
    expect(keyPairFromSeed(readFileSync(file, "utf8"))?.publicKey).toBe(publicKey);
  });

  describe.each(binaries)("%s", (binary) => {
    test("lets in who signs the nonce, and nobody else", async () => {
      const [one, other] = [await made("user"), await made("user")];
      const server = await ServerProcess.start({ binary, config: `authorization: { users: [ { nkey: ${one.publicKey} } ] }` });
      servers.push(server);
      const login = async (key: string, seed: string): Promise<string> => {
        const client = await Client.open(server.ports.nats);
        clients.push(client);
        return client.login({ nkey: key, sig: await signed(client.info.nonce ?? "", seed) });
      };
      expect(await login(one.publicKey, one.file)).toBe("PONG");
      expect(await login(one.publicKey, other.file)).toBe("-ERR 'Authorization Violation'");
      expect(await login(other.publicKey, other.file)).toBe("-ERR 'Authorization Violation'");
      if (hasCli) expect((await runCli(["--server", `127.0.0.1:${server.ports.nats?.port}`, "--nkey", one.file, "rtt"])).code).toBe(0);
    });
  });
}

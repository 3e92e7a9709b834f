/** The `nats` CLI in operator mode: makes an operator, accounts and users, pushes, works as a user, and looks at the server as a user of the system account. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { ServerProcess, type Outcome } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { binaries, cliData, hasCli, requireCli, runCli } from "./cli-session.ts";

setDefaultTimeout(60_000);
requireCli();

const folder = temporaryFolder("operator-cli");
const boss = join(folder, "boss.creds");
const app = join(folder, "app.creds");
const OPERATOR = "CLI-OPERATOR";

async function must(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(args);
  if (code !== 0) throw new Error(`nats ${args.join(" ")}: ${code}\n${stdout}\n${stderr}`);
  return stdout;
}

let made: Promise<string> | undefined;

/** Operator, accounts and users, made once; the operator's token. */
function workplace(): Promise<string> {
  return (made ??= (async () => {
    await must("auth", "operator", "add", OPERATOR, "--signing-key");
    await must("auth", "account", "add", "APP", "--operator", OPERATOR, "--defaults");
    await must("auth", "account", "edit", "APP", "--operator", OPERATOR, "--jetstream", "--js-disk", "1048576", "--js-memory", "0");
    await must("auth", "user", "add", "boss", "SYSTEM", "--operator", OPERATOR, "--defaults", "--credential", boss);
    await must("auth", "user", "add", "app", "APP", "--operator", OPERATOR, "--defaults", "--credential", app);
    return readFileSync(join(cliData, `nats/nsc/stores/${OPERATOR}/${OPERATOR}.jwt`), "utf8").trim();
  })());
}

/** What is the same on every run and every server. */
function plain(text: string): string {
  return text
    .replaceAll(/sha256:[0-9a-f]+|\/tmp\/\S+/g, "NAME")
    .replaceAll(/\b[NAU][A-Z2-7]{55}\b/g, "KEY")
    .replaceAll(/\b[A-Z2-7]{10,12} \.\./g, "KEY ..")
    .replaceAll(/\d[\d.,]*( ?(?:µs|ns|ms|m\ds|s|MiB|KiB|GiB|B|%))?/g, "#")
    .replaceAll(/[─│├┤╭╮╰╯┬┴┼█ ]+/g, " ");
}

if (hasCli) {
  const servers: ServerProcess[] = [];
  afterAll(async () => {
    for (const server of servers) await server.stop();
  });

  const outputs = new Map<string, string[]>();
  describe.each(binaries)("%s", (binary) => {
    test("pushes an account, works in it, and looks at the server", async () => {
      const operator = await workplace();
      const jwt = temporaryFolder("operator-cli-jwt");
      const server = await ServerProcess.start({ binary, config: `server_name: north\noperator: ${operator}\nresolver: { type: full, dir: "${jwt}/jwt", allow_delete: true }\njetstream: { store_dir: "${jwt}/js" }` });
      servers.push(server);
      const at = ["-s", `127.0.0.1:${server.ports.nats?.port}`];
      const system = (...args: readonly string[]): Promise<string> => must(...at, "--creds", boss, ...args);
      const user = (...args: readonly string[]): Promise<string> => must(...at, "--creds", app, ...args);

      const early: Outcome = await runCli([...at, "--creds", app, "pub", "x", "y"]);
      expect(early.code).not.toBe(0);
      expect(await system("auth", "account", "push", "APP", "--operator", OPERATOR)).toContain("Update completed on");
      expect(await system("auth", "account", "push", "SYSTEM", "--operator", OPERATOR)).toContain("Update completed on");
      expect(await system("auth", "account", "query", "APP", "--operator", OPERATOR)).toContain("JetStream");
      await user("stream", "add", "S", "--subjects", "s.*", "--defaults");
      await user("pub", "s.1", "hello");
      expect(await user("stream", "get", "S", "1")).toContain("hello");
      expect(await user("account", "info")).toMatch(/User: app \(U[A-Z2-7]{55}\)[^]*Account: APP \(A/);

      const seen: string[] = [];
      for (const command of ["list", "info north", "report connections", "report accounts", "report jetstream", "request jetstream-health", "check connection"]) seen.push(`${command}\n${plain(await system("server", ...command.split(" ")))}`);
      expect(await system("server", "ping", "1")).toContain("north");
      expect(await system("server", "request", "variables")).toContain('"trusted_operators_claim"');
      outputs.set(binary, seen);
      const [ours, theirs] = binaries.map((each) => outputs.get(each));
      // Lines of tables, names and figures; the language that a server is written in is its own.
      if (theirs !== undefined) expect(ours?.map((text) => text.replace("bun#", "go#"))).toEqual(theirs);
    });
  });
}

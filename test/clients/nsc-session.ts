/** `nsc` and `nk`, the tools that make operators, accounts, users and keys, for the tests that use them. Each workplace has keys and settings of its own. */
import { test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";

export type Tool = "nsc" | "nk";

const binaries: Readonly<Record<Tool, string | undefined>> = { nsc: process.env["NATS_NSC"], nk: process.env["NATS_NK"] };

export function hasTool(tool: Tool): boolean {
  const binary = binaries[tool];
  return binary !== undefined && existsSync(binary);
}

/** Says, or with REQUIRE_REFERENCE=1 fails, when a tool is missing. */
export function requireTool(tool: Tool): void {
  const variable = `NATS_${tool.toUpperCase()}`;
  if (process.env["REQUIRE_REFERENCE"] === "1") {
    test(`${tool} is there`, () => {
      if (!hasTool(tool)) throw new Error(`REQUIRE_REFERENCE=1, but ${variable} does not name a binary (scripts/nats-cli ${tool} prints one)`);
    });
  } else if (!hasTool(tool)) console.log(`${tool}: ${variable} names no binary, so ${tool} is not tried`);
}

/** Runs a tool; what it said on both streams. Throws when it fails. */
export async function runTool(tool: Tool, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const binary = binaries[tool];
  if (binary === undefined) throw new Error(`no ${tool}`);
  const { code, stdout, stderr } = await runToEnd([binary, ...args], { environment, milliseconds: 20_000 });
  if (code !== 0) throw new Error(`${tool} ${args.join(" ")}: ${code}\n${stdout}\n${stderr}`);
  return stdout + stderr;
}

/** Past any look for a newer version of the tool, which would go out to the network. */
const NEVER = 4_000_000_000;

/** A place with an operator of its own. */
export class Workplace {
  readonly folder = temporaryFolder("nsc");
  readonly #environment: Readonly<Record<string, string>>;

  constructor() {
    const { folder } = this;
    writeFileSync(join(folder, "nsc.json"), JSON.stringify({ store_root: folder, github_updates: "nats-io/nsc", last_update: NEVER }));
    this.#environment = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, NSC_HOME: folder, NKEYS_PATH: folder, NSC_NO_GIT_IGNORE: "true" };
  }

  /** Runs `nsc` with these arguments. */
  nsc(...args: readonly string[]): Promise<string> {
    return runTool("nsc", ["--all-dirs", this.folder, ...args], this.#environment);
  }

  /** An operator with a signing key and a system account, and these accounts with users: `{ APP: ["app"] }`. */
  async found(accounts: Readonly<Record<string, readonly string[]>>): Promise<void> {
    await this.nsc("add", "operator", "--name", "OP", "--generate-signing-key", "--sys");
    for (const [account, users] of Object.entries(accounts)) {
      await this.nsc("add", "account", account);
      for (const user of users) await this.nsc("add", "user", user, "--account", account);
    }
  }

  /** The configuration of a server, as `nsc` writes it; deletions allowed. */
  async config(kind: "mem-resolver" | "nats-resolver" | "nats-resolver-cache"): Promise<string> {
    const file = join(this.folder, `${kind}.conf`);
    await this.nsc("generate", "config", `--${kind}`, "--sys-account", "SYS", "--config-file", file, "--force");
    return readFileSync(file, "utf8").replace("allow_delete: false", "allow_delete: true");
  }

  /** The file with a user's token and seed. */
  creds(account: string, user: string): string {
    return join(this.folder, "creds", "OP", account, `${user}.creds`);
  }

  /** The token of an account. */
  token(account: string): string {
    return readFileSync(join(this.folder, "OP", "accounts", account, `${account}.jwt`), "utf8").trim();
  }

  /** The public key of an account. */
  key(account: string): string {
    const [, claims = ""] = this.token(account).split(".");
    return (JSON.parse(Buffer.from(claims, "base64url").toString()) as { sub: string }).sub;
  }
}

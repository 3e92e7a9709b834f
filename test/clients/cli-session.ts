/** The `nats` command-line client on a server, for the tests that use it: our executable, and the reference where it is there. */
import { afterAll, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { poll } from "../support/deadline.ts";
import { type Outcome, runToEnd, ServerProcess } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";

const own = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));
const cli = process.env["NATS_CLI"];
const reference = process.env["NATS_REFERENCE_SERVER"];
export const hasCli = cli !== undefined && existsSync(cli);
export const binaries = [own, ...(reference !== undefined && existsSync(reference) ? [reference] : [])];

/** Says, or with REQUIRE_REFERENCE=1 fails, when the CLI or the reference is missing. */
export function requireCli(): void {
  if (process.env["REQUIRE_REFERENCE"] === "1") {
    test("the CLI and the reference server are there", () => {
      if (!hasCli) throw new Error("REQUIRE_REFERENCE=1, but NATS_CLI does not name a binary (scripts/nats-cli prints one)");
      if (binaries.length < 2) throw new Error("REQUIRE_REFERENCE=1, but NATS_REFERENCE_SERVER does not name a binary (scripts/reference-server prints one)");
    });
  } else if (!hasCli) console.log("cli: NATS_CLI names no binary, so the nats CLI is not tried");
  else if (binaries.length < 2) console.log("cli: NATS_REFERENCE_SERVER names no binary, so only our own server is tried");
}

/** A folder for the CLI's settings: empty, whatever contexts the person who runs the tests has. */
const home = temporaryFolder("cli-home");
/** Where it keeps what it makes: keys and tokens. */
export const cliData = join(home, "data");

export function runCli(args: readonly string[]): Promise<Outcome> {
  if (cli === undefined) throw new Error("no CLI");
  const environment = { HOME: home, XDG_CONFIG_HOME: join(home, "config"), XDG_DATA_HOME: cliData };
  return runToEnd([cli, ...args], { environment, milliseconds: 20_000 });
}

/** A server, and the CLI used on it. */
export class Session {
  constructor(readonly server: ServerProcess) {}

  /** Runs `nats` with these arguments to its end. */
  nats(...args: readonly string[]): Promise<Outcome> {
    const { nats } = this.server.ports;
    if (nats === undefined) throw new Error("no client port");
    return runCli(["--server", `${nats.scheme}://localhost:${nats.port}`, ...args]);
  }

  /** Waits until somebody subscribes to `subject`. */
  async subscribed(subject: string): Promise<void> {
    const { monitoring } = this.server.ports;
    await poll(10_000, `a subscription to ${subject}`, async () => {
      const response = await fetch(`http://${monitoring?.host}:${monitoring?.port}/connz?subs=1`);
      const { connections } = (await response.json()) as { connections: readonly { subscriptions_list?: readonly string[] }[] };
      return connections.some((connection) => connection.subscriptions_list?.includes(subject)) ? true : undefined;
    });
  }
}

const started: ServerProcess[] = [];
afterAll(async () => {
  for (const server of started) await server.stop();
});

export async function sessionOn(binary: string, setup: { readonly config?: string; readonly files?: Readonly<Record<string, string>> }): Promise<Session> {
  const server = await ServerProcess.start({ binary, ...setup });
  started.push(server);
  return new Session(server);
}

/** A progress bar that the CLI drew over later; how many there were is a matter of the machine's speed. */
const OVERDRAWN = /(?:^[^\n]*\n)?\x1b\[A\x1b\[K/gm;

/** What is left of output when everything that differs from run to run is taken away. */
export function shape(text: string): string[] {
  return text
    .replaceAll(OVERDRAWN, "")
    .replaceAll(/[\d.,]*\d ?(?:[µun]?s|ms|[KMG]?i?B)?\b/g, "<n>")
    .split("\n")
    .map((line) => line.trimEnd());
}

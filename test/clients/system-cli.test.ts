/** What the `nats` CLI shows to an administrator, a user of the system account: every command about one server, the same on ours and on the reference. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { binaries, hasCli, requireCli, runCli } from "./cli-session.ts";

setDefaultTimeout(60_000);
requireCli();

const CONFIG = `
server_name: north
server_tags: ["az:a"]
system_account: SYS
jetstream { store_dir: "\${dir}/js", max_mem: 64MB, max_file: 128MB }
accounts {
  SYS: { users: [ { user: sys, password: sys } ] }
  APP: { jetstream: enabled, users: [ { user: app, password: app } ] }
}`;

/** Commands whose output is the same but for figures, keys and times. */
const SYSTEM = `
server list
server list 1
server info
server info north
server ping
server ping --id
server report accounts
server report connections
server report connections --subject x.* --account APP
server report connections --state all --sort in-msgs
server report connections --username app
server report cpu
server report mem
server report health
server report jetstream
server report jetstream --account APP
server report gateways
server report leafnodes
server report routes
server report downgrade 1
server request connections
server request gateways
server request jetstream-health --js-enabled
server request jetstream --all
server request jetstream --account APP --streams --consumer --config
server request leafnodes
server request raft
server request routes
server request subscriptions
server account info APP
server account info NONE
server account purge NONE --force
server check connection
server check server --name north
server check meta --expect 3 --lag-critical 10 --seen-critical 10s
server mappings a.* b.$1 a.x`;

const USER = `
server check jetstream
server check stream --stream S
server check consumer --stream S --consumer C
server check message --stream S --subject s.1
server check request --subject svc
server check kv --bucket B
account info
account report connections
account report statistics`;

const commandsOf = (text: string): string[][] => text.trim().split("\n").map((line) => line.split(" "));

/** What is the same on every run and every server. */
function plain(text: string): string[] {
  return text
    .replaceAll(/sha256:[0-9a-f]+|\/tmp\/\S+/g, "NAME")
    .replaceAll(/\b[NAU][A-Z2-7]{55}\b/g, "KEY")
    .replaceAll(/\b[A-Z2-7]{10,12} \.\./g, "KEY ..")
    .replaceAll(/\d[\d.,:]*( ?(?:µs|ns|ms|m\ds|s|MiB|KiB|GiB|B|%))?/g, "#")
    .replaceAll(/[─│├┤╭╮╰╯┬┴┼█ ]+/g, " ")
    .replaceAll("bun#", "go#")
    .split("\n");
}

interface Stage {
  readonly server: ServerProcess;
  readonly app: NatsConnection;
}

const stages: Stage[] = [];
afterAll(async () => {
  for (const { server, app } of stages) {
    await app.close();
    await server.stop();
  }
});

/** A server with something to look at. */
async function stage(binary: string): Promise<Stage> {
  const server = await ServerProcess.start({ binary, config: CONFIG });
  const app = await connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, user: "app", pass: "app", name: "one", reconnect: false });
  stages.push({ server, app });
  app.subscribe("x.y");
  app.subscribe("svc", { callback: (_, message) => void message.respond("ok") });
  const manager = await jetstreamManager(app);
  await manager.streams.add({ name: "S", subjects: ["s.*"] });
  await manager.consumers.add("S", { durable_name: "C", ack_policy: "explicit" });
  await app.request("s.1", "hello");
  return { server, app };
}

const cli = (server: ServerProcess, user: string, ...command: readonly string[]) => runCli(["--server", `nats://${user}:${user}@127.0.0.1:${server.ports.nats?.port}`, ...command]);

if (hasCli) {
  const outputs = new Map<string, string[][]>();
  describe.each(binaries)("%s", (binary) => {
    test.concurrent("shows the server, and works on it", async () => {
      const { server } = await stage(binary);
      const seen: string[][] = [];
      for (const [user, commands] of [["sys", SYSTEM], ["app", USER]] as const) {
        for (const command of commandsOf(commands)) {
          const { code, stdout, stderr } = await cli(server, user, ...command);
          const lines = plain(stdout + stderr);
          // An account's imports come in any order.
          seen.push([`${command.join(" ")}: ${code}`, ...(command[1] === "account" ? lines.sort() : lines)]);
        }
      }
      outputs.set(binary, seen);

      const profiles = temporaryFolder("profiles");
      const { server_id } = (await (await fetch(`http://127.0.0.1:${server.ports.monitoring?.port}/varz`)).json()) as { server_id: string };
      for (const profile of ["heap", "allocs", "goroutine"]) {
        expect((await cli(server, "sys", "server", "request", "profile", profile, profiles)).stdout).toContain("profile written");
      }
      expect((await cli(server, "sys", "server", "request", "profile", "cpu", profiles, "--timeout", "1s")).stdout).toContain("profile written");
      for (const name of readdirSync(profiles)) expect(statSync(join(profiles, name)).size).toBeGreaterThan(50);
      if (binary === binaries[0]) expect(Object.keys(JSON.parse(readFileSync(join(profiles, readdirSync(profiles).find((name) => name.startsWith("cpu")) ?? ""), "utf8")) as object)).toContain("samples");

      server.writeConfig(CONFIG.replace("APP:", "NEW: { users: [ { user: new, password: new } ] }\n  APP:"));
      expect((await cli(server, "sys", "server", "config", "reload", server_id, "--force")).code).toBe(0);
      expect((await cli(server, "new", "rtt")).code).toBe(0);

      const victim = await connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, user: "app", pass: "app", name: "victim", reconnect: false });
      expect((await cli(server, "sys", "server", "request", "kick", String(victim.info?.client_id), server_id)).code).toBe(0);
      await victim.closed();
    });
  });

  test("which is the same on both", () => {
    const [ours, theirs] = binaries.map((binary) => outputs.get(binary));
    expect(ours).toBeDefined();
    if (theirs !== undefined) expect(ours).toEqual(theirs);
  });
}

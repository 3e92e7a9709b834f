/**
 * The executable as a user meets it: texts, streams and exit codes of the command line, signals, files. Each case runs against our own executable
 * (NATS_SERVER, or dist/nats-server) and, where NATS_REFERENCE_SERVER names one, against the reference, which decides what is right.
 * REQUIRE_REFERENCE=1 makes a missing reference an error.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { OWN_VERSION } from "../../src/util/version.ts";
import { poll } from "../support/deadline.ts";
import { logText, runToEnd, ServerProcess } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";

const own = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));
const reference = process.env["NATS_REFERENCE_SERVER"];
const servers: [name: string, binary: string][] = [["nats-bun", own]];
if (reference !== undefined && existsSync(reference)) servers.push(["reference", reference]);
else if (process.env["REQUIRE_REFERENCE"] === "1") {
  test("the reference server is there", () => {
    throw new Error("REQUIRE_REFERENCE=1, but NATS_REFERENCE_SERVER does not name a binary (scripts/reference-server prints one)");
  });
} else console.log("executable: NATS_REFERENCE_SERVER names no binary, so only our own server is tested");

/** A pid that no process has: beyond the largest that Linux gives. */
const nobody = 2 ** 22 + 1;

const files = { "good.conf": "port: 4222\n", "bad.conf": "port: 4222\nfoo: 1\n", "warn.conf": "ping_interval: 5\n", "broken.conf": 'a: "x\n', "pid": String(nobody), "line": `${nobody}\n` };

interface Expected {
  readonly code: number;
  /** Exact; undefined means the help text. */
  readonly stdout?: string;
  readonly stderr: string;
}

const cases: [args: string[], expected: Expected][] = [
  [["--help"], { code: 0, stderr: "" }],
  [["HELP"], { code: 0, stderr: "" }],
  [["-bogus"], { code: 0, stderr: "flag provided but not defined: -bogus\n" }],
  [["-p", "abc"], { code: 0, stderr: 'invalid value "abc" for flag -p: parse error\n' }],
  [["-p"], { code: 0, stderr: "flag needs an argument: -p\n" }],
  [["bogus"], { code: 1, stdout: "", stderr: 'nats-server: unrecognized command: "bogus"\n' }],
  [["-t"], { code: 1, stdout: "", stderr: "nats-server: must specify [-c, --config] option to check configuration file syntax\n" }],
  [["-c", "none.conf"], { code: 1, stdout: "", stderr: "nats-server: open none.conf: no such file or directory\n" }],
  [["-t", "-c", "bad.conf"], { code: 1, stdout: "", stderr: 'nats-server: bad.conf:2:1: unknown field "foo"\n\n' }],
  [["-t", "-c", "warn.conf"], { code: 1, stdout: "", stderr: 'nats-server: warn.conf:1:0: invalid use of field "ping_interval": ping_interval should be converted to a duration\n\n' }],
  [["-c", "broken.conf"], { code: 1, stdout: "", stderr: "nats-server: Parse error on line 2: 'Unexpected EOF.'\n" }],
  [
    ["-t", "-c", "good.conf"],
    { code: 0, stdout: "", stderr: "nats-server: configuration file good.conf is valid (sha256:797533ebd0dfba7d34a0f9337ecf147e442871f48ddfd07ed751575a5737267e)\n" },
  ],
  [["--signal", `quit=${nobody}`], { code: 1, stdout: "", stderr: `nats-server: \nsignal "quit" ${nobody}: no such process\n` }],
  [["--signal", "reload=pid"], { code: 1, stdout: "", stderr: `nats-server: \nsignal "reload" ${nobody}: no such process\n` }],
  [["--signal", "reload=line"], { code: 1, stdout: "", stderr: `nats-server: invalid pid: ${nobody}\n\n` }],
  [["--signal", "quit=abc"], { code: 1, stdout: "", stderr: "nats-server: invalid pid: abc\n" }],
  [["--signal", "quit=abc*"], { code: 1, stdout: "", stderr: "nats-server: invalid pid: abc\n" }],
  [["--signal", `foo=${nobody}`], { code: 1, stdout: "", stderr: 'nats-server: unknown signal "foo"\n' }],
  [["--signal", "a=b=c=d"], { code: 1, stdout: "", stderr: "nats-server: invalid signal parameters: [c d]\n" }],
  [["-a", "127.0.0.1", "-p", "-1", "--lame"], { code: 0, stderr: "flag provided but not defined: -lame\n" }],
];

describe.each(servers)("%s", (name, binary) => {
  const started: ServerProcess[] = [];
  afterEach(async () => {
    for (const server of started.splice(0)) await server.stop();
  });
  const start = async (folder: string, config?: string): Promise<ServerProcess> => {
    const server = await ServerProcess.start({ binary, config, folder });
    started.push(server);
    return server;
  };
  const folderOf = (): string => {
    const folder = temporaryFolder("cli");
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    return folder;
  };

  test.each(cases)("%p", async (args, expected) => {
    const outcome = await runToEnd([binary, ...args], { folder: folderOf() });
    expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({ code: expected.code, stderr: expected.stderr });
    if (expected.stdout === undefined) expect(outcome.stdout).toStartWith("\nUsage: nats-server [options]\n");
    else expect(outcome.stdout).toBe(expected.stdout);
  });

  test.each([["--version"], ["-v"], ["version"], ["-h -v"]])("%s", async (words) => {
    const { code, stdout, stderr } = await runToEnd([binary, ...words.split(" ")]);
    const expected = name === "nats-bun" ? `nats-server: v2.15.1\nnats-bun: v${OWN_VERSION}\n` : stdout;
    expect([code, stdout, stderr]).toEqual([0, expected, ""]);
    expect(stdout).toMatch(/^nats-server: v\d+\.\d+\.\d+\n/);
  });

  test.each([
    ["quit", "interrupt"],
    ["term", "terminated"],
  ])("--signal %s ends a server in order", async (command, text) => {
    const folder = temporaryFolder("cli");
    const server = await start(folder);
    expect(await runToEnd([binary, "--signal", `${command}=${server.pid}`])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await server.exited()).toBe(0);
    expect(server.log.map(logText)).toContain(`[INF] Trapped "${text}" signal`);
    expect(server.log.map(logText)).toContain("[INF] Server Exiting..");
  });

  test("writes its log and pid to files; a moved log is begun anew on --signal reopen", async () => {
    const folder = temporaryFolder("cli");
    mkdirSync(join(folder, "out"));
    const server = await start(folder, 'log_file: "${dir}/out/n.log"\npid_file: "${dir}/out/pid"\n');
    expect(readFileSync(join(folder, "out/pid"), "utf8")).toBe(String(server.pid));
    expect(statSync(join(folder, "out/pid")).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "out/n.log")).mode & 0o777).toBe(0o640);
    expect(readFileSync(join(folder, "out/n.log"), "utf8")).toMatch(/^\[\d+\] \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{6} \[INF\] Starting nats-server\n/);
    renameSync(join(folder, "out/n.log"), join(folder, "out/moved"));
    await runToEnd([binary, "--signal", `reopen=${join(folder, "out/pid")}`]);
    const text = await poll(5000, "the new log", () => (existsSync(join(folder, "out/n.log")) ? readFileSync(join(folder, "out/n.log"), "utf8") || undefined : undefined));
    expect(text).toMatch(/^\[\d+\] .* \[INF\] File log re-opened\n/);
    expect(readFileSync(join(folder, "out/moved"), "utf8")).toContain('Trapped "user defined signal 1" signal');
  });

  test("does not start without its log file", async () => {
    const { code, stderr } = await runToEnd([binary, "-a", "127.0.0.1", "-p", "-1", "-l", "none/n.log"], { folder: temporaryFolder("cli") });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d error opening file: open none\/n\.log: no such file or directory\n$/);
  });

  test("names its ports file for the executable and removes it at the end", async () => {
    const folder = temporaryFolder("cli");
    const server = await start(folder);
    const ports = join(folder, `${basename(binary)}_${server.pid}.ports`);
    expect(readFileSync(ports, "utf8")).toMatch(/^\{"nats":\["nats:\/\/127\.0\.0\.1:\d+"\],"monitoring":\["http:\/\/127\.0\.0\.1:\d+"\]\}$/);
    await runToEnd([binary, "--signal", `quit=${server.pid}`]);
    expect(await server.exited()).toBe(0);
    expect(existsSync(ports)).toBe(false);
  });
});

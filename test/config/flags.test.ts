/** The command line: syntax, precedence over the file, and what a reload keeps. */
import { expect, test } from "bun:test";
import { type Flags, helpText, parseCommand, redactArguments } from "../../src/config/index.ts";
import { load } from "./fakes.ts";

function flags(...args: string[]): Flags {
  const command = parseCommand(args);
  if (command.kind !== "run") throw new Error(JSON.stringify(command));
  return command.flags;
}

test("one or two dashes, attached or separate values, booleans only attached", () => {
  expect(flags("-p", "1", "--addr=h", "-T=false", "-DV")).toEqual({ port: 1, host: "h", logtime: false, debugTrace: true });
});

test.each([
  [["-bogus"], "flag provided but not defined: -bogus", 0],
  [["-p", "abc"], 'invalid value "abc" for flag -p: parse error', 0],
  [["-D=x"], 'invalid boolean value "x" for -D: parse error', 0],
  [["-p"], "flag needs an argument: -p", 0],
  [["bogus"], 'unrecognized command: "bogus"', 1],
  [["-t"], "must specify [-c, --config] option to check configuration file syntax", 1],
])("%j is refused", (args, stderr, exitCode) => {
  expect(parseCommand(args)).toMatchObject({ kind: "error", stderr, exitCode });
});

test.each([
  [["-v", "-h"], "version"],
  [["VERSION"], "version"],
  [["help"], "help"],
  [["--help_tls", "bogus"], "help_tls"],
  [["-sl", "quit=1", "-t"], "signal"],
  [["-t", "-c", "x"], "test"],
])("%j is %s", (args, kind) => {
  expect(parseCommand(args).kind).toBe(kind as "run");
});

test("help names every section", () => {
  expect(helpText()).toContain("-p, --port <port>                Use port for clients (default: 4222)");
});

test("flags win over the file, also when they switch off", () => {
  const result = load("port: 1\ndebug: true\ncluster { port: 2 }\nserver_name: f", { flags: flags("-p", "9", "-D=false", "--cluster=", "-n", "x") });
  expect(result).toMatchObject({ ok: true, options: { port: 9, serverName: "x", log: { debug: false }, unsupported: [] } });
});

test("a reload keeps some flags only", () => {
  const result = load("debug: false", { flags: flags("-p", "9", "-n", "x"), reload: true });
  expect(result).toMatchObject({ ok: true, options: { port: 9, serverName: "" } });
});

test("TLS flags need a certificate, and links are not in this version", () => {
  expect(load("debug: true", { flags: flags("--tls") })).toEqual({ ok: false, messages: "TLS Server certificate must be present and valid" });
  expect(load("debug: true", { flags: flags("--routes", "nats://a:1") })).toEqual({ ok: false, messages: "solicited routes require cluster capabilities, e.g. --cluster" });
  expect(load("debug: true", { flags: flags("--cluster", "nats://a:1") })).toMatchObject({ ok: true, options: { unsupported: ["--cluster"] } });
});

test("secrets of the arguments are hidden", () => {
  expect(redactArguments(["--user", "u", "--pass=p", "--routes", "nats://a:b@h:1", "-D"])).toEqual([
    "--user", "[REDACTED]", "--pass=[REDACTED]", "--routes", "nats://[REDACTED]@h:1", "-D",
  ]);
});

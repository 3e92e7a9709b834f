/** The program from its arguments to its exit code, with a configuration and a server of the test's own. */
import { beforeEach, describe, expect, test } from "bun:test";
import { run } from "../../src/cli/run.ts";
import type { Loaded, RunOptions, RunningServer } from "../../src/cli/run.ts";
import { NO_FLAGS } from "../../src/config/index.ts";
import type { Command } from "../../src/config/index.ts";
import { LogHub } from "../../src/log/index.ts";
import type { LogSettings } from "../../src/log/index.ts";
import { SystemRandom } from "../../src/platform/bun/random.ts";
import type { StorageDisk, Network, HttpClient } from "../../src/platform/index.ts";
import { OWN_VERSION } from "../../src/util/version.ts";
import { FakeClock, FakeDisk, FakeSystem } from "../log/fakes.ts";

const logSettings: LogSettings = {
  debug: false,
  trace: false,
  logtime: false,
  logtimeUtc: false,
  logFile: "",
  logSizeLimitBytes: 0,
  logMaxFiles: 0,
  syslog: false,
  remoteSyslog: "",
};

class FatalError extends Error {
  override readonly name = "FatalError";
}

let system: FakeSystem;
let disk: FakeDisk;
let calls: string[];
let isLameDuck: boolean;
let server: RunningServer;
beforeEach(() => {
  system = new FakeSystem();
  disk = new FakeDisk();
  calls = [];
  isLameDuck = false;
});

interface Case {
  readonly options?: Partial<RunOptions>;
  readonly loaded?: Loaded<RunOptions>;
  readonly warnings?: readonly string[];
  readonly invalid?: string;
  readonly start?: () => void;
}

function execute(command: Command, { options, loaded, warnings = [], invalid, start }: Case = {}): Promise<number | undefined> {
  const clock = new FakeClock();
  const noSyslog = { local: () => Promise.reject(new Error("none")), dial: () => Promise.reject(new Error("none")) };
  return run({
    platform: { clock, disk: disk as unknown as StorageDisk, system, random: new SystemRandom(), network: {} as Network, http: {} as HttpClient },
    log: new LogHub({ clock, disk, system, syslog: noSyslog }),
    parse: () => command,
    helpText: () => "the help\n",
    tlsHelpText: () => "the TLS help\n",
    load: () => loaded ?? { ok: true, options: { configDigest: "sha256:00", log: logSettings, unsupported: [], ...options }, warnings },
    validate: () => invalid,
    makeServer: () => {
      server = {
        get isLameDuck() {
          return isLameDuck;
        },
        start: start ?? (() => void calls.push("start")),
        reload: () => void calls.push("reload"),
        lameDuck: () => void calls.push("lameDuck"),
        shutdown: async () => void calls.push("shutdown"),
        onStopped: () => undefined,
      };
      return server;
    },
  });
}

describe("what only prints", () => {
  test("version: the compatible one, then our own", async () => {
    expect(await execute({ kind: "version" })).toBe(0);
    expect(system.out).toBe(`nats-server: v2.15.1\nnats-bun: v${OWN_VERSION}\n`);
    expect(OWN_VERSION).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("help", async () => {
    expect([await execute({ kind: "help" }), await execute({ kind: "help_tls" })]).toEqual([0, 0]);
    expect(system.out).toBe("the help\nthe TLS help\n");
  });

  test("an unknown flag: the text, then the help, and no error code", async () => {
    expect(await execute({ kind: "error", stderr: "flag provided but not defined: -bogus", usage: true, exitCode: 0 })).toBe(0);
    expect([system.err, system.out]).toEqual(["flag provided but not defined: -bogus\n", "the help\n"]);
  });

  test("an unknown command", async () => {
    expect(await execute({ kind: "error", stderr: 'unrecognized command: "bogus"', usage: false, exitCode: 1 })).toBe(1);
    expect(system.err).toBe('nats-server: unrecognized command: "bogus"\n');
  });

  test("a signal that cannot be sent", async () => {
    expect(await execute({ kind: "signal", signal: "quit=5", flags: NO_FLAGS })).toBe(1);
    expect(system.err).toBe('nats-server: \nsignal "quit" 5: no such process\n');
  });

  test("a signal that is sent is silent", async () => {
    system.alive = [5];
    expect(await execute({ kind: "signal", signal: "quit=5", flags: NO_FLAGS })).toBe(0);
    expect([system.sent, system.err, system.out]).toEqual([["SIGINT 5"], "", ""]);
  });
});

describe("the test of a configuration", () => {
  const check: Command = { kind: "test", flags: { configFile: "a.conf" } };

  test("valid", async () => {
    expect(await execute(check, { invalid: "not looked at" })).toBe(0);
    expect(system.err).toBe("nats-server: configuration file a.conf is valid (sha256:00)\n");
  });

  test("with errors", async () => {
    expect(await execute(check, { loaded: { ok: false, messages: "a\nb\n" } })).toBe(1);
    expect(system.err).toBe("nats-server: a\nb\n\n");
  });

  test("with warnings only", async () => {
    expect(await execute(check, { warnings: ["w1", "w2"] })).toBe(1);
    expect(system.err).toBe("nats-server: w1\nw2\n\n");
  });
});

describe("a server", () => {
  const serve: Command = { kind: "run", flags: NO_FLAGS };

  test("starts, with warnings on standard error before", async () => {
    expect(await execute(serve, { warnings: ["careful"] })).toBe(undefined);
    expect([system.err, calls]).toEqual(["careful\n", ["start"]]);
  });

  test.each([
    ["a bad file", { loaded: { ok: false, messages: "open x: no such file or directory" } as const }, "nats-server: open x: no such file or directory\n"],
    ["bad options", { invalid: "server name cannot contain spaces" }, "nats-server: server name cannot contain spaces\n"],
    ["missing features", { options: { unsupported: ["a.conf:1:0: cluster"] } }, "nats-server: not in this version of nats-bun:\na.conf:1:0: cluster\n"],
  ])("does not start with %s", async (_name, given, text) => {
    expect(await execute(serve, given)).toBe(1);
    expect([system.err, calls]).toEqual([text, []]);
  });

  test("does not start without its log", async () => {
    disk.failing.set("open", "EACCES");
    expect(await execute(serve, { options: { log: { ...logSettings, logFile: "x" } } })).toBe(1);
    expect([system.err, calls]).toEqual(["2026/11/03 18:12:45 error opening file: open x: permission denied\n", []]);
  });

  test("logs what ends its start", async () => {
    const start = (): void => {
      throw new FatalError("Could not write pidfile: open x: permission denied");
    };
    expect(await execute(serve, { start })).toBe(1);
    expect(system.err).toBe("[7] [FTL] Could not write pidfile: open x: permission denied\n");
  });

  test("does not take a defect for a fatal error", async () => {
    const start = (): void => {
      throw new TypeError("defect");
    };
    await expect(execute(serve, { start })).rejects.toThrow("defect");
  });

  test.each([
    ["SIGHUP", "hangup", "reload"],
    ["SIGUSR2", "user defined signal 2", "lameDuck"],
  ])("on %s logs %p and does %s", async (signal, text, call) => {
    await execute(serve);
    system.handlers.get(signal)?.();
    expect([calls, system.err]).toEqual([["start", call], `[7] [INF] Trapped "${text}" signal\n`]);
  });

  test("reopens its log on SIGUSR1", async () => {
    await execute(serve);
    system.handlers.get("SIGUSR1")?.();
    expect(system.err).toBe('[7] [INF] Trapped "user defined signal 1" signal\n[7] [INF] File log re-open ignored, not a file logger\n');
  });

  test.each([
    ["SIGINT", "interrupt"],
    ["SIGTERM", "terminated"],
  ])("on %s shuts down once and exits with 0", async (signal, text) => {
    await execute(serve);
    system.handlers.get(signal)?.();
    system.handlers.get(signal)?.();
    await Bun.sleep(0);
    expect(calls).toEqual(["start", "shutdown"]);
    expect(system.exitCode).toBe(0);
    expect(system.err).toStartWith(`[7] [INF] Trapped "${text}" signal\n`);
  });

  test("in lame duck mode is stopped by SIGINT but not by SIGTERM", async () => {
    await execute(serve);
    isLameDuck = true;
    system.handlers.get("SIGTERM")?.();
    await Bun.sleep(0);
    expect(calls).toEqual(["start"]);
    system.handlers.get("SIGINT")?.();
    expect(calls).toEqual(["start", "shutdown"]);
  });

  test("that has stopped by itself ends the process with 0", async () => {
    await execute(serve);
    server.onStopped();
    await Bun.sleep(0);
    expect(system.exitCode).toBe(0);
  });
});

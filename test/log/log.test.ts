/** The log's lines, files and rotation, on a clock and a disk of the test's own. */
import { beforeEach, describe, expect, test } from "bun:test";
import { LogHub, LogOpenError, OncePerInterval } from "../../src/log/index.ts";
import type { LogSettings } from "../../src/log/index.ts";
import { backupStamp, bsdStamp, rfc3339Stamp, secondsStamp } from "../../src/log/stamp.ts";
import { FakeClock, FakeDisk, FakeSystem } from "./fakes.ts";

const plain: LogSettings = {
  debug: false,
  trace: false,
  logtime: true,
  logtimeUtc: false,
  logFile: "",
  logSizeLimitBytes: 0,
  logMaxFiles: 0,
  syslog: false,
  remoteSyslog: "",
};
const noSyslog = { local: () => Promise.reject(new Error("none")), dial: () => Promise.reject(new Error("none")) };
const backup = "d/n.log.2026.11.03.18.12.45.899060123";

let clock: FakeClock;
let disk: FakeDisk;
let system: FakeSystem;
let hub: LogHub;
beforeEach(() => {
  clock = new FakeClock();
  disk = new FakeDisk();
  system = new FakeSystem();
  hub = new LogHub({ clock, disk, system, syslog: noSyslog });
});

describe("lines", () => {
  test("have pid, local date and time in microseconds, level and text", async () => {
    clock.zoneMinutes = -300;
    await hub.configure(plain);
    hub.info("Starting nats-server");
    expect(system.err).toBe("[7] 2026/11/03 13:12:45.899060 [INF] Starting nats-server\n");
  });

  test("follow the clock from second to second", () => {
    hub.info("a");
    clock.ns = 1_793_729_566_000_000_999n;
    hub.info("b");
    expect(system.err).toBe("[7] 2026/11/03 18:12:45.899060 [INF] a\n[7] 2026/11/03 18:12:46.000000 [INF] b\n");
  });

  test("are in UTC, or without time, when told so", async () => {
    clock.zoneMinutes = 60;
    await hub.configure({ ...plain, logtimeUtc: true });
    hub.warn("a");
    await hub.configure({ ...plain, logtime: false });
    hub.fatal("b");
    expect(system.err).toBe("[7] 2026/11/03 18:12:45.899060 [WRN] a\n[7] [FTL] b\n");
  });

  test("of debug and trace appear only when asked for", async () => {
    await hub.configure({ ...plain, logtime: false, debug: true });
    hub.debug("d1");
    hub.trace("t1");
    await hub.configure({ ...plain, logtime: false, trace: true });
    hub.debug("d2");
    hub.trace("t2");
    expect([hub.debugOn, hub.traceOn]).toEqual([false, true]);
    expect(system.err).toBe("[7] [DBG] d1\n[7] [TRC] t2\n");
  });

  test("are coloured on a terminal", async () => {
    system.stderrIsTerminal = true;
    await hub.configure({ ...plain, logtime: false, debug: true, trace: true });
    hub.info("x");
    hub.debug("x");
    hub.warn("x");
    hub.error("x");
    hub.fatal("x");
    hub.trace("x");
    const expected = ["32mINF", "36mDBG", "0;93mWRN", "31mERR", "31mFTL", "33mTRC"].map((tag) => `[7] [\x1b[${tag}\x1b[0m] x\n`);
    expect(system.err).toBe(expected.join(""));
  });
});

describe("stamps", () => {
  const atNs = 1_793_729_565_000_000_001n;
  test("have the forms of their readers", () => {
    expect(secondsStamp(atNs, 0)).toBe("2026/11/03 18:12:45");
    expect(backupStamp(atNs, 0)).toBe("2026.11.03.18.12.45.000000001");
    expect(bsdStamp(atNs, 0)).toBe("Nov  3 18:12:45");
    expect(rfc3339Stamp(atNs, 0)).toBe("2026-11-03T18:12:45Z");
    expect(rfc3339Stamp(atNs, -210)).toBe("2026-11-03T14:42:45-03:30");
  });
});

describe("a log file", () => {
  const file = { ...plain, logtime: false, logFile: "d/n.log" };

  test("is appended to, without colours, and is not for everybody to read", async () => {
    system.stderrIsTerminal = true;
    await hub.configure(file);
    hub.info("zwölf");
    expect(disk.text("d/n.log")).toBe("[7] [INF] zwölf\n");
    expect(disk.files.get("d/n.log")?.mode).toBe(0o640);
    expect(system.err).toBe("");
  });

  test("goes before the syslogs", async () => {
    await hub.configure({ ...file, syslog: true, remoteSyslog: "foo" });
    hub.info("x");
    expect(disk.text("d/n.log")).toBe("[7] [INF] x\n");
  });

  test("that cannot be opened is refused and changes nothing", async () => {
    disk.failing.set("open d/n.log", "ENOENT");
    await expect(hub.configure(file)).rejects.toEqual(new LogOpenError("error opening file: open d/n.log: no such file or directory"));
    hub.info("still here");
    expect(system.err).toContain("still here");
  });

  test("is rotated after the line that takes it over the limit; the new one tells, with CR LF", async () => {
    await hub.configure({ ...file, logSizeLimitBytes: 30 });
    hub.info("0123456789"); // 21 bytes
    expect(disk.exists(backup)).toBe(false);
    hub.info("over");
    expect(disk.text(backup)).toBe("[7] [INF] 0123456789\n[7] [INF] over\n");
    expect(disk.text("d/n.log")).toBe(`[7] [INF] Rotated log, backup saved as "${backup}"\r\n`);
  });

  test("over the limit already when opened is rotated at once", async () => {
    disk.put("d/n.log", "x".repeat(40));
    await hub.configure({ ...file, logSizeLimitBytes: 30 });
    expect(disk.text(backup)).toBe(`${"x".repeat(40)}[7] [INF] Rotating logfile...\n`);
  });

  test("keeps the newest backups and touches nothing else", async () => {
    const surplus = ["2020.01.01.00.00.00.000000001", "2021.01.01.00.00.00", "2022.12.31.23.59.59.5"];
    const unrelated = ["n.log.2020.13.01.00.00.00.000000001", "n.log.2021.02.30.00.00.00.000000001", "n.log.2020.01.01.24.00.00.1", "n.log.foo", "m.log.2020.01.01.00.00.00.1", "n.log.2020.1.1.0.0.0.1", "n.log.2030.01.01.00.00.00.5x"];
    for (const name of surplus) disk.put(`d/n.log.${name}`, "");
    for (const name of unrelated) disk.put(`d/${name}`, "");
    await hub.configure({ ...file, logSizeLimitBytes: 1, logMaxFiles: 2 });
    hub.info("x");
    expect([...disk.files.keys()].sort()).toEqual([...unrelated.map((name) => `d/${name}`), "d/n.log", backup].sort());
    const purged = surplus.map((name) => `[7] [INF] Purged log file "n.log.${name}"\r\n`);
    expect(disk.text("d/n.log")).toBe(`[7] [INF] Rotated log, backup saved as "${backup}"\r\n${purged.join("")}`);
  });

  test("says so when its folder cannot be read or a backup not removed", async () => {
    disk.put("d/n.log.2020.01.01.00.00.00.1", "");
    disk.failing.set("remove", "EACCES");
    await hub.configure({ ...file, logSizeLimitBytes: 1, logMaxFiles: 2 });
    hub.info("x");
    expect(disk.text("d/n.log")).toContain('[ERR] Unable to remove backup log file "d/n.log.2020.01.01.00.00.00.1" (remove d/n.log.2020.01.01.00.00.00.1: permission denied), will attempt next rotation\n');
    disk.failing.set("open d", "EACCES");
    clock.advance(1);
    hub.info("y");
    expect(disk.text("d/n.log")).toContain('[ERR] Unable to read directory "d" for log purge (open d: permission denied), will attempt next rotation\n');
  });

  test("that cannot be renamed grows to twice the limit before the next attempt", async () => {
    disk.failing.set("rename", "EACCES");
    await hub.configure({ ...file, logSizeLimitBytes: 200 });
    hub.info("x".repeat(200));
    expect(disk.text("d/n.log")).toEndWith("will attempt next rotation at size 400\n");
    disk.failing.clear();
    hub.info("more");
    expect(disk.text("d/n.log")).toContain("more");
    hub.info("y".repeat(200));
    expect(disk.text(backup)).toContain("more");
    expect(disk.text("d/n.log")).toStartWith("[7] [INF] Rotated log");
  });

  test("that is gone after a rotation leaves its lines to standard error until it can be opened", async () => {
    await hub.configure({ ...file, logSizeLimitBytes: 10 });
    disk.failing.set("open d/n.log", "ENOSPC");
    hub.info("rotate now");
    hub.info("lost?");
    expect(system.err).toContain("[7] [INF] lost?\n");
    disk.failing.clear();
    hub.info("back");
    expect([...disk.files.values()].map((each) => each.text).join("")).toContain("[7] [INF] back\n");
  });

  test("on a full disk loses lines, tells standard error once, and recovers", async () => {
    await hub.configure(file);
    disk.failing.set("write", "ENOSPC");
    hub.info("a");
    hub.info("b");
    expect(system.err).toBe("[7] [ERR] Unable to write to the log file (write d/n.log: no space left on device), lines are lost\n");
    disk.failing.clear();
    hub.info("c");
    expect(disk.text("d/n.log")).toBe("[7] [INF] c\n");
  });

  test("moved away is begun anew by a reopen", async () => {
    await hub.configure(file);
    hub.info("old");
    disk.rename("d/n.log", "d/moved");
    hub.info("still old");
    hub.reopen();
    expect(disk.text("d/moved")).toBe("[7] [INF] old\n[7] [INF] still old\n");
    expect(disk.text("d/n.log")).toBe("[7] [INF] File log re-opened\n");
  });

  test("that cannot be reopened stays open as it is", async () => {
    await hub.configure(file);
    disk.failing.set("open d/n.log", "EACCES");
    hub.reopen();
    disk.failing.clear();
    expect(disk.text("d/n.log")).toBe("[7] [ERR] File log re-open failed: error opening file: open d/n.log: permission denied\n");
  });

  test("is not what a reopen finds on standard error", async () => {
    await hub.configure({ ...plain, logtime: false });
    hub.reopen();
    expect(system.err).toBe("[7] [INF] File log re-open ignored, not a file logger\n");
  });
});

describe("OncePerInterval", () => {
  test("lets the same text through once a second, others freely", () => {
    const once = new OncePerInterval(clock);
    expect([once.admits("a"), once.admits("a"), once.admits("b")]).toEqual([true, false, true]);
    clock.advance(999);
    expect(once.admits("a")).toBe(false);
    clock.advance(1);
    expect([once.admits("a"), once.admits("a")]).toEqual([true, false]);
  });
});

/** The machine's own disk, clock and process, as far as a test may rely on the machine. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SystemClock } from "../../src/platform/bun/clock.ts";
import { SystemDisk } from "../../src/platform/bun/disk.ts";
import { SystemRandom } from "../../src/platform/bun/random.ts";
import { SystemProcess } from "../../src/platform/bun/system.ts";
import { DiskError } from "../../src/platform/index.ts";
import { removePortsFile, portsFilePath, portsFileText, writePortsFile } from "../../src/server/portsfile.ts";
import { writePidFile } from "../../src/server/pidfile.ts";
import { temporaryFolder } from "../support/temporary.ts";

describe("the disk", () => {
  const disk = new SystemDisk();
  const folder = temporaryFolder("disk");
  const at = (name: string): string => join(folder, name);
  mkdirSync(at("dir"));
  writeFileSync(at("file"), "abc");

  test("reads, writes, appends, renames, lists and removes", () => {
    disk.writeFile(at("w"), Buffer.from("one"), 0o600);
    expect(statSync(at("w")).mode & 0o777).toBe(0o600);
    const file = disk.openAppend(at("w"), 0o640);
    expect(file.sizeBytes).toBe(3);
    file.append(Buffer.from("two"));
    expect(file.sizeBytes).toBe(6);
    disk.rename(at("w"), at("v"));
    file.append(Buffer.from("!"));
    file.close();
    expect(Buffer.from(disk.readFile(at("v"))).toString()).toBe("onetwo!");
    expect(disk.list(folder)).toContainEqual({ name: "dir", isDirectory: true });
    expect(disk.list(folder)).toContainEqual({ name: "v", isDirectory: false });
    disk.remove(at("v"));
    expect([disk.exists(at("v")), disk.exists(at("file"))]).toEqual([false, true]);
  });

  test.each<[string, string, () => unknown]>([
    ["ENOENT", `open ${at("none")}: no such file or directory`, () => disk.readFile(at("none"))],
    ["EISDIR", `read ${at("dir")}: is a directory`, () => disk.readFile(at("dir"))],
    ["EISDIR", `open ${at("dir")}: is a directory`, () => disk.writeFile(at("dir"), Buffer.from("x"), 0o600)],
    ["EISDIR", `open ${at("dir")}: is a directory`, () => disk.openAppend(at("dir"), 0o640)],
    ["ENOTDIR", `open ${at("file/x")}: not a directory`, () => disk.openAppend(at("file/x"), 0o640)],
    ["ENOENT", `rename ${at("none")} ${at("b")}: no such file or directory`, () => disk.rename(at("none"), at("b"))],
    ["ENOENT", `remove ${at("none")}: no such file or directory`, () => disk.remove(at("none"))],
    ["ENOENT", `open ${at("none")}: no such file or directory`, () => disk.list(at("none"))],
    ["ENOSPC", "write /dev/full: no space left on device", () => disk.openAppend("/dev/full", 0o640).append(Buffer.from("x"))],
  ])("fails with %s: %s", (code, message, action) => {
    let thrown: unknown;
    try {
      action();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DiskError);
    expect(thrown).toMatchObject({ code, message });
  });
});

describe("the clock", () => {
  const clock = new SystemClock();

  test("tells the time of day, in nanoseconds and milliseconds", () => {
    for (let i = 0; i < 1000; i++) {
      const beforeMs = Date.now();
      const times = [clock.nowMs(), Number(clock.nowNs()) / 1e6];
      const afterMs = Date.now();
      for (const time of times) expect(time).toBeWithin(beforeMs - 1, afterMs + 2);
    }
  });

  test("runs an action once, in time, unless it is cancelled", async () => {
    const ran: string[] = [];
    const cancelled = clock.after(1, () => ran.push("cancelled"));
    cancelled.cancel();
    cancelled.cancel();
    const far = clock.after(2 ** 40, () => ran.push("far"));
    const startMs = clock.monotonicMs();
    await new Promise<void>((resolve) => {
      // the runtime's timers do not keep the process alive; the test's own does
      const awake = setTimeout(() => undefined, 5000);
      clock.after(20, () => {
        ran.push("due");
        clearTimeout(awake);
        resolve();
      });
    });
    far.cancel();
    expect(ran).toEqual(["due"]);
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(19);
  });

  test("runs an action again and again, until it is cancelled", async () => {
    let count = 0;
    await new Promise<void>((resolve) => {
      const timer = clock.every(1, () => {
        count++;
        if (count === 3) {
          timer.cancel();
          clock.after(10, resolve);
        }
      });
    });
    expect(count).toBe(3);
  });

  test("ends a turn after what the turn queued", async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      clock.endOfTurn(() => {
        order.push("end");
        resolve();
      });
      queueMicrotask(() => order.push("microtask"));
    });
    expect(order).toEqual(["microtask", "end"]);
  });
});

describe("the process", () => {
  const system = new SystemProcess();

  test("knows itself", () => {
    expect(system.pid).toBe(process.pid);
    expect(system.executableName).toBe("nats-server");
    expect(system.stats().rssBytes).toBeGreaterThan(1e6);
    expect(system.stats().cpuMs).toBeGreaterThan(0);
    expect(system.stats().cores).toBeGreaterThan(0);
    expect(system.memoryFigures()["heapUsed"]).toBeGreaterThan(0);
  });

  test("runs commands to their end", () => {
    expect(system.run(["sh", "-c", "echo out; exit 3"])).toEqual({ exitCode: 3, stdout: "out\n" });
    expect(system.run(["/nonexistent/command"])).toBeUndefined();
  });

  test("says why a signal cannot be sent", () => {
    expect(() => system.kill(2 ** 22 + 1, "SIGHUP")).toThrow("no such process");
  });

  test("survives and reports what nobody caught", async () => {
    const script = `
      import { onDefect } from "./src/platform/bun/system.ts";
      let count = 0;
      onDefect((text) => {
        console.log(text.split("\\n")[0]);
        if (++count === 2) process.exit(7);
      });
      void Promise.reject(new Error("rejected"));
      setTimeout(() => { throw new TypeError("thrown"); }, 1);
      setInterval(() => undefined, 1000);`;
    const child = Bun.spawn([process.execPath, "-e", script], { cwd: join(import.meta.dir, "../.."), stdout: "pipe", stderr: "inherit" });
    expect(await new Response(child.stdout).text()).toBe("Error: rejected\nTypeError: thrown\n");
    expect(await child.exited).toBe(7);
  });

  test("takes choices below a bound and fresh bytes from its randomness", () => {
    const random = new SystemRandom();
    const seen = new Set(Array.from({ length: 500 }, () => random.integer(4)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3]);
    expect(random.fraction()).toBeWithin(0, 1);
    expect(random.bytes(32)).toHaveLength(32);
    expect(random.bytes(32)).not.toEqual(random.bytes(32));
  });
});

describe("the pid file", () => {
  test("has the bare pid, for its owner only", () => {
    const path = join(temporaryFolder("pid"), "pid");
    expect(writePidFile(new SystemDisk(), path, 123)).toBeUndefined();
    expect(readFileSync(path, "utf8")).toBe("123");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("that cannot be written is a fatal text", () => {
    const text = "Could not write pidfile: open /nonexistent/x: no such file or directory";
    expect(writePidFile(new SystemDisk(), "/nonexistent/x", 1)).toBe(text);
  });
});

describe("the ports file", () => {
  test("is named for the executable and the pid", () => {
    expect(portsFilePath({ folder: "d/", executableName: "nats-server", pid: 5 })).toBe("d/nats-server_5.ports");
    expect(portsFilePath({ folder: "/", executableName: "n", pid: 5 })).toBe("/n_5.ports");
  });

  test("tells every listener in a fixed order, a wildcard as every address", () => {
    const text = portsFileText(
      [
        { kind: "websocket", scheme: "wss", host: "::1", port: 3 },
        { kind: "monitoring", scheme: "http", host: "127.0.0.1", port: 1 },
        { kind: "monitoring", scheme: "https", host: "127.0.0.1", port: 2 },
        { kind: "nats", scheme: "nats", host: "0.0.0.0", port: 4222 },
      ],
      ["127.0.0.1", "::1"],
    );
    expect(text).toBe(
      '{"nats":["nats://127.0.0.1:4222","nats://[::1]:4222"],"monitoring":["http://127.0.0.1:1","https://127.0.0.1:2"],"websocket":["wss://[::1]:3"]}',
    );
  });

  test("is written and removed; failures are texts for the log", () => {
    const disk = new SystemDisk();
    const path = portsFilePath({ folder: temporaryFolder("ports"), executableName: "x", pid: 1 });
    expect(writePortsFile(disk, path, [{ kind: "nats", scheme: "tls", host: "h", port: 1 }], [])).toBeUndefined();
    expect(readFileSync(path, "utf8")).toBe('{"nats":["tls://h:1"]}');
    expect(removePortsFile(disk, path)).toBeUndefined();
    expect(removePortsFile(disk, path)).toBe(`Error cleaning up ports file ${path}: remove ${path}: no such file or directory`);
    expect(writePortsFile(disk, "/nonexistent/x", [], [])).toBe("Error writing ports file (/nonexistent/x): open /nonexistent/x: no such file or directory");
  });
});

/** One server per store: locks between processes. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemDisk } from "../../../src/platform/bun/disk.ts";

const folder = mkdtempSync(join(tmpdir(), "lock-"));
afterAll(() => rmSync(folder, { recursive: true }));

const holder = join(import.meta.dir, "support", "lock-holder.ts");

function start(path: string, ...more: string[]): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  return Bun.spawn([process.execPath, holder, path, ...more], { stdin: "ignore", stdout: "pipe" });
}

async function firstLine(holding: Bun.Subprocess<"ignore", "pipe", "inherit">): Promise<string> {
  const { value } = await holding.stdout.getReader().read();
  return Buffer.from(value ?? []).toString().trim();
}

test("a lock is refused to others, and free again when its holder was killed", async () => {
  const path = join(folder, "a");
  const holding = start(path, "stay");
  expect(await firstLine(holding)).toBe("held");
  expect(new SystemDisk().lock(path)).toBeUndefined();
  expect(await firstLine(start(path))).toBe("refused");
  holding.kill("SIGKILL");
  await holding.exited;
  const lock = new SystemDisk().lock(path);
  expect(lock).toBeDefined();
  lock?.release();
});

test("a lock that was released can be taken again, once", () => {
  const disk = new SystemDisk();
  const path = join(folder, "b");
  const first = disk.lock(path);
  expect(disk.lock(path)).toBeUndefined();
  first?.release();
  first?.release();
  const second = disk.lock(path);
  expect(second).toBeDefined();
  expect(disk.lock(path)).toBeUndefined();
  second?.release();
});

test("where the file cannot be made, the error says so", () => {
  expect(() => new SystemDisk().lock(join(folder, "none", "c"))).toThrow("no such file or directory");
});

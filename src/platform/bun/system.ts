/**
 * The process and the machine it runs on. Standard error is written synchronously: a log line is out before the next statement runs, also when the process
 * ends right after it.
 */
import { fstatSync, readFileSync, writeSync } from "node:fs";
import { availableParallelism, hostname, tmpdir, totalmem } from "node:os";
import { basename } from "node:path";
import type { ProcessStats, System } from "../system.ts";
import { verifyBcrypt } from "./bcrypt.ts";
import { codeOf, reasonOf } from "./disk.ts";
import { bunProfiles } from "./profiles.ts";

/** Size of a page in `/proc/self/statm`, bytes. All supported Linux builds use pages of this size. */
const pageBytes = 4096;

/** How long a write to a standard stream whose reader does not keep up may hold the process, milliseconds. */
const longestStallMs = 1000;

type SignalName = Parameters<System["onSignal"]>[0];

/** Whether this program runs from a compiled executable, whose bundle has a path of its own. */
function isCompiled(): boolean {
  return Bun.main.startsWith("/$bunfs/") || /^[a-z]:[\\/]~BUN[\\/]/i.test(Bun.main);
}

/** Sleeps on the spot. Only for a standard stream that is full: there is nobody else to tell. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Writes all of `text` to a standard stream; gives up without a word when nobody reads it, for there is no better place to say so. */
function writeStandard(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  let stalledMs = 0;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN" || stalledMs >= longestStallMs) return;
      stall(5);
      stalledMs += 5;
    }
  }
}

function isCharacterDevice(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isCharacterDevice();
  } catch {
    return false;
  }
}

/** Resident memory, bytes. The kernel's own count is much cheaper than the runtime's way to it. */
function residentBytes(): number {
  try {
    const pages = Number(readFileSync("/proc/self/statm", "latin1").split(" ")[1]);
    if (pages > 0) return pages * pageBytes;
  } catch {
    // not Linux
  }
  return process.memoryUsage.rss();
}

/** This process, on this machine. */
export class SystemProcess implements System {
  readonly pid = process.pid;
  readonly executableName = isCompiled() ? basename(process.argv0 || process.execPath) : "nats-server";
  readonly hostName = hostname();
  readonly argv: readonly string[] = process.argv.slice(2);
  readonly stderrIsTerminal = isCharacterDevice(2);

  verifyBcrypt(secret: Uint8Array, hash: string): Promise<boolean> {
    return verifyBcrypt(secret, hash);
  }

  readonly temporaryFolder = tmpdir();

  memoryBytes(): number {
    return Math.min(totalmem(), groupMemoryBytes());
  }

  environment(name: string): string | undefined {
    return process.env[name];
  }

  stats(): ProcessStats {
    const { user, system } = process.cpuUsage();
    return { rssBytes: residentBytes(), cpuMs: (user + system) / 1000, cores: availableParallelism() };
  }

  readonly profiles = bunProfiles;

  memoryFigures(): Readonly<Record<string, number>> {
    return { ...process.memoryUsage() };
  }

  onSignal(name: SignalName, action: () => void): void {
    process.on(name, action);
  }

  kill(pid: number, signal: Parameters<System["kill"]>[1]): void {
    try {
      process.kill(pid, signal);
    } catch (error) {
      throw new Error(reasonOf(codeOf(error)));
    }
  }

  run(command: readonly string[]): { readonly exitCode: number; readonly stdout: string } | undefined {
    try {
      const { exitCode, stdout } = Bun.spawnSync([...command], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
      return { exitCode, stdout: stdout.toString() };
    } catch {
      return undefined;
    }
  }

  stdout(text: string): void {
    writeStandard(1, text);
  }

  stderr(text: string): void {
    writeStandard(2, text);
  }

  exit(code: number): never {
    process.exit(code);
  }
}

/** Tells `report` of every exception and rejection that nobody caught, and keeps the process from ending because of it. */
export function onDefect(report: (text: string) => void): void {
  const tell = (error: unknown): void => report(defectText(error));
  process.on("uncaughtException", tell);
  process.on("unhandledRejection", tell);
}

/** What the log says of an exception. */
export function defectText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The limit of the control group, where there is one. */
function groupMemoryBytes(): number {
  try {
    const limit = Number(readFileSync("/sys/fs/cgroup/memory.max", "latin1"));
    return limit > 0 ? limit : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

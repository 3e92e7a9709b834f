/** Stand-ins for time, files and the process, which tests of the log set and look into. */
import type { AppendFile, Clock, DirectoryEntry, Disk, System, Timer } from "../../src/platform/index.ts";
import { DiskError } from "../../src/platform/index.ts";
import { reasonOf } from "../../src/platform/bun/disk.ts";

/** A clock that a test moves. It starts at 2026-11-03 18:12:45.899060123 UTC, in a zone of the test's choice. */
export class FakeClock implements Clock {
  ns = 1_793_729_565_899_060_123n;
  zoneMinutes = 0;
  #timers: { atMs: number; action: () => void }[] = [];

  nowMs(): number {
    return Number(this.ns) / 1e6;
  }
  nowNs(): bigint {
    return this.ns;
  }
  monotonicMs(): number {
    return this.nowMs();
  }
  zoneOffsetMinutes(): number {
    return this.zoneMinutes;
  }
  after(delayMs: number, action: () => void): Timer {
    const timer = { atMs: this.nowMs() + delayMs, action };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((each) => each !== timer)) };
  }
  every(): Timer {
    throw new Error("not used by the log");
  }
  endOfTurn(action: () => void): void {
    queueMicrotask(action);
  }

  /** Lets time pass and runs what is due. */
  advance(ms: number): void {
    this.ns += BigInt(ms) * 1_000_000n;
    const due = this.#timers.filter((timer) => timer.atMs <= this.nowMs());
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.nowMs());
    for (const timer of due) timer.action();
  }
}

class FakeFile {
  text = "";
  constructor(readonly mode: number) {}
}

/** Files in memory, all in existing folders. `failing` makes calls fail: `rename` or `open x.log` to an error code. */
export class FakeDisk implements Disk {
  readonly files = new Map<string, FakeFile>();
  readonly failing = new Map<string, string>();

  #check(call: string, path: string): void {
    const code = this.failing.get(`${call} ${path}`) ?? this.failing.get(call);
    if (code !== undefined) throw new DiskError(code, call, path, reasonOf(code));
  }
  #file(call: string, path: string): FakeFile {
    this.#check(call, path);
    const file = this.files.get(path);
    if (file === undefined) throw new DiskError("ENOENT", call, path, reasonOf("ENOENT"));
    return file;
  }

  /** Content of a file. */
  text(path: string): string {
    return this.#file("open", path).text;
  }
  put(path: string, text: string): void {
    const file = new FakeFile(0o644);
    file.text = text;
    this.files.set(path, file);
  }

  readFile(path: string): Uint8Array {
    return Buffer.from(this.#file("open", path).text);
  }
  writeFile(path: string, bytes: Uint8Array, mode: number): void {
    this.#check("open", path);
    const file = new FakeFile(mode);
    file.text = Buffer.from(bytes).toString();
    this.files.set(path, file);
  }
  openAppend(path: string, mode: number): AppendFile {
    this.#check("open", path);
    const file = this.files.get(path) ?? new FakeFile(mode);
    this.files.set(path, file);
    const check = (): void => this.#check("write", path);
    return {
      get sizeBytes() {
        return Buffer.byteLength(file.text);
      },
      append: (bytes) => {
        check();
        file.text += Buffer.from(bytes).toString();
      },
      close: () => undefined,
    };
  }
  rename(from: string, to: string): void {
    const file = this.#file("rename", from);
    this.files.delete(from);
    this.files.set(to, file);
  }
  remove(path: string): void {
    this.#file("remove", path);
    this.files.delete(path);
  }
  exists(path: string): boolean {
    return this.files.has(path);
  }
  list(path: string): DirectoryEntry[] {
    this.#check("open", path);
    const prefix = `${path}/`;
    return [...this.files.keys()].flatMap((each) => (each.startsWith(prefix) ? [{ name: each.slice(prefix.length), isDirectory: false }] : []));
  }
}

/** A process that keeps what it prints. `fakeSystem({ pid: 7 })` */
export class FakeSystem implements System {
  pid = 7;
  executableName = "nats-server";
  hostName = "host";
  argv: readonly string[] = [];
  stderrIsTerminal = false;
  out = "";
  err = "";
  exitCode: number | undefined;
  readonly sent: string[] = [];
  readonly handlers = new Map<string, () => void>();
  /** What `pgrep` answers. */
  pgrep: { readonly exitCode: number; readonly stdout: string } | undefined = { exitCode: 1, stdout: "" };
  /** Pids that can be signalled. */
  alive: readonly number[] = [];

  verifyBcrypt(): Promise<boolean> {
    return Promise.resolve(false);
  }
  readonly temporaryFolder = "/tmp";

  memoryBytes(): number {
    return 2 ** 34;
  }

  environment(): string | undefined {
    return undefined;
  }
  stats() {
    return { rssBytes: 0, cpuMs: 0, cores: 1 };
  }
  readonly profiles = { heap: () => new Uint8Array(), cpu: () => Promise.resolve(undefined) };
  memoryFigures() {
    return {};
  }
  onSignal(name: string, action: () => void): void {
    this.handlers.set(name, action);
  }
  kill(pid: number, signal: string): void {
    if (!this.alive.includes(pid)) throw new Error("no such process");
    this.sent.push(`${signal} ${pid}`);
  }
  run(command: readonly string[]) {
    if (command.join(" ") !== "pgrep nats-server") throw new Error(`unexpected command ${command.join(" ")}`);
    return this.pgrep;
  }
  stdout(text: string): void {
    this.out += text;
  }
  stderr(text: string): void {
    this.err += text;
  }
  exit(code: number): never {
    this.exitCode = code;
    return undefined as never;
  }
}

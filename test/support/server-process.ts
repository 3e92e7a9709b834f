/**
 * A nats-server process for tests: started from a binary (this project's or the reference server) with a configuration
 * text, on ports that the system chooses, and ended by its own process id.
 *
 * The ports are read from the server's ports file, which it writes once every listener is up; the log is what it prints
 * on stderr. A process that ends before it is ready rejects the start with its whole output.
 */

import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deadlineIn, DeadlineError, poll, within } from './deadline.ts';
import { tellReaper } from './reaper.ts';
import { temporaryFolder, removeTemporaryFolder } from './temporary.ts';

/** What to start. */
export interface ServerSetup {
  /** Path of the server binary. */
  readonly binary: string;
  /** Configuration text; without it the server starts with flags only. `${dir}` in it becomes the server's folder. */
  readonly config?: string;
  /** Further flags, after the implied ones. */
  readonly args?: readonly string[];
  /** Further files in the server's folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Leaves out the implied flags (loopback address, random client and monitoring port). */
  readonly bare?: boolean;
  /** A folder to use instead of a new temporary one; it is then not removed at the end. */
  readonly folder?: string;
  /** Environment variables on top of this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** One listener's address. */
export interface Address {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
}

/** The listeners of a running server, as far as its ports file names them. */
export interface Ports {
  readonly nats?: Address;
  readonly monitoring?: Address;
  readonly cluster?: Address;
  readonly websocket?: Address;
}

/** What a finished process left behind. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type PortsFile = Partial<Record<keyof Ports, readonly string[]>>;

function addressOf(urls: readonly string[] | undefined): Address | undefined {
  const match = urls === undefined ? null : /^(\w+):\/\/(.*):(\d+)$/.exec(urls[0] ?? '');
  if (match === null) return undefined;
  const [, scheme = '', host = '', port = ''] = match;
  return { scheme, host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** A log line without process id, date and time: `[INF] Server is ready`. */
export function logText(line: string): string {
  return line.replace(/^\[\d+\] (?:\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{6} )?(?=\[[A-Z]{3}\])/, '');
}

/** A running server. */
export class ServerProcess {
  #process: Bun.Subprocess<'ignore', 'pipe', 'pipe'>;
  readonly #spawn: () => Bun.Subprocess<'ignore', 'pipe', 'pipe'>;
  readonly #lines: string[] = [];
  readonly #wakers = new Set<() => void>();
  readonly #ownsFolder: boolean;
  #rest = '';
  #stdout = '';
  #drained: Promise<unknown>;
  ports: Ports = {};

  /** The server's folder: its configuration file, ports file and further files. */
  readonly folder: string;
  /** Path of the configuration file, whether or not the server was started with one. */
  readonly configPath: string;

  private constructor(setup: ServerSetup) {
    this.#ownsFolder = setup.folder === undefined;
    this.folder = setup.folder ?? temporaryFolder('server');
    this.configPath = join(this.folder, 'nats.conf');
    for (const [name, text] of Object.entries(setup.files ?? {})) writeFileSync(join(this.folder, name), this.#expand(text));
    const args: string[] = ['--ports_file_dir', this.folder];
    if (setup.bare !== true) {
      args.push('-a', '127.0.0.1', '-p', '-1');
      if (!/^\s*(https?|https?_port|monitor_port)\b/m.test(setup.config ?? '')) args.push('-m', '-1');
    }
    if (setup.config !== undefined) {
      this.writeConfig(setup.config);
      args.push('-c', this.configPath);
    }
    this.#spawn = () =>
      Bun.spawn([setup.binary, ...args, ...(setup.args ?? [])], {
        cwd: this.folder,
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
        env: { ...process.env, ...setup.environment },
      });
    this.#process = this.#spawn();
    this.#drained = this.#watch();
  }

  /** Collects what the present process says; resolves when it has ended and said everything. */
  #watch(): Promise<unknown> {
    const child = this.#process;
    tellReaper('process', child.pid);
    void child.exited.then(() => {
      tellReaper('ended', child.pid);
      this.#wake();
    });
    return Promise.all([this.#collectLog(), this.#collectOutput()]);
  }

  /** Ends the process and starts another in the same folder, with the same configuration file as it is now; waits until it is ready. */
  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#process.kill(signal);
    await within(10_000, 'end of the server process', this.#process.exited);
    await this.#drained;
    this.#process = this.#spawn();
    this.#drained = this.#watch();
    this.ports = await poll(10_000, 'ports file', () => this.#readPorts());
  }

  /** Starts a server and waits until it is ready. Rejects with its output when it ends or stays silent instead. */
  static async start(setup: ServerSetup): Promise<ServerProcess> {
    const server = new ServerProcess(setup);
    try {
      server.ports = await poll(10_000, 'ports file', () => server.#readPorts());
      return server;
    } catch (error) {
      await server.stop();
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${setup.binary} did not become ready (${reason})\n${server.#stdout}${server.log.join('\n')}`);
    }
  }

  /** The process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Every complete log line so far. */
  get log(): readonly string[] {
    return this.#lines;
  }

  /** Writes the configuration file; the running server sees it at its next reload. */
  writeConfig(text: string): void {
    writeFileSync(this.configPath, this.#expand(text));
    chmodSync(this.configPath, 0o600);
  }

  /** The first log line from index `from` on for which `test` holds; rejects with a DeadlineError after `milliseconds`. */
  async waitForLog(test: (line: string) => boolean, from = 0, milliseconds = 2000): Promise<string> {
    const end = deadlineIn(milliseconds);
    for (let index = from; ; ) {
      for (; index < this.#lines.length; index++) {
        const line = this.#lines[index] ?? '';
        if (test(line)) return line;
      }
      const left = end - performance.now();
      if (left <= 0 || this.#process.exitCode !== null) {
        const tail = this.#lines.slice(from).slice(-12).join('\n  ');
        throw new DeadlineError(`no such log line within ${milliseconds} ms; the log since then:\n  ${tail}`);
      }
      await this.#nextChange(left);
    }
  }

  /** Sends a signal. */
  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Waits until the process has ended by itself and its log is complete; the exit code. */
  async exited(milliseconds = 2000): Promise<number> {
    const code = await within(milliseconds, 'end of the server process', this.#process.exited);
    await this.#drained;
    return code;
  }

  /** Ends the process (hard: nothing waits for a shutdown) and removes its folder. */
  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#process.exited;
    await this.#drained;
    if (this.#ownsFolder) removeTemporaryFolder(this.folder);
  }

  #expand(text: string): string {
    return text.replaceAll('${dir}', this.folder);
  }

  #readPorts(): Ports | undefined {
    if (this.#process.exitCode !== null) throw new Error(`exit code ${this.#process.exitCode}`);
    const suffix = `_${this.pid}.ports`;
    const file = readdirSync(this.folder).find((name) => name.endsWith(suffix));
    if (file === undefined) return undefined;
    const text = readFileSync(join(this.folder, file), 'utf8');
    if (!text.endsWith('}')) return undefined; // still being written
    const ports = JSON.parse(text) as PortsFile;
    return {
      nats: addressOf(ports.nats),
      monitoring: addressOf(ports.monitoring),
      cluster: addressOf(ports.cluster),
      websocket: addressOf(ports.websocket),
    };
  }

  async #collectLog(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr) {
      const lines = (this.#rest + decoder.decode(chunk, { stream: true })).split('\n');
      this.#rest = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#wake();
    }
    if (this.#rest !== '') this.#lines.push(this.#rest);
    this.#wake();
  }

  async #collectOutput(): Promise<void> {
    this.#stdout = await new Response(this.#process.stdout).text();
  }

  #wake(): void {
    for (const waker of [...this.#wakers]) waker();
  }

  #nextChange(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.#wakers.add(done);
    });
  }
}

/** Runs a binary to its end, for configuration checks and start errors; kills it after `milliseconds`. */
export async function runToEnd(
  command: readonly string[],
  options: { readonly folder?: string; readonly environment?: Readonly<Record<string, string>>; readonly milliseconds?: number } = {},
): Promise<Outcome> {
  const child = Bun.spawn([...command], {
    cwd: options.folder,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, ...options.environment },
  });
  tellReaper('process', child.pid);
  const result = Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]);
  try {
    const [code, stdout, stderr] = await within(options.milliseconds ?? 5000, `end of ${command.join(' ')}`, result);
    return { code, stdout, stderr };
  } finally {
    child.kill('SIGKILL');
    tellReaper('ended', child.pid);
  }
}

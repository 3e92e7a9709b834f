/**
 * What a workload is, and the two steps that most share: a fresh server around a run, and a load process against it.
 */
import { join } from "node:path";
import type { Figure } from "../figures.ts";
import { varz } from "../load/monitor.ts";
import type { LoadAnswer, LoadOrder, LoadSpec, Target } from "../load/spec.ts";
import { RunningServer, withOpenFiles } from "../servers.ts";
import type { Certificates, Transport } from "../servers.ts";

/** A run that takes longer has hung; the longest honest ones take some seconds. */
const LOAD_MS_MAX = 120_000;
const LOAD_MAIN = join(import.meta.dir, "..", "load", "main.ts");

/** What a run gets: which server, where it may write, how much load. */
export interface Setting {
  readonly binary: string;
  /** A temporary folder. */
  readonly directory: string;
  readonly tls: Certificates;
  /** 1 for a full run, less for a quick look. Scales the counts of messages, connections and subscriptions. */
  readonly scale: number;
  /** Further lines of the server's configuration. */
  readonly config?: string;
}

export interface Workload {
  readonly name: string;
  /** One line: who sends what to whom. */
  readonly about: string;
  /** One run on a fresh server. Rejects if the run does not count. */
  readonly run: (setting: Setting) => Promise<readonly Figure[]>;
}

/** Starts a server, runs `work` against it and stops it. Rejects also if the server cut off a slow consumer. */
export async function onFreshServer<T>(
  { binary, directory, tls, config }: Setting, transport: Transport, work: (target: Target, server: RunningServer) => Promise<T>,
): Promise<T> {
  const server = await RunningServer.spawn(binary, directory, transport, tls, config);
  try {
    const target = await server.ready();
    const result = await work(target, server);
    const { slow_consumers } = await varz(target);
    if (slow_consumers > 0) throw new Error(`the server cut off ${slow_consumers} slow consumers`);
    return result;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}\nlast lines of the server's log:\n${server.log}`);
  } finally {
    await server.stop();
  }
}

/** Runs one load process and returns its figures. Rejects if it fails, crashes or hangs (it is then killed). */
export async function runLoad(order: LoadOrder): Promise<readonly Figure[]> {
  const load = Bun.spawn(withOpenFiles([process.execPath, LOAD_MAIN, JSON.stringify(order)]), { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  let hung = false;
  const kill = setTimeout(() => {
    hung = true;
    load.kill("SIGKILL");
  }, LOAD_MS_MAX);
  const [output, errors] = await Promise.all([load.stdout.text(), load.stderr.text()]);
  await load.exited;
  clearTimeout(kill);
  if (hung) throw new Error(`the load did not end within ${LOAD_MS_MAX / 1000} s`);
  if (!output.startsWith("{")) throw new Error(`the load crashed: ${errors.trim()}`);
  const answer = JSON.parse(output) as LoadAnswer;
  if ("error" in answer) throw new Error(answer.error);
  return answer.figures;
}

/** A workload that is one load process against one server. `spec` gets counts already scaled by `n`. */
export function loadWorkload(
  name: string, about: string, spec: (n: (count: number) => number) => LoadSpec, transport: Transport = "tcp",
): Workload {
  return {
    name, about,
    run: (setting) => onFreshServer(setting, transport, (target) =>
      runLoad({ target, spec: spec((count) => Math.ceil(count * setting.scale)) })),
  };
}

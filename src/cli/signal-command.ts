/**
 * `--signal <command>[=<pid>]`: tells a running server to stop, reload, reopen its log or go into lame duck mode. The process is found by its pid, by a pid
 * file, by a prefix of its pid with `*`, or, when nothing is given, by being the only one of its name.
 */
import { type Disk, DiskError, type System } from "../platform/index.ts";
import { goQuote } from "../util/quote.ts";

type SignalName = Parameters<System["kill"]>[1];

/** What each command sends. */
const signalOfCommand: ReadonlyMap<string, SignalName> = new Map([
  ["stop", "SIGKILL"],
  ["quit", "SIGINT"],
  ["term", "SIGTERM"],
  ["reopen", "SIGUSR1"],
  ["reload", "SIGHUP"],
  ["ldm", "SIGUSR2"],
]);

const processName = "nats-server";

export type SignalDoors = { readonly disk: Pick<Disk, "readFile">; readonly system: Pick<System, "pid" | "run" | "kill"> };

/** The outcome; `text` goes to the user. */
export type SignalOutcome = { readonly ok: true } | { readonly ok: false; readonly text: string };

class SignalError extends Error {}

/** A decimal pid, or undefined. */
function pidOf(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const pid = Number(text);
  return Number.isSafeInteger(pid) ? pid : undefined;
}

/** Pids of the servers that run on this machine, without our own. */
function runningServers(system: SignalDoors["system"]): number[] {
  const found = system.run(["pgrep", processName]);
  // pgrep exits with 1 when it found none
  if (found === undefined || found.exitCode > 1) throw new SignalError("unable to resolve pid, try providing one");
  const pids = found.stdout.split("\n").flatMap((line) => (line === "" ? [] : [pidOf(line)]));
  return pids.flatMap((pid) => {
    if (pid === undefined) throw new SignalError("unable to resolve pid, try providing one");
    return pid === system.pid ? [] : [pid];
  });
}

/** The text that stands for the pid: the content of a file of that name, or itself. */
function readPid(disk: SignalDoors["disk"], pidOrFile: string): string {
  try {
    return new TextDecoder().decode(disk.readFile(pidOrFile));
  } catch (error) {
    if (error instanceof DiskError) return pidOrFile;
    throw error;
  }
}

/** The pids that `given` means. A pattern that fits none of the servers that run gives none, and that is a success without effect. */
function resolvePids(doors: SignalDoors, given: string): number[] {
  const text = given === "" ? "" : readPid(doors.disk, given);
  const isPattern = text.endsWith("*");
  const wanted = isPattern ? text.slice(0, -1) : text;
  const pid = pidOf(wanted);
  if (wanted !== "" && pid === undefined) throw new SignalError(`invalid pid: ${wanted}`);
  if (pid !== undefined && !isPattern) return [pid];
  const running = runningServers(doors.system);
  if (running.length === 0) throw new SignalError("no nats-server processes running");
  if (!isPattern && running.length > 1) throw new SignalError(`multiple nats-server processes running:\n${running.join("\n")}`);
  return running.filter((each) => String(each).startsWith(wanted));
}

/** Carries out the argument of `--signal`. */
export function sendSignal(doors: SignalDoors, argument: string): SignalOutcome {
  const [command = "", pid = "", ...surplus] = argument.split("=");
  try {
    if (surplus.length > 0) throw new SignalError(`invalid signal parameters: [${surplus.join(" ")}]`);
    const pids = resolvePids(doors, pid);
    const signal = signalOfCommand.get(command);
    if (signal === undefined) throw new SignalError(`unknown signal ${goQuote(command)}`);
    let failures = "";
    for (const each of pids) {
      try {
        doors.system.kill(each, signal);
      } catch (error) {
        failures += `\nsignal ${goQuote(command)} ${each}: ${error instanceof Error ? error.message : String(error)}`;
      }
    }
    return failures === "" ? { ok: true } : { ok: false, text: failures };
  } catch (error) {
    if (error instanceof SignalError) return { ok: false, text: error.message };
    throw error;
  }
}

/**
 * The measured window: wall time, and the CPU time that the server and this process spent in it.
 */
import type { Figure } from "../figures.ts";
import { cpuSeconds, residentBytes } from "../proc.ts";
import type { Target } from "./spec.ts";

export interface Window {
  readonly seconds: number;
  readonly serverCpuSeconds: number;
  readonly loadCpuSeconds: number;
  /** The server's memory at the end. */
  readonly serverBytes: number;
  /** How much of it came in the window. */
  readonly serverBytesGrown: number;
}

/** Runs `work` as the measured window. */
export async function measure({ serverPid }: Target, work: () => Promise<void>): Promise<Window> {
  const bytesBefore = residentBytes(serverPid);
  const serverBefore = cpuSeconds(serverPid);
  const loadBefore = process.cpuUsage();
  const startNs = Bun.nanoseconds();
  await work();
  const seconds = (Bun.nanoseconds() - startNs) / 1e9;
  const load = process.cpuUsage(loadBefore);
  const serverCpuSeconds = cpuSeconds(serverPid) - serverBefore;
  const serverBytes = residentBytes(serverPid);
  return {
    seconds, serverCpuSeconds, serverBytes,
    loadCpuSeconds: (load.user + load.system) / 1e6,
    serverBytesGrown: serverBytes - bytesBefore,
  };
}

/** The rate of `count` things (`unit`, plural), per second and per second of server CPU, and who worked how much. */
export function rateFigures(window: Window, count: number, unit: string): Figure[] {
  // One clock tick is the least CPU time that can be told from none.
  const cpu = Math.max(window.serverCpuSeconds, 0.01);
  return [
    { name: "rate", unit: `${unit}/s`, better: "higher", value: count / window.seconds },
    { name: "rate per server CPU", unit: `${unit}/cpu-s`, better: "higher", value: count / cpu },
    { name: "server CPU", unit: "cores", better: "none", value: window.serverCpuSeconds / window.seconds },
    { name: "load CPU", unit: "cores", better: "none", value: window.loadCpuSeconds / window.seconds },
    { name: "window", unit: "s", better: "none", value: window.seconds },
  ];
}

/** The server's memory at the end of the window. */
export function memoryFigure(window: Window): Figure {
  return { name: "server RSS after", unit: "MiB", better: "lower", value: window.serverBytes / 2 ** 20 };
}

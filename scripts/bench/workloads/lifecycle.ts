/**
 * Workloads about the server itself rather than its messages: how fast it is there, and what it weighs doing nothing.
 */
import type { Figure } from "../figures.ts";
import { median } from "../figures.ts";
import { Connection } from "../load/connection.ts";
import { cpuSeconds, residentBytes } from "../proc.ts";
import { RunningServer } from "../servers.ts";
import { onFreshServer } from "./workload.ts";
import type { Setting, Workload } from "./workload.ts";

const STARTS = 10;
/** How long a server is left alone before it counts as idle: garbage of its start may be collected in that time. */
const SETTLE_MS = 1000;

/** Milliseconds from spawning the process to the PONG that answers the first client's CONNECT and PING. */
async function timeStart({ binary, directory, tls }: Setting): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  const server = await RunningServer.spawn(binary, directory, "tcp", tls);
  try {
    const connection = await Connection.open(await server.clients());
    const ms = (Bun.nanoseconds() - server.spawnedNs) / 1e6;
    const cpuMs = cpuSeconds(server.pid) * 1000;
    connection.close();
    return { ms, cpuMs };
  } finally {
    await server.stop();
  }
}

async function startup(setting: Setting): Promise<readonly Figure[]> {
  const starts: { readonly ms: number; readonly cpuMs: number }[] = [];
  for (let i = 0; i < STARTS; i++) starts.push(await timeStart(setting));
  return [
    { name: "first PONG", unit: "ms", better: "lower", value: median(starts.map(({ ms }) => ms)) },
    { name: "slowest", unit: "ms", better: "none", value: Math.max(...starts.map(({ ms }) => ms)) },
    // Not compared: a few clock ticks of 10 ms each are too coarse for a ratio.
    { name: "CPU to first PONG", unit: "ms", better: "none", value: starts.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / STARTS },
  ];
}

function rssIdle(setting: Setting): Promise<readonly Figure[]> {
  return onFreshServer(setting, "tcp", async (target) => {
    const connection = await Connection.open(target);
    connection.close();
    const before = cpuSeconds(target.serverPid);
    await Bun.sleep(SETTLE_MS);
    return [
      { name: "server RSS", unit: "MiB", better: "lower", value: residentBytes(target.serverPid) / 2 ** 20 },
      { name: "idle CPU", unit: "ms/s", better: "none", value: ((cpuSeconds(target.serverPid) - before) * 1e6) / SETTLE_MS },
    ];
  });
}

export const lifecycleWorkloads: readonly Workload[] = [
  { name: "startup", about: `spawn to first accepted PONG, median of ${STARTS}`, run: startup },
  { name: "rss-idle", about: "memory of a server with nothing to do", run: rssIdle },
];

/** /debug/vars: command line and memory figures, under the names that readers of Go's `expvar` know as far as they mean something here. */
import type { MonitorSource } from "./source.ts";

export interface Expvar {
  readonly cmdline: readonly string[];
  readonly memstats: Readonly<Record<string, number | boolean>>;
}

export function expvar(source: MonitorSource): Expvar {
  const { system } = source.platform;
  const figures = system.memoryFigures();
  const heapUsed = figures["heapUsed"] ?? 0;
  const heapTotal = figures["heapTotal"] ?? 0;
  return {
    cmdline: [system.executableName, ...system.argv],
    memstats: {
      Alloc: heapUsed,
      Sys: figures["rss"] ?? 0,
      HeapAlloc: heapUsed,
      HeapSys: heapTotal,
      HeapIdle: Math.max(0, heapTotal - heapUsed),
      HeapInuse: heapUsed,
      OtherSys: (figures["external"] ?? 0) + (figures["arrayBuffers"] ?? 0),
      EnableGC: true,
    },
  };
}

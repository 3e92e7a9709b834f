/**
 * Where and when a benchmark ran: numbers without that mean nothing later.
 */
import os from "node:os";

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly kernel: string;
  /** The runtime of the load processes. */
  readonly bun: string;
  /** Load averages (1, 5, 15 minutes): what else the machine was doing. */
  readonly load_average: readonly number[];
}

/** The machine as it is now. */
export function describeMachine(): Machine {
  const cpus = os.cpus();
  return {
    date: new Date().toISOString(),
    cpu: cpus[0]?.model ?? "unknown",
    cores: cpus.length,
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()} ${os.machine()}`,
    bun: Bun.version,
    load_average: os.loadavg().map((load) => Math.round(load * 100) / 100),
  };
}

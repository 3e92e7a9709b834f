/**
 * The families of workloads; the first argument of the benchmark chooses one.
 */
import { accountsWorkloads } from "./accounts.ts";
import { coreWorkloads } from "./core.ts";
import { jetstreamWorkloads } from "./jetstream.ts";
import type { Workload } from "./workload.ts";

export type { Setting, Workload } from "./workload.ts";

/** Family name to its workloads, given the path of the `nats` program (if there is one). */
export const families: ReadonlyMap<string, (cli: string | undefined) => readonly Workload[]> = new Map([
  ["core", coreWorkloads],
  ["jetstream", jetstreamWorkloads],
  ["accounts", accountsWorkloads],
]);

/**
 * The command line of the benchmark.
 */
import { parseArgs } from "node:util";
import { families } from "./workloads/index.ts";

export const USAGE = `usage: bun scripts/bench/main.ts --against <binary> [family] [options]

  family              ${[...families.keys()].join(", ")} (default: core)
  --against <binary>  the server to compare with
  --server <binary>   our server (default: dist/nats-server)
  --only <a,b,...>    only these workloads
  --rounds <n>        runs of each workload on each server (default: 3)
  --short             a tenth of the load: a look, not a measurement
  --json <file>       write the report as JSON, too
  --list              print the names of the workloads
  --help              print this

Environment: NATS_CLI, the path of the nats program, adds the workload nats-bench.`;

export interface Arguments {
  readonly family: string;
  readonly against: string;
  readonly server: string;
  /** Names of the wanted workloads; null for all. */
  readonly only: readonly string[] | null;
  readonly rounds: number;
  readonly short: boolean;
  readonly json: string | null;
}

export type Command = { readonly do: "help" } | { readonly do: "list"; readonly family: string } | { readonly do: "bench"; readonly args: Arguments };

/** Reads the command line. Throws an Error whose message tells the user what is wrong. */
export function parseCommand(argv: readonly string[]): Command {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      against: { type: "string" },
      server: { type: "string", default: "dist/nats-server" },
      only: { type: "string" },
      rounds: { type: "string", default: "3" },
      json: { type: "string" },
      short: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return { do: "help" };
  const [family = "core", ...surplus] = positionals;
  if (surplus.length > 0) throw new Error(`one family at a time, not also: ${surplus.join(" ")}`);
  if (!families.has(family)) throw new Error(`no such family: ${family}`);
  if (values.list) return { do: "list", family };
  if (values.against === undefined) throw new Error("--against <binary> is missing");
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds must be a whole number from 1, not ${values.rounds}`);
  return {
    do: "bench",
    args: {
      family, rounds, against: values.against, server: values.server, short: values.short,
      only: values.only === undefined ? null : values.only.split(","), json: values.json ?? null,
    },
  };
}

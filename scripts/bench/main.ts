/**
 * The side-by-side benchmark: two server binaries, the same load, turn about (A B A B ...), medians and their ratios.
 * The method is in README.md beside this file.
 *
 * Exit codes: 0 all runs counted, 1 some run failed, 2 the command line is wrong.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseCommand, USAGE } from "./args.ts";
import type { Arguments, Command } from "./args.ts";
import { makeCertificates } from "./certificates.ts";
import { compare } from "./figures.ts";
import type { Figure } from "./figures.ts";
import { describeMachine } from "./machine.ts";
import { render } from "./report.ts";
import type { Failure, Report, WorkloadResult } from "./report.ts";
import { versionOf } from "./servers.ts";
import { families } from "./workloads/index.ts";
import type { Setting, Workload } from "./workloads/index.ts";

const SHORT_SCALE = 0.1;

function workloadsOf(family: string, only: readonly string[] | null): readonly Workload[] {
  const all = families.get(family)?.(process.env["NATS_CLI"]) ?? [];
  const unknown = only?.filter((name) => !all.some((workload) => workload.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`no such workload: ${unknown.join(", ")} (--list prints them)`);
  return only === null ? all : all.filter(({ name }) => only.includes(name));
}

/** All rounds of one workload on both servers. A failed run is noted and leaves the other runs standing. */
async function runRounds(workload: Workload, rounds: number, settings: Readonly<Record<"ours" | "theirs", Setting>>): Promise<WorkloadResult> {
  const runs: Record<"ours" | "theirs", (readonly Figure[])[]> = { ours: [], theirs: [] };
  const failures: Failure[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const side of ["ours", "theirs"] as const) {
      process.stderr.write(`${workload.name} round ${round} of ${rounds}, ${side}\n`);
      try {
        runs[side].push(await workload.run(settings[side]));
      } catch (error) {
        failures.push({ side, round, reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  return { name: workload.name, about: workload.about, figures: compare(runs.ours, runs.theirs), failures };
}

async function bench(args: Arguments): Promise<Report> {
  const workloads = workloadsOf(args.family, args.only);
  const ours = { binary: resolve(args.server), version: versionOf(resolve(args.server)) };
  const theirs = { binary: resolve(args.against), version: versionOf(resolve(args.against)) };
  const scale = args.short ? SHORT_SCALE : 1;
  const machine = describeMachine();
  const directory = mkdtempSync(join(tmpdir(), "nats-bench-"));
  try {
    const shared = { directory, scale, tls: await makeCertificates(directory) };
    const settings = { ours: { ...shared, binary: ours.binary }, theirs: { ...shared, binary: theirs.binary } };
    const results: WorkloadResult[] = [];
    for (const workload of workloads) results.push(await runRounds(workload, args.rounds, settings));
    return {
      family: args.family, ours, theirs, rounds: args.rounds, scale, machine,
      load_average_after: loadavg().map((load) => Math.round(load * 100) / 100),
      workloads: results,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function readCommand(): Command {
  try {
    const command = parseCommand(process.argv.slice(2));
    if (command.do === "bench") {
      workloadsOf(command.args.family, command.args.only);
      for (const binary of [command.args.server, command.args.against]) versionOf(resolve(binary));
    }
    return command;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

const command = readCommand();
if (command.do === "help") {
  console.log(USAGE);
} else if (command.do === "list") {
  for (const { name, about } of workloadsOf(command.family, null)) console.log(`${name.padEnd(14)} ${about}`);
} else {
  const report = await bench(command.args);
  console.log(render(report));
  if (command.args.json !== null) await Bun.write(command.args.json, `${JSON.stringify(report, null, 2)}\n`);
  process.exit(report.workloads.some(({ failures }) => failures.length > 0) ? 1 : 0);
}

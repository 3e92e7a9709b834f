/**
 * The result of a benchmark as one value (which is the JSON) and as an aligned table.
 */
import type { Comparison, Series } from "./figures.ts";
import type { Machine } from "./machine.ts";

/** A run that does not count. */
export interface Failure {
  readonly side: "ours" | "theirs";
  readonly round: number;
  readonly reason: string;
}

export interface WorkloadResult {
  readonly name: string;
  readonly about: string;
  readonly figures: readonly Comparison[];
  readonly failures: readonly Failure[];
}

export interface Report {
  readonly family: string;
  readonly ours: { readonly binary: string; readonly version: string };
  readonly theirs: { readonly binary: string; readonly version: string };
  readonly rounds: number;
  /** 1, or the fraction of the full load that was used. */
  readonly scale: number;
  readonly machine: Machine;
  /** Load averages when it ended. */
  readonly load_average_after: readonly number[];
  readonly workloads: readonly WorkloadResult[];
}

const HEADER = ["workload", "figure", "unit", "ours", "±", "theirs", "±", "ratio", ""] as const;
const LEFT_ALIGNED = new Set([0, 1, 2, 8]);

function number(value: number): string {
  const decimals = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function cells(series: Series | null): [string, string] {
  return series === null ? ["failed", ""] : [number(series.median), series.runs.length < 2 ? "" : `${Math.round(series.spread * 100)}%`];
}

/** `better` or `worse`, by the direction of the figure; `~` where the rounds of the two servers overlap: noise. */
function verdict({ ratio, better, ours, theirs }: Comparison): string {
  if (ratio === null || ours === null || theirs === null) return "";
  const apart = Math.min(...ours.runs) > Math.max(...theirs.runs) || Math.max(...ours.runs) < Math.min(...theirs.runs);
  if (!apart) return "~";
  return ratio > 1 === (better === "higher") ? "better" : "worse";
}

function rows({ name, figures, failures }: WorkloadResult): string[][] {
  const body = figures.map((figure, index) => [
    index === 0 ? name : "", figure.name, figure.unit, ...cells(figure.ours), ...cells(figure.theirs),
    figure.ratio === null ? "" : figure.ratio.toFixed(2), verdict(figure),
  ]);
  if (body.length === 0) body.push([name, "no run succeeded", "", "", "", "", "", "", ""]);
  for (const { side, round } of failures) body.push(["", `FAILED: ${side}, round ${round}`, "", "", "", "", "", "", ""]);
  return body;
}

function heading(report: Report): string[] {
  const { machine } = report;
  const scale = report.scale === 1 ? "" : `, load scaled to ${report.scale}`;
  return [
    `ours   ${report.ours.version}  ${report.ours.binary}`,
    `theirs ${report.theirs.version}  ${report.theirs.binary}`,
    `${machine.date}  ${machine.cores} x ${machine.cpu}, ${machine.memory_gib} GiB, ${machine.kernel}, load by Bun ${machine.bun}`,
    `load average before ${machine.load_average.join(" ")}, after ${report.load_average_after.join(" ")}`,
    `medians of ${report.rounds} rounds, alternating${scale}; ± is (max - min) / median; ratio is ours / theirs; ~ where rounds overlap`,
  ];
}

/** The report for people. */
export function render(report: Report): string {
  const table = [[...HEADER], ...report.workloads.flatMap(rows)];
  const widths = HEADER.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const lines = table.map((row) =>
    row.map((cell, column) => (LEFT_ALIGNED.has(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join("  ").trimEnd());
  const reasons = report.workloads.flatMap(({ name, failures }) =>
    failures.map(({ side, round, reason }) => `\n${name}, ${side}, round ${round}: ${reason}`));
  return [...heading(report), "", ...lines, ...reasons].join("\n");
}

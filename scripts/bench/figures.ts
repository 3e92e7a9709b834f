/**
 * What a run measures and how runs are summed up.
 *
 * A run of a workload yields figures; the same figure of several rounds becomes a median with its spread, and the
 * medians of the two servers become one ratio, ours over theirs. A median is used because a disturbed round on a
 * small machine is an outlier to one side only (slower), which a mean would carry on.
 */

/** Which direction is an improvement; `none` marks a figure that describes the run and is not compared. */
export type Better = "higher" | "lower" | "none";

/** One measured number of one run. `name` is unique within its workload. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly value: number;
}

/** One figure of one server over all rounds. */
export interface Series {
  readonly median: number;
  /** (max - min) / median: how far the rounds were apart. */
  readonly spread: number;
  readonly runs: readonly number[];
}

/** One figure of both servers. A side is null when all of its runs failed. */
export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly ours: Series | null;
  readonly theirs: Series | null;
  /** ours.median / theirs.median; null when a side is missing or the figure is not compared. */
  readonly ratio: number | null;
}

/** The middle value, or the mean of the two middle ones. Throws RangeError for an empty list. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("median of no values");
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[upper] : (sorted[upper - 1] + sorted[upper]) / 2;
}

/** The value below which `fraction` (0 to 1) of all samples lie (nearest rank). `sorted` ascends and is not empty. */
export function percentile(sorted: Float64Array, fraction: number): number {
  if (sorted.length === 0) throw new RangeError("percentile of no samples");
  return sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)];
}

function series(runs: readonly number[]): Series | null {
  if (runs.length === 0) return null;
  const middle = median(runs);
  const spread = middle === 0 ? 0 : (Math.max(...runs) - Math.min(...runs)) / middle;
  return { median: middle, spread, runs };
}

/** Pairs the figures of both servers' runs by name, in the order in which they first appear. */
export function compare(ours: readonly (readonly Figure[])[], theirs: readonly (readonly Figure[])[]): Comparison[] {
  const kinds = new Map<string, Figure>();
  for (const run of [...ours, ...theirs]) for (const figure of run) if (!kinds.has(figure.name)) kinds.set(figure.name, figure);
  const values = (runs: readonly (readonly Figure[])[], name: string): number[] =>
    runs.flatMap((run) => run.filter((figure) => figure.name === name).map((figure) => figure.value));
  return [...kinds.values()].map(({ name, unit, better }) => {
    const a = series(values(ours, name));
    const b = series(values(theirs, name));
    const ratio = better === "none" || a === null || b === null || b.median === 0 ? null : a.median / b.median;
    return { name, unit, better, ours: a, theirs: b, ratio };
  });
}

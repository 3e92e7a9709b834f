/** Writes Prometheus text format 0.0.4. Samples of one name are gathered under one HELP and TYPE, whatever the order in which they are given. */
import type { DelayHistogram } from "./loopdelay.ts";

export type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly type: "gauge" | "counter" | "histogram";
  readonly help: string;
  readonly lines: string[];
}

export class MetricsText {
  readonly #families = new Map<string, Family>();

  constructor(
    /** Labels of every sample. */
    private readonly common: Labels,
    /** Help texts by name; others are told as the field they come from. */
    private readonly help: Readonly<Record<string, string>>,
  ) {}

  gauge(name: string, value: number, labels: Labels = {}, help?: string): void {
    this.#family(name, "gauge", help).lines.push(this.#sample(name, labels, value));
  }

  counter(name: string, value: number, labels: Labels = {}, help?: string): void {
    this.#family(name, "counter", help).lines.push(this.#sample(name, labels, value));
  }

  /** `bounds` are the buckets' upper bounds, ascending. */
  histogram(name: string, bounds: readonly number[], values: DelayHistogram, help: string): void {
    const { lines } = this.#family(name, "histogram", help);
    bounds.forEach((bound, index) => lines.push(this.#sample(`${name}_bucket`, { le: String(bound) }, values.cumulative[index] ?? 0)));
    lines.push(this.#sample(`${name}_bucket`, { le: "+Inf" }, values.count), this.#sample(`${name}_sum`, {}, values.sumSeconds), this.#sample(`${name}_count`, {}, values.count));
  }

  toString(): string {
    return [...this.#families].map(([name, { type, help, lines }]) => `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`).join("");
  }

  #family(name: string, type: Family["type"], help: string | undefined): Family {
    const known = this.#families.get(name);
    if (known !== undefined) return known;
    const family: Family = { type, help: help ?? this.help[name] ?? fieldHelp(name), lines: [] };
    this.#families.set(name, family);
    return family;
  }

  #sample(name: string, labels: Labels, value: number): string {
    const all = Object.entries({ ...this.common, ...labels }).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}{${all.join(",")}} ${value}`;
  }
}

/** `gnatsd_varz_in_msgs`: in_msgs of /varz. */
function fieldHelp(name: string): string {
  const match = /^(?:gnatsd|jetstream)_([a-z]+)_(.+)$/.exec(name);
  return match === null ? name : name.startsWith("jetstream") ? `${match[2]} of /jsz.` : `${match[2]} of /${match[1]}.`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

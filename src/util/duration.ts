/**
 * Go's textual form of durations (`1h20m`, `2m0s`, `250ms`), in which users write them and logs, monitoring and error texts show them. Durations are
 * exact here: whole nanoseconds in a signed 64-bit range, as `bigint`. Rooms that set timers use milliseconds (`number`, may be fractional); the
 * conversion is at the edge, below.
 */

const UNIT_NS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["\u00b5s", 1_000n],
  ["\u03bcs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

const MAX_NS = (1n << 63n) - 1n;
const MIN_NS = -(1n << 63n);

export type DurationResult = { readonly ok: true; readonly ns: bigint } | { readonly ok: false; readonly error: string };

/** Parses a duration. Errors are Go's texts, for example `time: missing unit in duration "10"`. */
export function parseDuration(text: string): DurationResult {
  const invalid: DurationResult = { ok: false, error: `time: invalid duration ${quoteForTime(text)}` };
  let rest = text;
  let negative = false;
  if (rest.startsWith("-") || rest.startsWith("+")) {
    negative = rest.startsWith("-");
    rest = rest.slice(1);
  }
  if (rest === "0") return { ok: true, ns: 0n };
  if (rest === "") return invalid;

  let totalNs = 0n;
  while (rest !== "") {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest);
    const whole = number?.[1] ?? "";
    const fraction = number?.[2] ?? "";
    if (whole === "" && fraction === "") return invalid;
    rest = rest.slice(number?.[0].length ?? 0);

    const unit = /^[^.\d]*/.exec(rest)?.[0] ?? "";
    if (unit === "") return { ok: false, error: `time: missing unit in duration ${quoteForTime(text)}` };
    const unitNs = UNIT_NS.get(unit);
    if (unitNs === undefined) return { ok: false, error: `time: unknown unit ${quoteForTime(unit)} in duration ${quoteForTime(text)}` };
    rest = rest.slice(unit.length);

    totalNs += BigInt(whole === "" ? "0" : whole) * unitNs;
    // More than 18 fraction digits are below a nanosecond in every unit.
    const digits = fraction.slice(0, 18);
    if (digits !== "") totalNs += (BigInt(digits) * unitNs) / 10n ** BigInt(digits.length);
    if (totalNs > -MIN_NS) return invalid;
  }
  const ns = negative ? -totalNs : totalNs;
  return ns > MAX_NS ? invalid : { ok: true, ns };
}

/** Go's `Duration.String`: `0s`, `1.5s`, `2m0s`, `250ms`, `1h0m0s`. */
export function formatDuration(ns: bigint): string {
  if (ns === 0n) return "0s";
  const sign = ns < 0n ? "-" : "";
  const size = ns < 0n ? -ns : ns;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${withFraction(size, 1_000n)}\u00b5s`;
  if (size < 1_000_000_000n) return `${sign}${withFraction(size, 1_000_000n)}ms`;

  const seconds = `${withFraction(size % 60_000_000_000n, 1_000_000_000n)}s`;
  const minutes = size / 60_000_000_000n;
  if (minutes === 0n) return sign + seconds;
  if (minutes < 60n) return `${sign}${minutes}m${seconds}`;
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** `formatDuration` of milliseconds; what is below a nanosecond is rounded. */
export function formatDurationMs(ms: number): string {
  return formatDuration(nsOfMs(ms));
}

/** Milliseconds, fractional where the duration is not whole; exact for durations below about 104 days. */
export function msOfNs(ns: bigint): number {
  return Number(ns) / 1e6;
}

/** Nanoseconds of `ms`, clamped to the signed 64-bit range. */
export function nsOfMs(ms: number): bigint {
  const whole = Math.trunc(ms);
  const ns = BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
  if (ns > MAX_NS) return MAX_NS;
  return ns < MIN_NS ? MIN_NS : ns;
}

function withFraction(value: bigint, unit: bigint): string {
  const rest = value % unit;
  if (rest === 0n) return `${value / unit}`;
  const digits = rest.toString().padStart(unit.toString().length - 1, "0").replace(/0+$/, "");
  return `${value / unit}.${digits}`;
}

/** The quoting of Go's `time` package: like `%q`, but everything outside printable ASCII is `\xNN` per UTF-8 byte. */
export function quoteForTime(text: string): string {
  let out = '"';
  for (const character of text) {
    if (character === '"' || character === "\\") out += `\\${character}`;
    else if (character >= " " && character < "\u0080") out += character;
    else for (const byte of new TextEncoder().encode(character)) out += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `${out}"`;
}

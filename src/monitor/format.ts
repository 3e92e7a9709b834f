/** Times, durations and addresses in the forms that monitoring shows. Spec: monitoring, section 1. */
import { nodeCrypto } from "../util/builtin.ts";
import type { TlsOptions } from "../config/index.ts";
import { formatDuration } from "../util/duration.ts";
import { timestamp } from "../util/timestamp.ts";

/** The value, or undefined (the field is left out) when it is empty: `""`, 0, false, no entries. */
export function optional<T extends string | number | boolean | readonly unknown[]>(value: T): T | undefined {
  return (typeof value === "object" ? value.length === 0 : !value) ? undefined : value;
}

/** The record, or undefined when it has no entries. */
export function optionalRecord<T extends Readonly<Record<string, unknown>>>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value;
}

/** A map as an object whose keys are sorted. */
export function sortedRecord<T>(entries: Iterable<readonly [string, T]>): Readonly<Record<string, T>> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** RFC 3339 with the zone of this machine, `Z` when that is UTC. */
export function localTimestamp(ns: bigint, offsetMinutes: number): string {
  const seconds = Number(ns / 1_000_000_000n);
  const text = secondText(seconds + offsetMinutes * 60) + fraction(Number(ns % 1_000_000_000n));
  if (offsetMinutes === 0) return `${text}Z`;
  const distance = Math.abs(offsetMinutes);
  return `${text}${offsetMinutes < 0 ? "-" : "+"}${String(Math.floor(distance / 60)).padStart(2, "0")}:${String(distance % 60).padStart(2, "0")}`;
}

/** RFC 3339 in UTC of wall clock milliseconds, which a double holds to the microsecond. */
export function timestampOfMs(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${secondText(seconds)}${fraction(Math.floor((ms - seconds * 1000) * 1000) * 1000)}Z`;
}

/** A page has a thousand connections with two times each, and most are of few different seconds (measured: this halves the time of a page). */
const secondTexts = new Map<number, string>();
const SECOND_TEXTS_MAX = 4096;

function secondText(seconds: number): string {
  const known = secondTexts.get(seconds);
  if (known !== undefined) return known;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  if (secondTexts.size >= SECOND_TEXTS_MAX) secondTexts.clear();
  secondTexts.set(seconds, text);
  return text;
}

function fraction(ns: number): string {
  return ns === 0 ? "" : `.${String(ns).padStart(9, "0").replace(/0+$/, "")}`;
}

const UNITS = [["y", 365 * 86_400], ["d", 86_400], ["h", 3600], ["m", 60]] as const;

/** Whole seconds of `ms`, largest unit first: `0s`, `11m42s`, `3d4h0m9s`. */
export function uptime(ms: number): string {
  let rest = Math.max(0, Math.floor(ms / 1000));
  if (rest < 60) return `${rest}s`;
  const parts: string[] = [];
  for (const [unit, seconds] of UNITS) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0 || parts.length > 0) parts.push(`${count}${unit}`);
  }
  return `${parts.join("")}${rest}s`;
}

/** A round-trip time: whole microseconds below a millisecond, else exact. */
export function roundTrip(ns: number): string {
  if (ns === 0) return "0s";
  const exact = BigInt(Math.round(ns));
  return formatDuration(exact >= 1000n && exact < 1_000_000n ? (exact / 1000n) * 1000n : exact);
}

/** When the certificate that a listener presents expires. */
export function certificateExpiry(tls: TlsOptions | undefined): string | undefined {
  const first = tls?.certificates[0];
  if (first === undefined) return undefined;
  return timestamp(BigInt(Date.parse(new (nodeCrypto().X509Certificate)(first.certPem).validTo)) * 1_000_000n);
}

/** Nanoseconds of configured milliseconds, for the wire. */
export function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}

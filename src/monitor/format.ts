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
  if (offsetMinutes === 0) return timestamp(ns);
  const shifted = timestamp(ns + BigInt(offsetMinutes) * 60_000_000_000n).slice(0, -1);
  const distance = Math.abs(offsetMinutes);
  return `${shifted}${offsetMinutes < 0 ? "-" : "+"}${String(Math.floor(distance / 60)).padStart(2, "0")}:${String(distance % 60).padStart(2, "0")}`;
}

const YEAR_S = 365 * 86_400;

/** Whole seconds, largest unit first: `0s`, `11m42s`, `3d4h0m9s`. */
export function uptime(ns: bigint): string {
  let rest = Math.max(0, Number(ns / 1_000_000_000n));
  const parts: string[] = [];
  for (const [unit, seconds] of [["y", YEAR_S], ["d", 86_400], ["h", 3600], ["m", 60]] as const) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0 || parts.length > 0) parts.push(`${count}${unit}`);
  }
  return `${parts.join("")}${rest}s`;
}

/** A round-trip time: whole microseconds below a millisecond, else exact. */
export function roundTrip(ns: number): string {
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

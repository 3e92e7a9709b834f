/** Dates as logs write them. All take the wall clock in nanoseconds and the minutes that the wanted zone is ahead of UTC. */
import type { Clock } from "../platform/index.ts";

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

/** The fields of a date in a zone. */
function fieldsOf(atNs: bigint, zoneMinutes: number) {
  const shifted = new Date(Number(atNs / 1_000_000n) + zoneMinutes * 60_000);
  return {
    year: String(shifted.getUTCFullYear()).padStart(4, "0"),
    monthIndex: shifted.getUTCMonth(),
    month: two(shifted.getUTCMonth() + 1),
    dayNumber: shifted.getUTCDate(),
    day: two(shifted.getUTCDate()),
    hour: two(shifted.getUTCHours()),
    minute: two(shifted.getUTCMinutes()),
    second: two(shifted.getUTCSeconds()),
  };
}

/** Minutes that local time is ahead of UTC at `atNs`. */
export function localZone(clock: Clock, atNs: bigint): number {
  return clock.zoneOffsetMinutes(Number(atNs / 1_000_000n));
}

/** `2026/11/23 18:12:45`: the stamp of a failure to open the log itself. */
export function secondsStamp(atNs: bigint, zoneMinutes: number): string {
  const f = fieldsOf(atNs, zoneMinutes);
  return `${f.year}/${f.month}/${f.day} ${f.hour}:${f.minute}:${f.second}`;
}

/** `2026.11.23.18.12.45.123456789`: the suffix of a rotated log file. */
export function backupStamp(atNs: bigint, zoneMinutes: number): string {
  const f = fieldsOf(atNs, zoneMinutes);
  const nanoseconds = String(atNs % 1_000_000_000n).padStart(9, "0");
  return `${f.year}.${f.month}.${f.day}.${f.hour}.${f.minute}.${f.second}.${nanoseconds}`;
}

/** `2026-11-23T18:12:45Z`, `2026-11-23T18:12:45+01:00` (RFC 3339). */
export function rfc3339Stamp(atNs: bigint, zoneMinutes: number): string {
  const f = fieldsOf(atNs, zoneMinutes);
  const ahead = Math.abs(zoneMinutes);
  const zone = zoneMinutes === 0 ? "Z" : `${zoneMinutes < 0 ? "-" : "+"}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`;
  return `${f.year}-${f.month}-${f.day}T${f.hour}:${f.minute}:${f.second}${zone}`;
}

/** `Nov  3 18:12:45`, of the old BSD syslog. */
export function bsdStamp(atNs: bigint, zoneMinutes: number): string {
  const f = fieldsOf(atNs, zoneMinutes);
  return `${months[f.monthIndex]} ${String(f.dayNumber).padStart(2)} ${f.hour}:${f.minute}:${f.second}`;
}

/** Stamps log lines. A date is only made once a second; the lines of one second share it. */
export class LineStamp {
  readonly #clock: Clock;
  readonly #utc: boolean;
  #second = -1n;
  #prefix = "";

  constructor(clock: Clock, utc: boolean) {
    this.#clock = clock;
    this.#utc = utc;
  }

  /** `2026/11/23 18:12:45.899060`, now. */
  text(): string {
    const atNs = this.#clock.nowNs();
    const second = atNs / 1_000_000_000n;
    if (second !== this.#second) {
      this.#second = second;
      this.#prefix = secondsStamp(atNs, this.#utc ? 0 : localZone(this.#clock, atNs));
    }
    const microseconds = Number(atNs - second * 1_000_000_000n) / 1000;
    return `${this.#prefix}.${String(Math.floor(microseconds)).padStart(6, "0")}`;
  }
}

/** Times of day at which a user may be connected. Spec: accounts and authentication, section 7.8, step 14. */
import type { TimeRange } from "../../jwt/index.ts";

const DAY_S = 86_400;

/** Seconds that the longest window around now still has; `Infinity` without windows; undefined outside all of them. `zone` is an IANA name; empty: the server's. */
export function timeLeftS(times: readonly TimeRange[], zone: string, nowS: number): number | undefined {
  if (times.length === 0) return Infinity;
  const now = secondOfDay(zone, nowS);
  if (now === undefined) return undefined;
  let most: number | undefined;
  for (const { start, end } of times) {
    const from = seconds(start);
    const to = seconds(end);
    const isInside = from > to ? now > from || now < to : from < now && now < to;
    if (!isInside) continue;
    const left = (to - now + DAY_S) % DAY_S;
    if (most === undefined || left > most) most = left;
  }
  return most;
}

/** Seconds since the Unix epoch at which a login ends, by its token (`expS`, 0: never) or `leftS` from now; 0: never. */
export function loginEndS(expS: number, leftS: number, nowS: number): number {
  const ends = [expS, leftS === Infinity ? 0 : nowS + leftS].filter((end) => end > 0);
  return ends.length === 0 ? 0 : Math.min(...ends);
}

function seconds(text: string): number {
  const [hours = 0, minutes = 0, rest = 0] = text.split(":").map(Number);
  return hours * 3600 + minutes * 60 + rest;
}

/** Undefined for a zone that is not known. */
function secondOfDay(zone: string, nowS: number): number | undefined {
  try {
    const format = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", ...(zone === "" ? {} : { timeZone: zone }) });
    return seconds(format.format(new Date(nowS * 1000)));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

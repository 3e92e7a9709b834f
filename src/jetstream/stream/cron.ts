/**
 * Schedules in six fields: `second minute hour day-of-month month day-of-week`, with `* ? , - /` and names. Of the two day fields both must hold when one of them is a star,
 * otherwise either. Times are found by fields, from the largest down, so also a rare schedule costs few steps. Spec: streams, section 5.8.
 */

const ALIASES: ReadonlyMap<string, string> = new Map([
  ["@yearly", "0 0 0 1 1 *"],
  ["@annually", "0 0 0 1 1 *"],
  ["@monthly", "0 0 0 1 * *"],
  ["@weekly", "0 0 0 * * 0"],
  ["@daily", "0 0 0 * * *"],
  ["@midnight", "0 0 0 * * *"],
  ["@hourly", "0 0 * * * *"],
]);
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/** Schedules that do not come true within so many years never do. */
const YEARS_MAX = 5;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

interface Field {
  readonly values: ReadonlySet<number>;
  readonly isStar: boolean;
}

/** Minutes that a zone is ahead of UTC at a time, in milliseconds since the Unix epoch. */
export type ZoneOffset = (atMs: number) => number;

export class Cron {
  private constructor(
    private readonly seconds: Field,
    private readonly minutes: Field,
    private readonly hours: Field,
    private readonly days: Field,
    private readonly months: Field,
    private readonly weekdays: Field,
  ) {}

  /** Undefined when it is not a schedule. */
  static parse(text: string): Cron | undefined {
    const fields = (ALIASES.get(text) ?? text).trim().split(/[ \t]+/);
    if (fields.length !== 6) return undefined;
    const [seconds, minutes, hours, days, months, weekdays] = [
      parseField(fields[0], 0, 59, []),
      parseField(fields[1], 0, 59, []),
      parseField(fields[2], 0, 23, []),
      parseField(fields[3], 1, 31, []),
      parseField(fields[4], 1, 12, MONTHS),
      parseField(fields[5], 0, 6, DAYS),
    ];
    if (!seconds || !minutes || !hours || !days || !months || !weekdays) return undefined;
    return new Cron(seconds, minutes, hours, days, months, weekdays);
  }

  /** The first time after `afterMs`, milliseconds since the Unix epoch; undefined when there is none within five years. */
  next(afterMs: number, offsetMinutes: ZoneOffset): number | undefined {
    // Fields are counted on the wall clock of the zone, which is kept in a date as if it were UTC.
    let wallMs = (Math.floor(afterMs / 1000) + 1) * 1000 + offsetMinutes(afterMs) * MINUTE_MS;
    const lastYear = new Date(wallMs).getUTCFullYear() + YEARS_MAX;
    for (;;) {
      const found = this.#nextWall(wallMs, lastYear);
      if (found === undefined) return undefined;
      const guess = found - offsetMinutes(found - offsetMinutes(found) * MINUTE_MS) * MINUTE_MS;
      // When clocks are set back the wall shows a time twice: the first one has passed.
      if (guess > afterMs) return guess;
      wallMs = found + 1000;
    }
  }

  #nextWall(fromMs: number, lastYear: number): number | undefined {
    let at = fromMs;
    for (;;) {
      const date = new Date(at);
      if (date.getUTCFullYear() > lastYear) return undefined;
      if (!this.months.values.has(date.getUTCMonth() + 1)) at = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
      else if (!this.#isDay(date)) at = (Math.floor(at / DAY_MS) + 1) * DAY_MS;
      else if (!this.hours.values.has(date.getUTCHours())) at = (Math.floor(at / HOUR_MS) + 1) * HOUR_MS;
      else if (!this.minutes.values.has(date.getUTCMinutes())) at = (Math.floor(at / MINUTE_MS) + 1) * MINUTE_MS;
      else if (!this.seconds.values.has(date.getUTCSeconds())) at += 1000;
      else return at;
    }
  }

  #isDay(date: Date): boolean {
    const day = this.days.values.has(date.getUTCDate());
    const weekday = this.weekdays.values.has(date.getUTCDay());
    return this.days.isStar || this.weekdays.isStar ? day && weekday : day || weekday;
  }
}

function parseField(text: string, min: number, max: number, names: readonly string[]): Field | undefined {
  const values = new Set<number>();
  let isStar = false;
  for (const part of text.split(",")) {
    const found = parseRange(part, min, max, names);
    if (found === undefined) return undefined;
    isStar ||= found.isStar;
    for (let value = found.first; value <= found.last; value += found.step) values.add(value);
  }
  return { values, isStar };
}

/** `*`, `n`, `a-b`, each with `/step`; `n/step` goes to the end. */
function parseRange(text: string, min: number, max: number, names: readonly string[]): { readonly first: number; readonly last: number; readonly step: number; readonly isStar: boolean } | undefined {
  const [range, stepText, ...more] = text.split("/");
  if (more.length > 0) return undefined;
  const step = stepText === undefined ? 1 : /^\d+$/.test(stepText) ? Number(stepText) : 0;
  if (step === 0) return undefined;
  const [low, high, ...further] = range.split("-");
  if (further.length > 0) return undefined;
  // With a step it is a choice of days, no longer any day.
  if (low === "*" || low === "?") return high === undefined ? { first: min, last: max, step, isStar: step === 1 } : undefined;
  const first = valueOf(low, names, min);
  const last = high !== undefined ? valueOf(high, names, min) : stepText === undefined ? first : max;
  if (first === undefined || last === undefined || first < min || last > max || first > last) return undefined;
  return { first, last, step, isStar: false };
}

function valueOf(text: string, names: readonly string[], min: number): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const at = names.indexOf(text.toLowerCase());
  return at < 0 ? undefined : at + min;
}

/** The zone that this machine is in, by the name that the reference takes for it. */
const LOCAL = "Local";

/** The offsets of an IANA time zone, spelled exactly; undefined when there is no such zone. */
export function zoneOffset(name: string): ZoneOffset | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", { ...(name === LOCAL ? {} : { timeZone: name }), hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
  } catch {
    return undefined;
  }
  // It also takes other spellings, and offsets.
  if (name !== LOCAL && (/^[+-]/.test(name) || format.resolvedOptions().timeZone !== name)) return undefined;
  return (atMs) => {
    const parts = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
    const wallMs = Date.UTC(parts["year"], parts["month"] - 1, parts["day"], parts["hour"], parts["minute"], parts["second"]);
    return Math.round((wallMs - Math.floor(atMs / 1000) * 1000) / MINUTE_MS);
  };
}

export const UTC: ZoneOffset = () => 0;

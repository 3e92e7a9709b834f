/**
 * RFC 3339 times as JSON bodies bring them, read and refused as Go's `time.Parse` does: hours may have one digit, a fraction may follow a comma, the offset is
 * kept. What comes out is the text the reference would print.
 */
import { quoteForTime } from "../../util/duration.ts";
import { JsonError } from "./error.ts";

const LAYOUT = "2006-01-02T15:04:05Z07:00";

interface Part {
  readonly layout: string;
  readonly pattern: RegExp;
  /** What is out of range, with the least and the greatest good value. */
  readonly range?: readonly [name: string, min: number, max: number];
}

const PARTS: readonly Part[] = [
  { layout: "2006", pattern: /^\d{4}/ },
  { layout: "-", pattern: /^-/ },
  { layout: "01", pattern: /^\d{2}/, range: ["month", 1, 12] },
  { layout: "-", pattern: /^-/ },
  { layout: "02", pattern: /^\d{2}/ },
  { layout: "T", pattern: /^T/ },
  { layout: "15", pattern: /^\d{1,2}/, range: ["hour", 0, 23] },
  { layout: ":", pattern: /^:/ },
  { layout: "04", pattern: /^\d{2}/, range: ["minute", 0, 59] },
  { layout: ":", pattern: /^:/ },
  { layout: "05", pattern: /^\d{2}/, range: ["second", 0, 59] },
];

/** The normalised text. Throws `JsonError`. */
export function normaliseTime(text: string): string {
  let rest = text;
  const values: number[] = [];
  for (const { layout, pattern, range } of PARTS) {
    const found = pattern.exec(rest)?.[0];
    if (found === undefined) throw cannotParse(text, rest, layout);
    const value = Number(found);
    if (range !== undefined && (value < range[1] || value > range[2])) throw new JsonError(`parsing time ${quoteForTime(text)}: ${range[0]} out of range`);
    if (layout.length > 1) values.push(value);
    rest = rest.slice(found.length);
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = values;
  const fraction = /^[.,](\d+)/.exec(rest);
  if (fraction !== null) rest = rest.slice(fraction[0].length);
  const zone = /^(?:Z|[+-](\d{2}):(\d{2}))/.exec(rest);
  if (zone === null) throw cannotParse(text, rest, "Z07:00");
  const refuse = (why: string): JsonError => new JsonError(`parsing time ${quoteForTime(text)}: ${why}`);
  if (Number(zone[1] ?? 0) > 23) throw refuse("time zone offset hour out of range");
  if (Number(zone[2] ?? 0) > 59) throw refuse("time zone offset minute out of range");
  if (rest.length > zone[0].length) throw refuse(`extra text: ${quoteForTime(rest.slice(zone[0].length))}`);
  if (day < 1 || day > daysOf(year, month)) throw refuse("day out of range");

  const digits = (fraction?.[1] ?? "").slice(0, 9).replace(/0+$/, "");
  const offset = zone[0] === "+00:00" || zone[0] === "-00:00" ? "Z" : zone[0];
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}${digits === "" ? "" : `.${digits}`}${offset}`;
}

function cannotParse(text: string, rest: string, layout: string): JsonError {
  return new JsonError(`parsing time ${quoteForTime(text)} as ${quoteForTime(LAYOUT)}: cannot parse ${quoteForTime(rest)} as ${quoteForTime(layout)}`);
}

function daysOf(year: number, month: number): number {
  return new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
}

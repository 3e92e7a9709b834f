/** When a schedule fires: `@at <time>`, `@every <duration>`, or six fields (`cron.ts`). Spec: streams, section 5.8. */
import { parseDuration } from "../../util/duration.ts";
import { Cron, UTC, zoneOffset } from "./cron.ts";

export interface SchedulePattern {
  /** Fires once, and is gone. */
  readonly isSingle: boolean;
  /** The first time after `fromMs`, which for a new schedule is the time it was stored. Milliseconds since the Unix epoch. */
  next(fromMs: number): number | undefined;
}

export type ScheduleFault = "pattern" | "zone";

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const SHORTEST_NS = 1_000_000_000n;

/** Whether there is such a time zone. */
export function isZone(name: string): boolean {
  return name !== "" && zoneOffset(name) !== undefined;
}

/** `zone` is the header `Nats-Schedule-Time-Zone`, undefined when it is not there. */
export function parseSchedule(text: string, zone: string | undefined): SchedulePattern | ScheduleFault {
  if (text.startsWith("@at ")) return zone === undefined ? at(text.slice(4)) : "pattern";
  if (text.startsWith("@every ")) return zone === undefined ? every(text.slice(7)) : "pattern";
  const offset = zone === undefined ? UTC : zone === "" ? undefined : zoneOffset(zone);
  if (offset === undefined) return "zone";
  const cron = Cron.parse(text);
  return cron === undefined ? "pattern" : { isSingle: false, next: (fromMs) => cron.next(fromMs, offset) };
}

function at(text: string): SchedulePattern | ScheduleFault {
  const timeMs = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(timeMs) ? "pattern" : { isSingle: true, next: () => timeMs };
}

function every(text: string): SchedulePattern | ScheduleFault {
  const duration = parseDuration(text);
  if (!duration.ok || duration.ns < SHORTEST_NS) return "pattern";
  const stepMs = Number(duration.ns) / 1e6;
  return { isSingle: false, next: (fromMs) => Math.round(fromMs / 1000) * 1000 + stepMs };
}

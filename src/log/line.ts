/** The form of a log line: `[pid] date time [LVL] text`. */
import type { Clock } from "../platform/index.ts";
import { levels } from "./level.ts";
import type { Level } from "./level.ts";
import { LineStamp } from "./stamp.ts";

/** What a line shows besides its text. */
export interface LineSettings {
  /** Show date and time. */
  readonly logtime: boolean;
  /** In UTC rather than local time. */
  readonly logtimeUtc: boolean;
}

/** Makes lines, without their end. */
export type LineFormat = (level: Level, text: string) => string;

/** The line format of a terminal or a file; `colours` for a terminal. */
export function lineFormat(clock: Clock, pid: number, settings: LineSettings, colours: boolean): LineFormat {
  const stamp = settings.logtime ? new LineStamp(clock, settings.logtimeUtc) : undefined;
  const tag = (level: Level): string => {
    const { tag, colour } = levels[level];
    return colours ? `[\x1b[${colour}m${tag}\x1b[0m]` : `[${tag}]`;
  };
  const tags: Readonly<Record<Level, string>> = {
    info: tag("info"),
    debug: tag("debug"),
    warn: tag("warn"),
    error: tag("error"),
    fatal: tag("fatal"),
    trace: tag("trace"),
  };
  const head = `[${pid}] `;
  return (level, text) => `${head}${stamp === undefined ? "" : `${stamp.text()} `}${tags[level]} ${text}`;
}

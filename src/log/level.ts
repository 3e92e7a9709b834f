/** The levels of a log line: their tags, their colours on a terminal, their syslog severities. */
export type Level = "info" | "debug" | "warn" | "error" | "fatal" | "trace";

interface LevelForm {
  readonly tag: string;
  /** Parameters of the terminal's colour sequence. */
  readonly colour: string;
  /** Severity of RFC 5424, table 2. */
  readonly severity: number;
}

export const levels: Readonly<Record<Level, LevelForm>> = {
  info: { tag: "INF", colour: "32", severity: 5 },
  debug: { tag: "DBG", colour: "36", severity: 7 },
  warn: { tag: "WRN", colour: "0;93", severity: 4 },
  error: { tag: "ERR", colour: "31", severity: 3 },
  fatal: { tag: "FTL", colour: "31", severity: 2 },
  trace: { tag: "TRC", colour: "33", severity: 5 },
};

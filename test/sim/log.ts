/** A log that keeps its lines: `[INF] text`. */
import type { Logger } from "../../src/log/index.ts";

export class MemoryLog implements Logger {
  readonly lines: string[] = [];

  debugOn = false;
  traceOn = false;

  configure(levels: { readonly debug: boolean; readonly trace: boolean }): void {
    this.debugOn = levels.debug;
    this.traceOn = levels.trace;
  }

  info(text: string): void {
    this.lines.push(`[INF] ${text}`);
  }

  warn(text: string): void {
    this.lines.push(`[WRN] ${text}`);
  }

  error(text: string): void {
    this.lines.push(`[ERR] ${text}`);
  }

  fatal(text: string): void {
    this.lines.push(`[FTL] ${text}`);
  }

  debug(text: string): void {
    if (this.debugOn) this.lines.push(`[DBG] ${text}`);
  }

  trace(text: string): void {
    if (this.traceOn) this.lines.push(`[TRC] ${text}`);
  }

  /** Number of lines with `text` in them. */
  count(text: string): number {
    return this.lines.filter((line) => line.includes(text)).length;
  }
}

/**
 * What the server says. `Logger` is the narrow interface every room gets; where lines go (terminal, file with rotation, syslog) is decided in this folder
 * and can change at reload without anyone noticing.
 *
 * Hot paths must test `debugOn` / `traceOn` before they build a text.
 */
export interface Logger {
  readonly debugOn: boolean;
  readonly traceOn: boolean;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  /** A fatal start error; the caller then stops the process. */
  fatal(text: string): void;
  debug(text: string): void;
  trace(text: string): void;
}

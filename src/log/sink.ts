/** Where log lines go. A sink never throws and never blocks for long: a server that cannot log goes on serving. */
import type { Level } from "./level.ts";

export interface LogSink {
  write(level: Level, text: string): void;
  /** Resolves when what was written is out of this process's hands. Nothing may be written after the call. */
  close(): Promise<void>;
}

/** The destination of the log cannot be opened; the message is the text for the user: `error opening file: open x: permission denied`. */
export class LogOpenError extends Error {
  override readonly name = "LogOpenError";
}

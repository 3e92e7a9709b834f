/** The log on standard error. */
import type { System } from "../platform/index.ts";
import type { Level } from "./level.ts";
import type { LineFormat } from "./line.ts";
import type { LogSink } from "./sink.ts";

export class StderrSink implements LogSink {
  readonly #system: System;
  readonly #format: LineFormat;

  constructor(system: System, format: LineFormat) {
    this.#system = system;
    this.#format = format;
  }

  write(level: Level, text: string): void {
    this.#system.stderr(`${this.#format(level, text)}\n`);
  }

  async close(): Promise<void> {}
}

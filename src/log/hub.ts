/**
 * The server's one log. Everybody holds the hub as a `Logger`; where lines go and which levels count is swapped behind it, at start, at reload and when a
 * signal asks to reopen the file. Until it is configured it writes to standard error.
 */
import type { Clock, Disk, SyslogRoads, System } from "../platform/index.ts";
import { FileSink } from "./file.ts";
import type { Level } from "./level.ts";
import { lineFormat } from "./line.ts";
import type { Logger } from "./logger.ts";
import { LogOpenError } from "./sink.ts";
import type { LogSink } from "./sink.ts";
import { StderrSink } from "./stderr.ts";
import { SyslogSink, parseSyslogAddress } from "./syslog.ts";

/** Where lines go and which; the `LogOptions` of the configuration are these and more. */
export interface LogSettings {
  readonly debug: boolean;
  readonly trace: boolean;
  readonly logtime: boolean;
  readonly logtimeUtc: boolean;
  /** Empty for none. Goes before the syslogs. */
  readonly logFile: string;
  /** Bytes after which the log file is rotated; 0 means never. */
  readonly logSizeLimitBytes: number;
  /** Current file plus backups to keep; 0 means all. */
  readonly logMaxFiles: number;
  readonly syslog: boolean;
  /** `udp://host:port`, `tcp://host:port`, `unix:/path`, or empty. Goes before the local syslog. */
  readonly remoteSyslog: string;
}

/** What the log needs of the house. */
export interface LogDoors {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly system: System;
  readonly syslog: SyslogRoads;
}

const initialSettings: LogSettings = {
  debug: false,
  trace: false,
  logtime: true,
  logtimeUtc: false,
  logFile: "",
  logSizeLimitBytes: 0,
  logMaxFiles: 0,
  syslog: false,
  remoteSyslog: "",
};

export class LogHub implements Logger {
  readonly #doors: LogDoors;
  #settings: LogSettings = initialSettings;
  #sink: LogSink;
  debugOn = false;
  traceOn = false;

  constructor(doors: LogDoors) {
    this.#doors = doors;
    this.#sink = this.#stderr(initialSettings);
  }

  /**
   * Goes over to the destination and levels of `settings`. Rejects with `LogOpenError` when the destination cannot be opened, and then stays as it was.
   * Standard error and files are in place when the call returns; syslog when the promise resolves, and until then lines go where they went before.
   */
  async configure(settings: LogSettings): Promise<void> {
    const opened = this.#open(settings);
    // awaiting what is there already would let a line slip into the old destination
    const sink = opened instanceof Promise ? await opened : opened;
    const before = this.#sink;
    this.#sink = sink;
    this.#settings = settings;
    this.debugOn = settings.debug;
    this.traceOn = settings.trace;
    await before.close();
  }

  /** Closes and opens the log file, which may have been moved away. On failure goes on with the file it has, and says so there. */
  reopen(): void {
    if (this.#settings.logFile === "") {
      this.info("File log re-open ignored, not a file logger");
      return;
    }
    let sink: LogSink;
    try {
      sink = this.#file(this.#settings);
    } catch (error) {
      if (!(error instanceof LogOpenError)) throw error;
      this.error(`File log re-open failed: ${error.message}`);
      return;
    }
    void this.#sink.close();
    this.#sink = sink;
    this.info("File log re-opened");
  }

  /** Resolves when the last lines are out. Lines after it go to standard error. */
  async close(): Promise<void> {
    const last = this.#sink;
    this.#sink = this.#stderr(this.#settings);
    await last.close();
  }

  info(text: string): void {
    this.#sink.write("info", text);
  }

  warn(text: string): void {
    this.#sink.write("warn", text);
  }

  error(text: string): void {
    this.#sink.write("error", text);
  }

  fatal(text: string): void {
    this.#sink.write("fatal", text);
  }

  debug(text: string): void {
    if (this.debugOn) this.#sink.write("debug", text);
  }

  trace(text: string): void {
    if (this.traceOn) this.#sink.write("trace", text);
  }

  #open(settings: LogSettings): LogSink | Promise<LogSink> {
    if (settings.logFile !== "") return this.#file(settings);
    if (settings.remoteSyslog !== "") return SyslogSink.open(this.#doors, parseSyslogAddress(settings.remoteSyslog));
    if (settings.syslog) return SyslogSink.open(this.#doors, { kind: "local" });
    return this.#stderr(settings);
  }

  #file(settings: LogSettings): FileSink {
    const file = { path: settings.logFile, sizeLimitBytes: settings.logSizeLimitBytes, maxFiles: settings.logMaxFiles };
    return new FileSink(this.#doors, file, this.#format(settings, false));
  }

  #stderr(settings: LogSettings): StderrSink {
    return new StderrSink(this.#doors.system, this.#format(settings, this.#doors.system.stderrIsTerminal));
  }

  #format(settings: LogSettings, colours: boolean): (level: Level, text: string) => string {
    return lineFormat(this.#doors.clock, this.#doors.system.pid, settings, colours);
  }
}

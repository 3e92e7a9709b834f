/**
 * The log in a file. Each line is one append, in the kernel's hands when `write` returns. A file that grows past its limit is renamed with the time and a new
 * one begun; old backups are removed beyond a number.
 *
 * Nothing that goes wrong here reaches the server. A file that cannot be renamed goes on growing, up to twice the limit before the next attempt. While no file
 * can be opened at all, lines go to standard error and each one tries the file again.
 */
import { type AppendFile, type Clock, type Disk, DiskError, type System } from "../platform/index.ts";
import { goQuote } from "../util/quote.ts";
import { splitPath, surplusBackups } from "./backups.ts";
import type { Level } from "./level.ts";
import type { LineFormat } from "./line.ts";
import { LogOpenError } from "./sink.ts";
import type { LogSink } from "./sink.ts";
import { backupStamp, localZone } from "./stamp.ts";

const fileMode = 0o640;

export interface FileSettings {
  readonly path: string;
  /** Bytes after which the file is rotated; 0 means never. */
  readonly sizeLimitBytes: number;
  /** This file and its backups; 0 means all. */
  readonly maxFiles: number;
}

/** What a file log needs of the house. */
export interface FileDoors {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly system: System;
}

function causeOf(error: unknown): string {
  if (error instanceof DiskError) return error.message;
  throw error;
}

export class FileSink implements LogSink {
  readonly #doors: FileDoors;
  readonly #settings: FileSettings;
  readonly #format: LineFormat;
  #file: AppendFile | undefined;
  /** Size at which the next rotation is tried; 0 means never. */
  #rotateAboveBytes: number;
  /** A write failed, and standard error has been told. */
  #failing = false;

  /** Opens the file. Throws `LogOpenError`. */
  constructor(doors: FileDoors, settings: FileSettings, format: LineFormat) {
    this.#doors = doors;
    this.#settings = settings;
    this.#format = format;
    this.#rotateAboveBytes = settings.sizeLimitBytes;
    try {
      this.#file = doors.disk.openAppend(settings.path, fileMode);
    } catch (error) {
      throw new LogOpenError(`error opening file: ${causeOf(error)}`);
    }
    if (this.#isOverLimit()) this.write("info", "Rotating logfile...");
  }

  write(level: Level, text: string): void {
    this.#append(level, text, "\n");
    if (this.#isOverLimit()) this.#rotate();
  }

  async close(): Promise<void> {
    this.#closeFile();
  }

  #isOverLimit(): boolean {
    return this.#file !== undefined && this.#rotateAboveBytes > 0 && this.#file.sizeBytes > this.#rotateAboveBytes;
  }

  #append(level: Level, text: string, end: "\n" | "\r\n"): void {
    const line = this.#format(level, text) + end;
    if (this.#file === undefined && !this.#tryOpen()) {
      this.#doors.system.stderr(line);
      return;
    }
    try {
      this.#file?.append(Buffer.from(line));
      this.#failing = false;
    } catch (error) {
      const cause = causeOf(error);
      if (!this.#failing) this.#complain(`Unable to write to the log file (${cause}), lines are lost`);
      this.#failing = true;
    }
  }

  /** For what the file itself cannot be told. */
  #complain(text: string): void {
    this.#doors.system.stderr(`${this.#format("error", text)}\n`);
  }

  #tryOpen(): boolean {
    try {
      this.#file = this.#doors.disk.openAppend(this.#settings.path, fileMode);
      return true;
    } catch (error) {
      causeOf(error);
      return false;
    }
  }

  #closeFile(): void {
    const file = this.#file;
    this.#file = undefined;
    try {
      file?.close();
    } catch (error) {
      causeOf(error);
    }
  }

  #rotate(): void {
    const { path } = this.#settings;
    const atNs = this.#doors.clock.nowNs();
    const backup = `${path}.${backupStamp(atNs, localZone(this.#doors.clock, atNs))}`;
    // The descriptor follows the renamed file, so it may stay open until the rename is known to have worked.
    try {
      this.#doors.disk.rename(path, backup);
    } catch (error) {
      this.#rotateAboveBytes *= 2;
      this.#append("error", `Unable to rename logfile for rotation (${causeOf(error)}), will attempt next rotation at size ${this.#rotateAboveBytes}`, "\n");
      return;
    }
    this.#closeFile();
    this.#rotateAboveBytes = this.#settings.sizeLimitBytes;
    if (!this.#tryOpen()) this.#complain(`Unable to re-open the logfile ${goQuote(path)} after rotation, logging here until it can be opened`);
    this.#append("info", `Rotated log, backup saved as "${backup}"`, "\r\n");
    this.#purge();
  }

  #purge(): void {
    if (this.#settings.maxFiles <= 0) return;
    const { folder, base } = splitPath(this.#settings.path);
    let names: string[];
    try {
      names = this.#doors.disk.list(folder).flatMap((entry) => (entry.isDirectory ? [] : [entry.name]));
    } catch (error) {
      this.#append("error", `Unable to read directory ${goQuote(folder)} for log purge (${causeOf(error)}), will attempt next rotation`, "\n");
      return;
    }
    for (const name of surplusBackups(names, base, Math.max(0, this.#settings.maxFiles - 1))) {
      try {
        this.#doors.disk.remove(`${folder}/${name}`);
        this.#append("info", `Purged log file "${name}"`, "\r\n");
      } catch (error) {
        this.#append("error", `Unable to remove backup log file ${goQuote(`${folder}/${name}`)} (${causeOf(error)}), will attempt next rotation`, "\n");
      }
    }
  }
}

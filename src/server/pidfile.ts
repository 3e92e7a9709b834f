/** The pid file: the decimal pid, no line end, readable by its owner only. It is overwritten at every start and never removed. */
import { type Disk, DiskError } from "../platform/index.ts";

/** Writes `pid` to `path`; returns the fatal text when that fails. */
export function writePidFile(disk: Pick<Disk, "writeFile">, path: string, pid: number): string | undefined {
  try {
    disk.writeFile(path, Buffer.from(String(pid)), 0o600);
    return undefined;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return `Could not write pidfile: ${error.message}`;
  }
}

/**
 * What Linux knows about a process: CPU time and resident memory, read from /proc.
 *
 * CPU time there counts in clock ticks (10 ms), which is a resolution of 1 % for a window of one second.
 */
import { readFileSync } from "node:fs";

/** USER_HZ: fixed at 100 in the kernel's interface to user space on every architecture that Bun runs on. */
const TICKS_PER_SECOND = 100;

/** User plus system CPU time, in seconds, of all threads of a process. Throws if the process is gone. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The second field is the command in parentheses and may hold spaces: count the fields from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory in bytes (VmRSS). Throws if the process is gone. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  if (match === null) throw new Error(`process ${pid} has no resident memory: it has ended`);
  return Number(match[1]) * 1024;
}

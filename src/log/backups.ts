/** The names of rotated log files: the log's own name, then the local time of its rotation, `n.log.2026.11.23.18.12.45.123456789`. */

/** The folder and the last part of a path. */
export function splitPath(path: string): { readonly folder: string; readonly base: string } {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return { folder: ".", base: path };
  return { folder: slash === 0 ? "/" : path.slice(0, slash), base: path.slice(slash + 1) };
}

/** Whether `suffix` is the time of a rotation: a date that exists, with a fraction of a second of any length, or none. */
function isRotationTime(suffix: string): boolean {
  const match = /^(\d{4})\.(\d\d)\.(\d\d)\.(\d\d)\.(\d\d)\.(\d\d)(?:[.,]\d+)?$/.exec(suffix);
  if (match === null) return false;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
}

/** The backups among `names` that are beyond the newest `keep`, oldest first. */
export function surplusBackups(names: readonly string[], base: string, keep: number): string[] {
  const backups = names.filter((name) => name.startsWith(`${base}.`) && isRotationTime(name.slice(base.length + 1))).sort();
  return backups.slice(0, Math.max(0, backups.length - keep));
}

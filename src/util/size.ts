/** Byte sizes as logs and reload lines show them: `512 B`, `1.00 GB`; powers of 1024 under their short names. */

const UNITS = ["KB", "MB", "GB", "TB", "PB", "EB"] as const;

/** Below 1024 (negative ones too) plain bytes, else two decimals of the largest unit that fits. */
export function formatSize(bytes: number | bigint): string {
  let value = Number(bytes);
  if (value < 1024) return `${bytes} B`;
  let unit = -1;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)} ${UNITS[unit]}`;
}

/** Timestamps as users see them: RFC 3339, UTC, up to nine digits of a second, trailing zeros removed. */

/** `ns` are nanoseconds since the Unix epoch. */
export function timestamp(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = String(ns % 1_000_000_000n).padStart(9, "0").replace(/0+$/, "");
  return fraction === "" ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

/** Timestamps as users see them: RFC 3339, UTC, up to nine digits of a second, trailing zeros removed. */

/** The second that was told last: most come in a row. */
let lastSeconds = Number.NaN;
let lastText = "";

/** `ns` are nanoseconds since the Unix epoch. */
export function timestamp(ns: bigint): string {
  return timestampOf(Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n));
}

/** As `timestamp`, of whole seconds and the nanoseconds since. */
export function timestampOf(seconds: number, nanos: number): string {
  if (seconds !== lastSeconds) {
    lastText = new Date(seconds * 1000).toISOString().slice(0, 19);
    lastSeconds = seconds;
  }
  if (nanos === 0) return `${lastText}Z`;
  let digits = 9;
  for (; nanos % 10 === 0; nanos /= 10) digits--;
  return `${lastText}.${String(nanos).padStart(digits, "0")}Z`;
}

/**
 * Byte strings. NATS subjects, sids and queue names are bytes, not text: inside the server they are JavaScript strings whose every character code is one
 * byte (latin1), so that any byte round-trips, comparing is comparing bytes, and no UTF-8 work happens per message. Text meets them only at the
 * edges (configuration in, monitoring and logs out), through the two functions here.
 */

/** The byte string of a text's UTF-8 form. */
export function toByteString(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 127) return Buffer.from(text, "utf8").latin1Slice();
  }
  return text;
}

/** The text that a byte string spells in UTF-8; invalid sequences become U+FFFD. */
export function fromByteString(bytes: string): string {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes.charCodeAt(i) > 127) return Buffer.from(bytes, "latin1").toString("utf8");
  }
  return bytes;
}

/** Below this a byte loop beats the call into `Buffer.copy` (measured: the call costs about 40 ns, a byte of the loop about 0.6 ns). */
const COPY_BY_LOOP_MAX = 64;

/** Copies `source[start, end)` to `target` at `at`; returns the place after the last byte. Both ranges must lie inside their arrays. */
export function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  if (end - start > COPY_BY_LOOP_MAX) {
    source.copy(target, at, start, end);
    return at + (end - start);
  }
  while (start < end) target[at++] = source[start++];
  return at;
}

/** Writes a byte string to `target` at `at`; returns the place after it. */
export function putByteString(text: string, target: Buffer, at: number): number {
  const length = text.length;
  if (length > COPY_BY_LOOP_MAX) return at + target.latin1Write(text, at);
  for (let i = 0; i < length; i++) target[at++] = text.charCodeAt(i);
  return at;
}

/** Writes a non-negative integer in decimal at `at`; returns the place after it. */
export function putDecimal(value: number, target: Buffer, at: number): number {
  const digits = decimalLength(value);
  let i = at + digits;
  do {
    const rest = Math.floor(value / 10);
    target[--i] = 48 + (value - rest * 10);
    value = rest;
  } while (value > 0);
  return at + digits;
}

/** Number of decimal digits of a non-negative integer. */
export function decimalLength(value: number): number {
  let digits = 1;
  while (value >= 10) {
    value = Math.floor(value / 10);
    digits++;
  }
  return digits;
}

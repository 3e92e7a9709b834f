/** Decimal integers in texts of clients, as far as 64 bits go. */

const WRITTEN = /^[+-]?\d+$/;
const MAX = 2n ** 63n - 1n;

/** Undefined for anything else. */
export function parseInteger(text: string): number | undefined {
  return isInteger(text) && isInRange(text) ? Number(text) : undefined;
}

export function isInteger(text: string): boolean {
  return WRITTEN.test(text);
}

export function isInRange(text: string): boolean {
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return value <= MAX && value >= -MAX - 1n;
}

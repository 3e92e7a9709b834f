/** Networks in CIDR notation, of either family. */

export interface Network {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly bits: number;
}

/** Undefined when it is not one. */
export function parseCidr(text: string): Network | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text.trim());
  const address = match === null ? undefined : parseAddress(match[1]);
  if (match === null || address === undefined) return undefined;
  const bits = Number(match[2]);
  return bits <= address.length * 8 ? { address, bits } : undefined;
}

/** Whether the address `text` is in the network. An IPv4 address written as IPv6 counts as the former; what is no address is in none. */
export function contains(network: Network, text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined || address.length !== network.address.length) return false;
  for (let bit = 0; bit < network.bits; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((address[bit >> 3] & mask) !== (network.address[bit >> 3] & mask)) return false;
  }
  return true;
}

/** 4 or 16 bytes; undefined when it is no address. */
export function parseAddress(text: string): Uint8Array | undefined {
  const plain = parseV4(text);
  if (plain !== undefined) return plain;
  const wide = parseV6(text);
  if (wide === undefined) return undefined;
  const isMapped = wide.subarray(0, 10).every((byte) => byte === 0) && wide[10] === 0xff && wide[11] === 0xff;
  return isMapped ? wide.subarray(12) : wide;
}

function parseV4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseV6(text: string): Uint8Array | undefined {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const v4 = tail === null ? undefined : parseV4(tail[2]);
  if (tail !== null && v4 === undefined) return undefined;
  const written = tail === null || v4 === undefined ? text : `${tail[1]}${((v4[0] << 8) | v4[1]).toString(16)}:${((v4[2] << 8) | v4[3]).toString(16)}`;
  const halves = written.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const count = groups.reduce((sum, half) => sum + half.length, 0);
  if (halves.length === 1 ? count !== 8 : count > 7) return undefined;
  const [head, rest = []] = groups;
  const all = [...head, ...new Array<string>(8 - count).fill("0"), ...rest];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return Uint8Array.from(all.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]));
}

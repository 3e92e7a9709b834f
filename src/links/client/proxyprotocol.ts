/**
 * The PROXY protocol header, versions 1 and 2, that a load balancer puts in front of a connection to say who is behind it. A pure parser: bytes in, verdict
 * out. Source: proxy-protocol.txt of HAProxy; spec: client protocol, section 13.
 */

export type ProxyVerdict =
  /** The bytes so far could still be a header. */
  | { readonly kind: "incomplete" }
  /** No header: all bytes are the client's. */
  | { readonly kind: "absent" }
  | { readonly kind: "malformed"; readonly detail: string }
  /** A whole header of `length` bytes; `source` undefined keeps the socket's own address. */
  | { readonly kind: "header"; readonly length: number; readonly source: { readonly address: string; readonly port: number } | undefined };

/** Bytes needed to tell whether there is a header at all. */
export const PROXY_DETECT_BYTES = 6;
/** Longest version 1 line with its CR LF. */
const V1_BYTES_MAX = 107;
const V1_START = Buffer.from("PROXY ");
const V2_SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const V2_HEAD_BYTES = 16;

const INCOMPLETE: ProxyVerdict = { kind: "incomplete" };

/** Judges what arrived so far. */
export function parseProxyHeader(bytes: Buffer): ProxyVerdict {
  if (bytes.length < PROXY_DETECT_BYTES) return INCOMPLETE;
  if (bytes.subarray(0, PROXY_DETECT_BYTES).equals(V1_START)) return parseVersion1(bytes);
  if (bytes.subarray(0, PROXY_DETECT_BYTES).equals(V2_SIGNATURE.subarray(0, PROXY_DETECT_BYTES))) return parseVersion2(bytes);
  return { kind: "absent" };
}

function malformed(detail: string): ProxyVerdict {
  return { kind: "malformed", detail };
}

function parseVersion1(bytes: Buffer): ProxyVerdict {
  const lineFeed = bytes.subarray(0, V1_BYTES_MAX).indexOf(10);
  if (lineFeed === -1) return bytes.length >= V1_BYTES_MAX ? malformed("line too long") : INCOMPLETE;
  if (bytes[lineFeed - 1] !== 13) return malformed("line does not end in CR LF");
  const fields = bytes.toString("latin1", V1_START.length, lineFeed - 1).split(" ");
  const length = lineFeed + 1;
  if (fields[0] === "UNKNOWN") return { kind: "header", length, source: undefined };
  if (fields.length !== 5 || (fields[0] !== "TCP4" && fields[0] !== "TCP6")) return malformed("unknown form");
  const isAddress = fields[0] === "TCP4" ? isIPv4 : isIPv6;
  if (!isAddress(fields[1]) || !isAddress(fields[2])) return malformed("bad address");
  const port = parsePort(fields[3]);
  if (port === undefined || parsePort(fields[4]) === undefined) return malformed("bad port");
  return { kind: "header", length, source: { address: fields[1], port } };
}

function parseVersion2(bytes: Buffer): ProxyVerdict {
  const known = Math.min(bytes.length, V2_SIGNATURE.length);
  if (!bytes.subarray(0, known).equals(V2_SIGNATURE.subarray(0, known))) return malformed("bad signature");
  if (bytes.length < V2_HEAD_BYTES) return INCOMPLETE;
  const version = bytes[12] >> 4;
  const command = bytes[12] & 15;
  if (version !== 2) return malformed("bad version");
  if (command > 1) return malformed("bad command");
  const length = V2_HEAD_BYTES + bytes.readUInt16BE(14);
  if (bytes.length < length) return INCOMPLETE;
  const family = bytes[13] >> 4;
  const transport = bytes[13] & 15;
  if (command === 0 || family === 0) return { kind: "header", length, source: undefined };
  if (transport !== 1) return malformed("not a stream");
  const body = bytes.subarray(V2_HEAD_BYTES, length);
  if (family === 1 && body.length >= 12) return { kind: "header", length, source: { address: body.subarray(0, 4).join("."), port: body.readUInt16BE(8) } };
  if (family === 2 && body.length >= 36) return { kind: "header", length, source: { address: formatIPv6(body.subarray(0, 16)), port: body.readUInt16BE(32) } };
  return malformed("bad address");
}

function isIPv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIPv6(text: string): boolean {
  if (!text.includes(":")) return false;
  try {
    return new URL(`http://[${text}]/`).hostname !== "";
  } catch {
    return false;
  }
}

function parsePort(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined;
}

/** RFC 5952 text; an IPv4-mapped address as IPv4. */
function formatIPv6(bytes: Buffer): string {
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (mapped) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(":");
  return new URL(`http://[${groups}]/`).hostname.slice(1, -1);
}

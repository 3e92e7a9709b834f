/**
 * The PROXY protocol header, versions 1 and 2, that a load balancer puts in front of a connection to say who is behind it. A pure parser: bytes in, verdict
 * out. Source: proxy-protocol.txt of HAProxy; spec: client protocol, section 13. Texts are those of the reference's log.
 */
import { goQuote } from "../../util/quote.ts";

export type ProxyVerdict =
  /** The bytes so far could still be a header; `wanted` is what cannot be read yet, `partial` whether some of that is here. */
  | { readonly kind: "incomplete"; readonly wanted: string; readonly partial: boolean }
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
const PORT_MAX = 65_535n;

/** Judges what arrived so far. */
export function parseProxyHeader(bytes: Buffer): ProxyVerdict {
  if (bytes.length < PROXY_DETECT_BYTES) return incomplete("read protocol version", bytes.length > 0);
  const start = bytes.subarray(0, PROXY_DETECT_BYTES);
  if (start.equals(V1_START)) return parseVersion1(bytes);
  if (start.equals(V2_SIGNATURE.subarray(0, PROXY_DETECT_BYTES))) return parseVersion2(bytes);
  return { kind: "absent" };
}

function incomplete(wanted: string, partial: boolean): ProxyVerdict {
  return { kind: "incomplete", wanted, partial };
}

function malformed(detail: string): ProxyVerdict {
  return { kind: "malformed", detail };
}

function invalid(detail: string): ProxyVerdict {
  return malformed(`invalid PROXY protocol header: ${detail}`);
}

function parseVersion1(bytes: Buffer): ProxyVerdict {
  const lineFeed = bytes.subarray(0, V1_BYTES_MAX).indexOf(10);
  if (lineFeed === -1) return bytes.length >= V1_BYTES_MAX ? invalid("v1 line too long") : incomplete("read v1 line", false);
  if (bytes[lineFeed - 1] !== 13) return invalid("invalid v1 format");
  const fields = bytes.toString("latin1", V1_START.length, lineFeed).split(/[ \t\r\v\f]+/).filter((field) => field !== "");
  const length = lineFeed + 1;
  if (fields[0] === "UNKNOWN") return { kind: "header", length, source: undefined };
  if (fields.length !== 5) return invalid("invalid v1 format");
  const [family, source, destination, sourcePort, destinationPort] = fields;
  if (addressFamily(source) === undefined || addressFamily(destination) === undefined) return invalid("invalid address");
  const fault = portFault("source", sourcePort) ?? portFault("dest", destinationPort);
  if (fault !== undefined) return malformed(fault);
  // An IPv4-mapped address counts by its text here.
  if (family === "TCP4") {
    if (source.includes(":") || destination.includes(":")) return invalid("TCP4 with IPv6 address");
  } else if (family === "TCP6") {
    if (!source.includes(":") || !destination.includes(":")) return invalid("TCP6 with IPv4 address");
  } else return invalid(`invalid protocol ${family}`);
  return { kind: "header", length, source: { address: canonicalAddress(source), port: Number(sourcePort) } };
}

function parseVersion2(bytes: Buffer): ProxyVerdict {
  const known = Math.min(bytes.length, V2_SIGNATURE.length);
  if (known < V2_SIGNATURE.length) return incomplete("read v2 signature", true);
  if (!bytes.subarray(0, known).equals(V2_SIGNATURE)) return invalid("invalid signature");
  if (bytes.length < V2_HEAD_BYTES) return incomplete("read v2 header", bytes.length > V2_SIGNATURE.length);
  const version = bytes[12] & 0xf0;
  const command = bytes[12] & 15;
  if (version !== 0x20) return invalid(`invalid version ${hexByte(version)}`);
  const family = bytes[13] & 0xf0;
  const addressBytes = bytes.readUInt16BE(14);
  const length = V2_HEAD_BYTES + addressBytes;
  const isWhole = bytes.length >= length;
  const partial = bytes.length > V2_HEAD_BYTES;
  if (command === 0) return isWhole ? { kind: "header", length, source: undefined } : incomplete("discard LOCAL command address data", false);
  if (command !== 1) return malformed(`unknown PROXY protocol command: ${hexByte(command)}`);
  if ((bytes[13] & 15) !== 1) return malformed("unsupported PROXY protocol feature: only STREAM protocol supported");
  switch (family) {
    case 0:
      return isWhole ? { kind: "header", length, source: undefined } : incomplete("discard UNSPEC address address data", false);
    case 0x10:
      if (addressBytes < 12) return malformed(`IPv4 address data too short: ${addressBytes} bytes`);
      if (!isWhole) return incomplete("read IPv4 address data", partial);
      return { kind: "header", length, source: { address: bytes.subarray(16, 20).join("."), port: bytes.readUInt16BE(24) } };
    case 0x20:
      if (addressBytes < 36) return malformed(`IPv6 address data too short: ${addressBytes} bytes`);
      if (!isWhole) return incomplete("read IPv6 address data", partial);
      return { kind: "header", length, source: { address: formatIPv6(bytes.subarray(16, 32)), port: bytes.readUInt16BE(48) } };
    default:
      return malformed(`unsupported PROXY protocol feature: unsupported address family ${hexByte(family)}`);
  }
}

function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

/** What a text address is; undefined when it is none. */
function addressFamily(text: string): 4 | 6 | undefined {
  if (!text.includes(":")) return isIPv4(text) ? 4 : undefined;
  return ipv6Groups(text) === undefined ? undefined : 6;
}

function isIPv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** Hostname of a URL with this address, which is its canonical form; undefined when it is not an IPv6 address. */
function ipv6Groups(text: string): string | undefined {
  if (!/^[0-9A-Fa-f:.]+$/.test(text)) return undefined;
  return URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1);
}

function portFault(which: "source" | "dest", text: string): string | undefined {
  const why = !/^\d+$/.test(text) ? "invalid syntax" : BigInt(text) > PORT_MAX ? "value out of range" : undefined;
  return why === undefined ? undefined : `invalid ${which} port: strconv.ParseUint: parsing ${goQuote(text)}: ${why}`;
}

/** As addresses are printed: RFC 5952, an IPv4-mapped one as IPv4. */
function canonicalAddress(text: string): string {
  const canonical = text.includes(":") ? ipv6Groups(text) : undefined;
  if (canonical === undefined) return text;
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped === null) return canonical;
  const high = Number.parseInt(mapped[1], 16);
  const low = Number.parseInt(mapped[2], 16);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

function formatIPv6(bytes: Buffer): string {
  return canonicalAddress(Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(":"));
}

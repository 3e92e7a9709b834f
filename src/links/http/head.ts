/**
 * HTTP/1.1 request heads: bytes in, a head or "need more" or a refusal out. Pure, and strict about what it does not understand. Used by monitoring and by the
 * WebSocket upgrade. RFC 9112.
 */

/** A longer head is refused. */
export const HEAD_BYTES_MAX = 1024 * 1024;

export interface RequestHead {
  readonly method: string;
  /** As sent: path and query. */
  readonly target: string;
  /** `1.0` or `1.1`. */
  readonly version: string;
  /** In order; names as sent. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  /** Bytes of the head with its empty line. */
  readonly length: number;
}

export type HeadVerdict = { readonly kind: "incomplete" } | { readonly kind: "malformed"; readonly status: number; readonly detail: string } | { readonly kind: "head"; readonly head: RequestHead };

const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const HOST = /^[A-Za-z0-9!$%&'()*+,\-.:;=@[\]_~]*$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const OTHER_VERSION = /^[^ ]+ [^ ]+ HTTP\/\d\.\d$/;
const REQUEST_LINE = /^([^ ]+) ([^ ]+) HTTP\/(1\.[01])$/;

/** Where the empty line that ends a head ends; -1 when it is not here. Lines may end in LF alone. `from` skips what was searched before. */
export function headEnd(bytes: Buffer, from = 0): number {
  for (let at = bytes.indexOf(10, from); at !== -1; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return -1;
}

/** Parses the head at the start of `bytes`. */
export function parseRequestHead(bytes: Buffer): HeadVerdict {
  const lineEnd = bytes.indexOf(10);
  if (lineEnd === -1) return bytes.length > HEAD_BYTES_MAX ? malformed(400) : INCOMPLETE;
  const firstLine = withoutReturn(bytes.latin1Slice(0, lineEnd));
  const line = REQUEST_LINE.exec(firstLine);
  if (line === null || !TOKEN.test(line[1])) return OTHER_VERSION.test(firstLine) ? malformed(505, "unsupported protocol version") : malformed(400);
  const end = headEnd(bytes, lineEnd);
  if (end === -1 ? bytes.length > HEAD_BYTES_MAX : end > HEAD_BYTES_MAX) return malformed(431);
  if (end === -1) return INCOMPLETE;
  const headers: { name: string; value: string }[] = [];
  for (const row of bytes.latin1Slice(lineEnd + 1, end).split("\n")) {
    const field = withoutReturn(row);
    if (field === "") continue;
    const colon = field.indexOf(":");
    const name = field.slice(0, colon);
    if (colon <= 0) return malformed(400);
    if (!TOKEN.test(name)) return malformed(400, "invalid header name");
    if (CONTROL.test(field)) return malformed(400);
    headers.push({ name, value: field.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "") });
  }
  const head = { method: line[1], target: line[2], version: line[3], headers, length: end };
  return { kind: "head", head };
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/** How a request with a wrong Host header is refused: there must be one, and it must look like a host. RFC 9112, section 3.2. */
export function hostFault(head: RequestHead): { readonly status: number; readonly detail: string } | undefined {
  const hosts = headerValues(head, "host");
  if (hosts.length > 1) return { status: 400, detail: "" };
  if (hosts.length === 0) return head.version === "1.1" ? { status: 400, detail: "missing required Host header" } : undefined;
  return HOST.test(hosts[0]) ? undefined : { status: 400, detail: "malformed Host header" };
}

/** All values of a header, in order; names are compared without regard to case. */
export function headerValues(head: RequestHead, name: string): readonly string[] {
  const wanted = name.toLowerCase();
  return head.headers.filter((header) => header.name.toLowerCase() === wanted).map((header) => header.value);
}

/** Whether some value of a header, split at commas, is `token` (without regard to case). */
export function hasToken(head: RequestHead, name: string, token: string): boolean {
  return headerValues(head, name).some((value) => value.split(",").some((part) => part.trim().toLowerCase() === token));
}

const INCOMPLETE: HeadVerdict = { kind: "incomplete" };

function malformed(status: number, detail = ""): HeadVerdict {
  return { kind: "malformed", status, detail };
}

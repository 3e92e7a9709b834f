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

export type HeadVerdict = { readonly kind: "incomplete" } | { readonly kind: "malformed"; readonly status: number } | { readonly kind: "head"; readonly head: RequestHead };

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const OTHER_VERSION = /^[^ ]+ [^ ]+ HTTP\/\d\.\d$/;
const REQUEST_LINE = /^([^ ]+) ([^ ]+) HTTP\/(1\.[01])$/;

/** Parses the head at the start of `bytes`. */
export function parseRequestHead(bytes: Buffer): HeadVerdict {
  const lineEnd = bytes.indexOf("\r\n");
  if (lineEnd === -1) return bytes.length > HEAD_BYTES_MAX || bytes.includes(10) ? malformed(400) : INCOMPLETE;
  const line = REQUEST_LINE.exec(bytes.latin1Slice(0, lineEnd));
  if (line === null || !TOKEN.test(line[1])) return malformed(OTHER_VERSION.test(bytes.latin1Slice(0, lineEnd)) ? 505 : 400);
  const end = bytes.indexOf("\r\n\r\n", Math.max(0, lineEnd));
  if (end === -1) return bytes.length > HEAD_BYTES_MAX ? malformed(431) : INCOMPLETE;
  if (end > HEAD_BYTES_MAX) return malformed(431);
  const headers: { name: string; value: string }[] = [];
  for (const field of end === lineEnd ? [] : bytes.latin1Slice(lineEnd + 2, end).split("\r\n")) {
    const colon = field.indexOf(":");
    const name = field.slice(0, colon);
    if (colon <= 0 || !TOKEN.test(name)) return malformed(400);
    headers.push({ name, value: field.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "") });
  }
  return { kind: "head", head: { method: line[1], target: line[2], version: line[3], headers, length: end + 4 } };
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

function malformed(status: number): HeadVerdict {
  return { kind: "malformed", status };
}

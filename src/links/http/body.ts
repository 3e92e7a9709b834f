/**
 * Request bodies that nobody reads: how many bytes to skip before the next request. A state machine over byte ranges, so that a body of any size needs no
 * memory; it gives up on bodies longer than `BODY_BYTES_MAX`, whose connection is better closed than drained. RFC 9112, sections 6 and 7.
 */
import { hasToken, headerValues, type RequestHead } from "./head.ts";

/** A longer body ends the connection after the answer. */
export const BODY_BYTES_MAX = 256 * 1024;
/** A chunk's size line, and a trailer, may be so long. */
const LINE_BYTES_MAX = 4096;

export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  /** Refused with this status. */
  | { readonly kind: "invalid"; readonly status: 400 | 501 };

/** How the body of a request is delimited. */
export function bodyFraming(head: RequestHead): BodyFraming {
  const encodings = headerValues(head, "transfer-encoding");
  if (encodings.length > 0) return encodings.length === 1 && hasToken(head, "transfer-encoding", "chunked") && !encodings[0].includes(",") ? { kind: "chunked" } : { kind: "invalid", status: 501 };
  const lengths = new Set(headerValues(head, "content-length"));
  if (lengths.size === 0) return { kind: "none" };
  const [length] = lengths;
  if (lengths.size > 1 || length === undefined || !/^\d{1,15}$/.test(length)) return { kind: "invalid", status: 400 };
  return Number(length) === 0 ? { kind: "none" } : { kind: "length", bytes: Number(length) };
}

/** Skips one body. */
export class BodySkipper {
  /** Bytes of data still to skip before the next line (chunked) or the end. */
  #remaining: number;
  #state: "data" | "size" | "data-end" | "trailer" | "done" | "malformed";
  #skipped = 0;

  constructor(private readonly framing: Extract<BodyFraming, { kind: "length" | "chunked" }>) {
    this.#remaining = framing.kind === "length" ? framing.bytes : 0;
    this.#state = framing.kind === "length" ? "data" : "size";
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /** The body is malformed or too long: nothing behind it can be read. */
  get hopeless(): boolean {
    return this.#state === "malformed" || this.#skipped > BODY_BYTES_MAX || this.#remaining > BODY_BYTES_MAX;
  }

  /** Skips what `bytes` hold of the body; returns how many that are. An incomplete line is not skipped: it is offered again with what follows. */
  skip(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done" && !this.hopeless) {
      if (this.#state === "data") {
        const taken = Math.min(this.#remaining, bytes.length - at);
        at += taken;
        this.#remaining -= taken;
        this.#skipped += taken;
        if (this.#remaining === 0) this.#state = this.framing.kind === "length" ? "done" : "data-end";
        continue;
      }
      const end = bytes.indexOf("\r\n", at, "latin1");
      if (end === -1) {
        if (bytes.length - at > LINE_BYTES_MAX) this.#state = "malformed";
        break;
      }
      this.#line(bytes.latin1Slice(at, end));
      this.#skipped += end + 2 - at;
      at = end + 2;
    }
    return at;
  }

  #line(line: string): void {
    if (this.#state === "trailer") {
      if (line === "") this.#state = "done";
      return;
    }
    if (this.#state === "data-end") {
      this.#state = line === "" ? "size" : "malformed";
      return;
    }
    const size = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?$/.exec(line);
    if (size === null) {
      this.#state = "malformed";
      return;
    }
    this.#remaining = Number.parseInt(size[1], 16);
    this.#state = this.#remaining === 0 ? "trailer" : "data";
  }
}

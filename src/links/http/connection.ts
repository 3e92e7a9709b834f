/**
 * One HTTP/1.1 connection of a server: TLS where it is wanted, then requests, one at a time, each answered by the handler before the next is looked at. So
 * pipelined requests are answered in order, and a peer that sends faster than it reads is held back by the transport. Never more than one head and one
 * answer are in memory. Texts of refusals are those of Go's server, which users of the reference know.
 */
import type { Clock, Stream, StreamError, StreamHandler, Timer, TlsServerContext } from "../../platform/index.ts";
import { type BodyFraming, bodyFraming, BodySkipper } from "./body.ts";
import { hasToken, hostFault, parseRequestHead, type RequestHead } from "./head.ts";
import { NOT_TLS_RESPONSE, refusal } from "./refusal.ts";
import { parseTarget, type RequestTarget } from "./target.ts";

export interface HttpRequest extends RequestTarget {
  readonly method: string;
}

export interface HttpResponse {
  readonly status: number;
  /** Besides `Date`, `Content-Length` and `Connection`, which the connection adds. */
  readonly headers: Readonly<Record<string, string>>;
  /** Text is sent as UTF-8. */
  readonly body: string;
}

export interface HttpSettings {
  readonly clock: Clock;
  /** Undefined: plain. Asked for each connection, so that certificates can be replaced. */
  readonly tls: () => TlsServerContext | undefined;
  /** Must not throw. */
  readonly handle: (request: HttpRequest) => HttpResponse;
  /** A handshake that failed; `peer` is its address, `cause` in the reference's words. */
  readonly onTlsError: (peer: string, cause: string) => void;
  /** Called once when the connection is gone. */
  readonly onClosed: (connection: HttpConnection) => void;
}

const TLS_HANDSHAKE_BYTE = 0x16;
/** Time for a TLS handshake, and for a whole request head from its first byte. */
const HEAD_TIMEOUT_MS = 5000;
/** A connection without a request, or whose peer takes nothing of an answer, is closed after so long. */
const IDLE_TIMEOUT_MS = 5 * 60_000;
const WRITE_TIMEOUT_MS = 60_000;
/** Bytes that wait behind an unanswered request before the peer is held back. */
const BEHIND_BYTES_MAX = 64 * 1024;

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: "OK",
  301: "Moved Permanently",
  400: "Bad Request",
  404: "Not Found",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

export class HttpConnection implements StreamHandler {
  #stream: Stream;
  #input: Buffer = Buffer.alloc(0);
  #output: Buffer = Buffer.alloc(0);
  #skipper: BodySkipper | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #securing: "no" | "first-byte" | "handshake" = "no";
  /** A head has begun to arrive, or its first byte is awaited for the first time. */
  #headPending = true;
  #lastAnswer = false;
  #paused = false;
  #closed = false;

  constructor(
    stream: Stream,
    private readonly settings: HttpSettings,
  ) {
    this.#stream = stream;
    stream.handler = this;
    if (settings.tls() !== undefined) this.#securing = "first-byte";
    this.#limit(HEAD_TIMEOUT_MS);
  }

  /** Closes at once. */
  terminate(): void {
    this.#stream.terminate();
  }

  onData(bytes: Buffer): void {
    if (this.#closed || this.#lastAnswer) return;
    this.#input = this.#input.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#input, bytes]);
    if (this.#securing === "first-byte") return this.#secure();
    this.#proceed();
  }

  onDrain(): void {
    if (this.#closed || this.#output.length === 0) return;
    this.#limit(WRITE_TIMEOUT_MS);
    this.#write();
    if (this.#output.length === 0) this.#proceed();
  }

  onClose(_error: StreamError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#input = this.#output = Buffer.alloc(0);
    this.settings.onClosed(this);
  }

  // TLS

  get #peer(): string {
    const { remoteAddress, remotePort } = this.#stream;
    return remoteAddress.includes(":") ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
  }

  #secure(): void {
    const context = this.settings.tls();
    const peer = this.#peer;
    const initial = this.#input;
    if (context === undefined || initial[0] !== TLS_HANDSHAKE_BYTE) {
      const isHttp = /^[A-Z]+ /.test(initial.latin1Slice(0, 16));
      this.settings.onTlsError(peer, isHttp ? "client sent an HTTP request to an HTTPS server" : "tls: first record does not look like a TLS handshake");
      if (!isHttp) return this.terminate();
      return this.#send(NOT_TLS_RESPONSE, true);
    }
    this.#input = Buffer.alloc(0);
    this.#securing = "handshake";
    const secured = this.#stream.upgradeTls(context, initial, (result) => {
      if (!result.ok) return this.settings.onTlsError(peer, result.cause);
      this.#securing = "no";
      this.#limit(HEAD_TIMEOUT_MS);
    });
    this.#stream = secured;
    secured.handler = this;
  }

  // Requests

  /** Answers requests as long as whole ones are there and the peer takes the answers. */
  #proceed(): void {
    while (!this.#closed && !this.#lastAnswer && this.#output.length === 0 && this.#skipBody() && this.#nextRequest());
    if (this.#closed || this.#lastAnswer) return;
    this.#holdBack(this.#output.length > 0 && this.#input.length > BEHIND_BYTES_MAX);
  }

  /** False while the body of the last request is not over. */
  #skipBody(): boolean {
    const skipper = this.#skipper;
    if (skipper === undefined) return true;
    this.#input = this.#input.subarray(skipper.skip(this.#input));
    if (skipper.hopeless) {
      this.#lastAnswer = true;
      this.#stream.end();
      return false;
    }
    if (skipper.done) this.#skipper = undefined;
    return skipper.done;
  }

  #nextRequest(): boolean {
    if (this.#input.length === 0) return false;
    if (!this.#headPending) {
      this.#headPending = true;
      this.#limit(HEAD_TIMEOUT_MS);
    }
    const verdict = parseRequestHead(this.#input);
    if (verdict.kind === "incomplete") return false;
    if (verdict.kind === "malformed") return this.#refuse(verdict.status, verdict.detail);
    this.#input = this.#input.subarray(verdict.head.length);
    this.#headPending = false;
    this.#limit(IDLE_TIMEOUT_MS);
    return this.#answer(verdict.head);
  }

  #answer(head: RequestHead): boolean {
    const fault = hostFault(head);
    if (fault !== undefined) return this.#refuse(fault.status, fault.detail);
    const framing = bodyFraming(head);
    if (framing.kind === "invalid") return this.#refuse(framing.status);
    const target = parseTarget(head.target);
    if (target === undefined && head.method !== "CONNECT") return this.#refuse(400);
    const request = { method: head.method, ...(target ?? { path: "", parameters: new Map<string, string>() }) };
    this.#respond(head, framing, this.settings.handle(request));
    return true;
  }

  #respond(head: RequestHead, framing: BodyFraming, response: HttpResponse): void {
    const awaitsContinue = framing.kind !== "none" && hasToken(head, "expect", "100-continue");
    const isOver = !keepsAlive(head) || awaitsContinue || head.method === "CONNECT";
    if (framing.kind === "length" || framing.kind === "chunked") this.#skipper = new BodySkipper(framing);
    const body = Buffer.from(response.body, "utf8");
    const lines = [`HTTP/${head.version} ${response.status} ${STATUS_TEXT[response.status] ?? ""}`];
    for (const [name, value] of Object.entries(response.headers)) lines.push(`${name}: ${value}`);
    lines.push(`Date: ${new Date(this.settings.clock.nowMs()).toUTCString()}`, `Content-Length: ${body.length}`);
    if (isOver && head.version === "1.1") lines.push("Connection: close");
    if (!isOver && head.version === "1.0") lines.push("Connection: keep-alive");
    const start = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    this.#send(head.method === "HEAD" ? start : Buffer.concat([start, body]), isOver);
  }

  /** Answers what cannot be answered otherwise, and closes. */
  #refuse(status: number, detail = ""): false {
    this.#send(refusal(status, detail), true);
    return false;
  }

  // Output

  #send(answer: string | Buffer, isLast: boolean): void {
    this.#lastAnswer = isLast;
    this.#output = typeof answer === "string" ? Buffer.from(answer, "latin1") : answer;
    this.#write();
    if (this.#output.length > 0) this.#limit(WRITE_TIMEOUT_MS);
  }

  #write(): void {
    const taken = this.#stream.write(this.#output, 0, this.#output.length);
    this.#output = this.#output.subarray(taken);
    if (this.#output.length > 0 || !this.#lastAnswer) return;
    this.#stream.end();
    this.#limit(HEAD_TIMEOUT_MS);
  }

  #holdBack(wanted: boolean): void {
    if (wanted === this.#paused) return;
    this.#paused = wanted;
    if (wanted) this.#stream.pause();
    else this.#stream.resume();
  }

  /** The connection is closed unless this is called again within `ms`. */
  #limit(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.settings.clock.after(ms, () => this.#stream.terminate());
  }
}

function keepsAlive(head: RequestHead): boolean {
  if (hasToken(head, "connection", "close")) return false;
  return head.version === "1.1" || hasToken(head, "connection", "keep-alive");
}

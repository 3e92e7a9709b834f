/**
 * From an accepted socket on the WebSocket listener to a client connection: TLS where configured, HTTP requests until one upgrades, then frames. The whole
 * of it is bounded by `handshake_timeout`. Spec: WebSocket, section 2.
 */
import type { Stream, StreamError, StreamHandler, Timer, TlsStream } from "../../platform/index.ts";
import { ClientLink } from "../client/client.ts";
import { RECORD_HEADER_BYTES } from "../clienthello.ts";
import { type HandshakeFailure, type HandshakeWaiter, ServerHandshake } from "../handshake.ts";
import type { LinkHost } from "../host.ts";
import { BodySkipper, bodyFraming, HEAD_BYTES_MAX, headEnd, headerValues, hostFault, NOT_TLS_RESPONSE, parseRequestHead, parseTarget, refusal, type RequestHead } from "../http/index.ts";
import { WebsocketStream } from "./stream.ts";
import { judgeUpgrade, refusalResponse, type UpgradeVerdict } from "./upgrade.ts";

/** Beginnings of plain HTTP requests, as long as a TLS record's header. */
const HTTP_BEGINNINGS = ["GET /", "HEAD ", "POST ", "PUT /", "OPTIO"];
/** Longest end of a head, less one: a search for it begins so far back. */
const HEAD_END_BYTES = 3;

export function acceptWebsocket(host: LinkHost, stream: Stream): void {
  new WebsocketAcceptance(host, stream).start();
}

class WebsocketAcceptance implements StreamHandler, HandshakeWaiter {
  #stream: Stream;
  /** Bytes of a request head, in `[0, #length)`; grows by doubling. */
  #gathered = Buffer.alloc(0);
  #length = 0;
  #timer: Timer | undefined = undefined;
  #skipper: BodySkipper | undefined = undefined;
  #closed = false;
  readonly #remote: string;

  constructor(
    private readonly host: LinkHost,
    stream: Stream,
  ) {
    this.#stream = stream;
    this.#remote = `${stream.remoteAddress.includes(":") ? `[${stream.remoteAddress}]` : stream.remoteAddress}:${stream.remotePort}`;
    stream.handler = this;
  }

  start(): void {
    const { websocket, websocketTls } = this.host.accepting;
    if (websocketTls !== undefined) return new ServerHandshake(this.host.clock, this.#stream, websocketTls, Buffer.alloc(0), this).start(websocket.handshakeTimeoutMs);
    this.#limitRequests();
  }

  onData(bytes: Buffer): void {
    if (this.#closed) return;
    const isFirstLine = this.#gathered.subarray(0, this.#length).indexOf(10) === -1;
    const searchFrom = Math.max(0, this.#length - HEAD_END_BYTES);
    this.#gather(bytes);
    // A head is parsed when its first line is here, which may be refused at once, and when it is whole: not for every byte of it.
    const mayBeParsed = this.#skipper !== undefined || isFirstLine || this.#length > HEAD_BYTES_MAX || headEnd(this.#held, searchFrom) !== -1;
    if (mayBeParsed) this.#requests();
  }

  onDrain(): void {}

  onClose(_error: StreamError | undefined): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#drop(this.#length);
  }

  get #held(): Buffer {
    return this.#gathered.subarray(0, this.#length);
  }

  #gather(bytes: Buffer): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#gathered.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#gathered.length));
      this.#gathered.copy(grown, 0, 0, this.#length);
      this.#gathered = grown;
    }
    bytes.copy(this.#gathered, this.#length);
    this.#length = needed;
  }

  #drop(count: number): void {
    this.#gathered = Buffer.from(this.#gathered.subarray(count, this.#length));
    this.#length = this.#gathered.length;
  }

  /** From now on requests are waited for, together not longer than `handshake_timeout`. */
  #limitRequests(): void {
    const { handshakeTimeoutMs } = this.host.accepting.websocket;
    if (handshakeTimeoutMs > 0) this.#timer = this.host.clock.after(handshakeTimeoutMs, () => this.#stream.terminate());
  }

  // TLS

  onUpgraded(stream: TlsStream): void {
    this.#stream = stream;
  }

  onSecured(stream: TlsStream): void {
    stream.handler = this;
    this.#limitRequests();
  }

  onFailed(failure: HandshakeFailure, firstBytes: Buffer): void {
    this.#closed = true;
    const isHttp = failure.kind === "not-tls" && HTTP_BEGINNINGS.includes(firstBytes.latin1Slice(0, RECORD_HEADER_BYTES));
    const cause = isHttp ? "client sent an HTTP request to an HTTPS server" : failure.cause;
    this.host.log.error(`websocket: TLS handshake error from ${this.#remote}: ${cause}`);
    if (isHttp) this.#answer(NOT_TLS_RESPONSE);
  }

  // HTTP

  /** Answers requests in order until one upgrades. */
  #requests(): void {
    while (this.#length > 0 && !this.#closed) {
      if (this.#skipper !== undefined && !this.#skipBody(this.#skipper)) return;
      const verdict = parseRequestHead(this.#held);
      if (verdict.kind === "incomplete") return;
      if (verdict.kind === "malformed") return this.#answerAndClose(refusal(verdict.status, verdict.detail));
      const { head } = verdict;
      const fault = hostFault(head) ?? (parseTarget(head.target) === undefined ? { status: 400, detail: "" } : undefined);
      if (fault !== undefined) return this.#answerAndClose(refusal(fault.status, fault.detail));
      const framing = bodyFraming(head);
      if (framing.kind === "invalid") return this.#answerAndClose(refusal(framing.status));
      this.#drop(head.length);
      const { websocket, websocketTls } = this.host.accepting;
      const judged = judgeUpgrade(head, { options: websocket, isTls: websocketTls !== undefined, hasMqtt: false });
      if (judged.kind === "accepted") return this.#upgrade(judged);
      this.#refuse(head, judged);
      if (framing.kind !== "none") this.#skipper = new BodySkipper(framing);
    }
  }

  #refuse(head: RequestHead, refused: Extract<UpgradeVerdict, { kind: "refused" }>): void {
    this.host.log.error(`${this.#remote} - websocket handshake error: ${refused.detail}`);
    const closes = closesAfter(head);
    this.#answer(refusalResponse(refused.status, head.version, this.host.clock.nowMs(), closes));
    if (closes) this.#close();
  }

  /** False while the body of the last request is not over. */
  #skipBody(skipper: BodySkipper): boolean {
    this.#drop(skipper.skip(this.#held));
    if (skipper.hopeless) this.#close();
    if (!skipper.done) return false;
    this.#skipper = undefined;
    return this.#length > 0;
  }

  #upgrade(accepted: Extract<UpgradeVerdict, { kind: "accepted" }>): void {
    if (this.#length > 0) {
      this.#closed = true;
      this.host.log.error(`${this.#remote} - websocket handshake error: client sent data before handshake is complete`);
      return this.#stream.terminate();
    }
    this.#timer?.cancel();
    this.#answer(accepted.response);
    if (accepted.target !== "client") {
      this.host.log.error("Not configured to accept leaf node connections");
      return this.#stream.end();
    }
    const tls = "tls" in this.#stream ? (this.#stream as { readonly tls: ClientLink["tls"] }).tls : undefined;
    let link: ClientLink | undefined;
    const framed = new WebsocketStream(this.#stream, { ...accepted, maxPayload: () => link?.maxPayload ?? this.host.settings.maxPayload }, this.host.clock);
    link = new ClientLink(this.host, "websocket", framed);
    link.tls = tls;
    link.cookies = accepted.cookies;
    link.forwardedFor = accepted.forwardedFor;
    link.open();
    link.sendInitialInfo();
    if (link.refusedAsSurplus()) return;
    link.begin();
  }

  #answer(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    // An answer is a few hundred bytes on a fresh connection: a kernel that does not take them has no room for this client.
    if (this.#stream.write(bytes, 0, bytes.length) < bytes.length) this.#stream.terminate();
  }

  #answerAndClose(text: string): void {
    this.#answer(text);
    this.#close();
  }

  #close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#stream.end();
  }
}

function closesAfter(head: RequestHead): boolean {
  const wishes = headerValues(head, "connection").join(",").toLowerCase();
  return wishes.includes("close") || (head.version === "1.0" && !wishes.includes("keep-alive"));
}

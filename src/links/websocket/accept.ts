/**
 * From an accepted socket on the WebSocket listener to a client connection: TLS where configured, HTTP requests until one upgrades, then frames. The whole
 * of it is bounded by `handshake_timeout`. Spec: WebSocket, section 2.
 */
import type { Stream, StreamError, StreamHandler, Timer } from "../../platform/index.ts";
import { ClientLink } from "../client/client.ts";
import type { LinkHost, ListenerTls } from "../host.ts";
import { type HeadVerdict, headerValues, parseRequestHead, type RequestHead } from "../http/index.ts";
import { pinViolation } from "../pins.ts";
import { WebsocketStream } from "./stream.ts";
import { judgeUpgrade, NO_HOST_RESPONSE, NOT_HTTP_RESPONSE, NOT_TLS_RESPONSE, refusalResponse, type UpgradeVerdict } from "./upgrade.ts";

const TLS_HANDSHAKE_BYTE = 0x16;

export function acceptWebsocket(host: LinkHost, stream: Stream): void {
  new WebsocketAcceptance(host, stream).start();
}

class WebsocketAcceptance implements StreamHandler {
  #stream: Stream;
  #gathered = Buffer.alloc(0);
  #timer: Timer | undefined = undefined;
  #onBytes: () => void = () => this.#requests();
  #closed = false;

  constructor(
    private readonly host: LinkHost,
    stream: Stream,
  ) {
    this.#stream = stream;
    stream.handler = this;
  }

  start(): void {
    const { websocket, websocketTls } = this.host.accepting;
    if (websocket.handshakeTimeoutMs > 0) this.#timer = this.host.clock.after(websocket.handshakeTimeoutMs, () => this.#stream.terminate());
    if (websocketTls !== undefined) this.#onBytes = () => this.#tls(websocketTls);
  }

  onData(bytes: Buffer): void {
    if (this.#closed) return;
    this.#gathered = this.#gathered.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#gathered, bytes]);
    this.#onBytes();
  }

  onDrain(): void {}

  onClose(_error: StreamError | undefined): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #label(): string {
    const { remoteAddress, remotePort } = this.#stream;
    return `${remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`;
  }

  #tls(tls: ListenerTls): void {
    if (this.#gathered[0] !== TLS_HANDSHAKE_BYTE) {
      this.host.log.error(`websocket: TLS handshake error from ${this.#label()}: client sent an HTTP request to an HTTPS server`);
      return this.#answerAndClose(NOT_TLS_RESPONSE);
    }
    const initial = this.#gathered;
    this.#gathered = Buffer.alloc(0);
    this.#onBytes = () => undefined;
    const secured = this.#stream.upgradeTls(tls.contextFor(""), initial, (result) => {
      if (!result.ok) {
        this.host.log.error(`websocket: TLS handshake error from ${this.#label()}: ${result.cause}`);
        return;
      }
      const violation = pinViolation(tls.options.pinnedCerts, secured.tls);
      if (violation !== undefined) {
        this.host.log.error(`websocket: TLS handshake error from ${this.#label()}: certificate not pinned`);
        return secured.terminate();
      }
      this.#onBytes = () => this.#requests();
    });
    this.#stream = secured;
    secured.handler = this;
  }

  /** Answers requests in order until one upgrades. */
  #requests(): void {
    while (this.#gathered.length > 0 && !this.#closed) {
      const verdict: HeadVerdict = parseRequestHead(this.#gathered);
      if (verdict.kind === "incomplete") return;
      if (verdict.kind === "malformed") return this.#answerAndClose(NOT_HTTP_RESPONSE);
      const { head } = verdict;
      if (head.version === "1.1" && headerValues(head, "host").length === 0) return this.#answerAndClose(NO_HOST_RESPONSE);
      const rest = this.#gathered.subarray(head.length);
      const { websocket, websocketTls } = this.host.accepting;
      const judged = judgeUpgrade(head, { options: websocket, isTls: websocketTls !== undefined, hasMqtt: false });
      if (judged.kind === "accepted") return this.#upgrade(judged, rest);
      this.host.log.error(`${this.#label()} - websocket handshake error: ${judged.detail}`);
      this.#answer(refusalResponse(judged.status, this.host.clock.nowMs()));
      if (closesAfter(head)) return this.#stream.end();
      const body = Number(headerValues(head, "content-length")[0] ?? 0);
      this.#gathered = rest.subarray(Math.min(Number.isFinite(body) && body > 0 ? body : 0, rest.length));
    }
  }

  #upgrade(accepted: Extract<UpgradeVerdict, { kind: "accepted" }>, rest: Buffer): void {
    if (rest.length > 0) {
      this.host.log.error(`${this.#label()} - websocket handshake error: client sent data before handshake is complete`);
      return this.#stream.terminate();
    }
    this.#timer?.cancel();
    this.#answer(accepted.response);
    if (accepted.target !== "client") {
      this.host.log.error(`${this.#label()} - Not configured to accept leaf node connections`);
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
    this.#closed = true;
    this.#answer(text);
    this.#stream.end();
  }
}

function closesAfter(head: RequestHead): boolean {
  const wishes = headerValues(head, "connection").join(",").toLowerCase();
  return wishes.includes("close") || (head.version === "1.0" && !wishes.includes("keep-alive"));
}

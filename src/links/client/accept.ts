/**
 * From an accepted socket to a client connection: PROXY header, INFO before or after TLS, TLS or not. Each step looks at the bytes gathered so far and either
 * waits for more, until a deadline, or goes on; what it does not use is handed to the next step. Spec: TLS, sections 1.1 to 1.5; client protocol, 12 and 13.
 *
 * Order: [wait for a TLS-first client] → INFO in clear (unless TLS-first) → [TLS or plain?] → [PROXY header] → [TLS or plain, behind the header?] →
 * [TLS] → [INFO inside TLS] → the link's own life. A connection too many is told so before all of it that could make it wait.
 */
import type { Stream, StreamError, StreamHandler, Timer, TlsStream } from "../../platform/index.ts";
import type { ServerInfo } from "../../protocol/index.ts";
import { beginsTls, RECORD_BYTES_MAX } from "../clienthello.ts";
import { type HandshakeFailure, ServerHandshake, type HandshakeWaiter } from "../handshake.ts";
import type { LinkHost, ListenerTls } from "../host.ts";
import { ClientLink } from "./client.ts";
import { PROXY_DETECT_BYTES, parseProxyHeader } from "./proxyprotocol.ts";

/** Bytes that `handshake_first` waits for, and that tell TLS from plain text under `allow_non_tls`. */
const FIRST_BYTES = 4;
const SNIFF_BYTES = 6;
/** Time for the first bytes of a PROXY header, and again for the rest of it. */
const PROXY_WAIT_MS = 5000;
/** More than any header that is waited for, with a first TLS record behind it. */
const GATHER_BYTES_MAX = 65_536 + RECORD_BYTES_MAX;

export function acceptClient(host: LinkHost, stream: Stream): void {
  const link = new ClientLink(host, "nats", stream);
  link.open();
  new Acceptance(host, stream, link).start();
}

class Acceptance implements StreamHandler, HandshakeWaiter {
  #gathered = Buffer.alloc(0);
  #timer: Timer | undefined = undefined;
  /** Looks at `#gathered`; called for every arrival. */
  #step: () => void = () => undefined;
  /** What to do when the peer leaves while we wait; the link's business unless a step says otherwise. */
  #onEnd: (() => void) | undefined = undefined;
  #isFirst = false;
  #handshake: ServerHandshake | undefined = undefined;

  constructor(
    private readonly host: LinkHost,
    private readonly stream: Stream,
    private readonly link: ClientLink,
  ) {
    stream.handler = this;
  }

  start(): void {
    const { tls } = this.host.accepting;
    if (tls?.options.handshakeFirst !== true) return this.#plainInfo();
    if (this.link.refusedAsSurplus()) return;
    const tlsFirst = (): void => {
      this.#isFirst = true;
      this.#proxyHeader();
    };
    const fallbackMs = tls.options.handshakeFirstFallbackMs;
    if (fallbackMs <= 0) return tlsFirst();
    // A client that leaves before it said anything counts as one that was about to begin with TLS.
    const left = (): void => this.onFailed({ kind: "gone", cause: "EOF" });
    this.#waitForBytes(FIRST_BYTES, fallbackMs, () => (this.#gathered.length > 0 ? tlsFirst() : this.#plainInfo()), left);
  }

  onData(bytes: Buffer): void {
    if (this.link.isClosed) return;
    this.#gathered = Buffer.concat([this.#gathered, bytes]);
    this.#step();
    // A step that goes on waiting has said what it needs; nobody needs more than this.
    if (this.#gathered.length > GATHER_BYTES_MAX) this.link.close("Protocol Violation");
  }

  onDrain(): void {
    this.link.onDrain();
  }

  onClose(error: StreamError | undefined): void {
    const onEnd = this.#onEnd;
    this.#stopWaiting();
    if (!this.link.isClosed && error === undefined) onEnd?.();
    this.link.onClose(error);
  }

  /** Waits until `step` goes on by itself, at most `limitMs`; then `expired` decides. `left` has the word when the peer leaves meanwhile. */
  #wait(limitMs: number, step: () => void, expired: () => void, left?: () => void): void {
    this.#stopWaiting();
    this.#onEnd = left;
    this.#timer = this.host.clock.after(limitMs, () => {
      if (!this.link.isClosed) expired();
    });
    this.#step = step;
    if (this.#gathered.length > 0) step();
  }

  /** Goes on when `count` bytes are here, or with what there is after `limitMs`. */
  #waitForBytes(count: number, limitMs: number, goOn: () => void, left?: () => void): void {
    const next = (): void => {
      this.#stopWaiting();
      goOn();
    };
    this.#wait(
      limitMs,
      () => {
        if (this.#gathered.length >= count) next();
      },
      next,
      left,
    );
  }

  #stopWaiting(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#step = () => undefined;
    this.#onEnd = undefined;
  }

  /** INFO in clear, and right behind it the refusal of a connection too many. */
  #plainInfo(): void {
    this.#stopWaiting();
    const { tls, allowNonTls, proxyProtocol } = this.host.accepting;
    this.#info({ tls_required: tls !== undefined && !allowNonTls, tls_available: tls !== undefined && allowNonTls, ...(proxyProtocol ? { client_ip: "" } : {}) });
    if (this.link.refusedAsSurplus()) return;
    // Nothing of this may end up behind the first byte of a handshake.
    this.link.outbound.flush();
    if (tls === undefined || !allowNonTls || !proxyProtocol) return this.#proxyHeader();
    this.#waitForBytes(SNIFF_BYTES, tls.options.timeoutMs, () => this.#proxyHeader());
  }

  #info(tls: Partial<ServerInfo>): void {
    this.link.sendInitialInfo({ ...tls, tls_verify: this.host.accepting.tls?.options.verify ?? false });
  }

  #proxyHeader(): void {
    if (!this.host.accepting.proxyProtocol) return this.#security(SNIFF_BYTES);
    const left = (): void => this.#refuseProxyHeader(`failed to read protocol version: ${this.#gathered.length === 0 ? "EOF" : "unexpected EOF"}`);
    this.#waitForBytes(PROXY_DETECT_BYTES, PROXY_WAIT_MS, () => (this.#gathered.length === 0 ? left() : this.#restOfProxyHeader()), left);
  }

  #restOfProxyHeader(): void {
    let wanted = "";
    const step = (): void => {
      const verdict = parseProxyHeader(this.#gathered);
      if (verdict.kind === "malformed") return this.#refuseProxyHeader(verdict.detail);
      if (verdict.kind === "absent") return this.#security(SNIFF_BYTES);
      if (verdict.kind === "header") {
        if (verdict.source !== undefined) this.link.setRemote(verdict.source.address, verdict.source.port);
        this.#gathered = this.#gathered.subarray(verdict.length);
        return this.#security(1);
      }
      wanted = verdict.wanted;
      this.#onEnd = () => this.#refuseProxyHeader(`failed to ${wanted}: ${verdict.partial ? "unexpected EOF" : "EOF"}`);
    };
    this.#wait(PROXY_WAIT_MS, step, () => this.#refuseProxyHeader(`failed to ${wanted}: ${this.#readTimeout()}`));
  }

  #refuseProxyHeader(detail: string): void {
    this.#stopWaiting();
    const { socketAddress, socketPort } = this.link;
    this.host.log.warn(`Error reading PROXY protocol header from ${hostPort(socketAddress, socketPort)}: ${detail}`);
    this.link.close("Protocol Violation");
  }

  #readTimeout(): string {
    const { localAddress, localPort, remoteAddress, remotePort } = this.stream;
    return `read tcp ${hostPort(localAddress, localPort)}->${hostPort(remoteAddress, remotePort)}: i/o timeout`;
  }

  /** Plain or TLS; under `allow_non_tls` the first of `sniffBytes` bytes decides. */
  #security(sniffBytes: number): void {
    this.#stopWaiting();
    const { tls, allowNonTls } = this.host.accepting;
    if (tls === undefined) return this.#begin();
    if (this.#isFirst || !allowNonTls) return this.#startTls(tls);
    this.#waitForBytes(sniffBytes, tls.options.timeoutMs, () => (beginsTls(this.#gathered) ? this.#startTls(tls) : this.#begin()));
  }

  #begin(): void {
    this.stream.handler = this.link;
    this.link.begin(this.#gathered);
  }

  #startTls(tls: ListenerTls): void {
    if (!this.host.handshakes.admit(tls.options.connectionRateLimit)) {
      return this.link.closeWithError("Connection throttling is active. Please try again later.", "Maximum Connections Exceeded");
    }
    this.link.logged.debug("Starting TLS client connection handshake");
    this.#handshake = new ServerHandshake(this.host.clock, this.stream, tls, this.#gathered, this);
    this.#handshake.start(tls.options.timeoutMs);
  }

  onUpgraded(stream: TlsStream): void {
    this.link.adoptStream(stream);
  }

  onSecured(stream: TlsStream): void {
    if (this.link.isClosed) return;
    const { logged } = this.link;
    logged.debug("TLS handshake complete");
    logged.debug(`TLS version ${stream.tls?.version ?? ""}, cipher suite ${stream.tls?.cipherSuite ?? ""}`);
    this.link.tls = stream.tls;
    stream.handler = this.link;
    if (this.#isFirst) {
      this.link.tlsFirst = true;
      this.#info({ tls_required: true, tls_available: this.host.accepting.allowNonTls });
    }
    this.link.begin();
  }

  onFailed(failure: HandshakeFailure): void {
    if (this.link.isClosed) return;
    const { logged } = this.link;
    if (failure.kind === "timeout") logged.debug("TLS handshake timeout");
    if (failure.note !== undefined) logged.debug(failure.note);
    const text = `TLS handshake error: ${failure.cause}`;
    // Port scans and clients that never finish are nothing that an operator must know.
    if (failure.kind === "not-tls" || failure.kind === "timeout") logged.debug(text);
    else logged.error(text);
    this.link.close("TLS Handshake Failure");
  }
}

function hostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

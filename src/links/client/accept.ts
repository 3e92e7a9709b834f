/**
 * From an accepted socket to a client connection: PROXY header, INFO before or after TLS, TLS or not. Each step looks at the bytes gathered so far and either
 * waits for more, until a deadline, or goes on; what it does not use is handed to the next step. Spec: TLS, sections 1.1 to 1.5; client protocol, 12 and 13.
 */
import type { Stream, StreamError, StreamHandler, Timer, TlsHandshake, TlsStream } from "../../platform/index.ts";
import type { ServerInfo } from "../../protocol/info.ts";
import type { LinkHost, ListenerTls } from "../host.ts";
import { pinViolation } from "../pins.ts";
import { ClientLink } from "./client.ts";
import { CLIENT_HELLO_BYTES_MAX, requestedServerName } from "./clienthello.ts";
import { PROXY_DETECT_BYTES, parseProxyHeader } from "./proxyprotocol.ts";

const TLS_HANDSHAKE_BYTE = 0x16;
/** Bytes that `handshake_first` waits for, and that tell TLS from plain text under `allow_non_tls`. */
const FIRST_BYTES = 4;
const SNIFF_BYTES = 6;
/** Time for the first bytes of a PROXY header, granted twice. */
const PROXY_WAIT_MS = 5000;
/** More than any header or ClientHello that is waited for. */
const GATHER_BYTES_MAX = CLIENT_HELLO_BYTES_MAX + 65_536;

export function acceptClient(host: LinkHost, stream: Stream): void {
  const link = new ClientLink(host, "nats", stream);
  link.open();
  new Acceptance(host, stream, link).start();
}

class Acceptance implements StreamHandler {
  #gathered = Buffer.alloc(0);
  #timer: Timer | undefined = undefined;
  /** Looks at `#gathered`; called for every arrival. */
  #step: () => void = () => undefined;
  #secured: TlsStream | undefined = undefined;

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
    const fallbackMs = tls.options.handshakeFirstFallbackMs;
    if (fallbackMs <= 0) return this.#startTls(tls, true);
    this.#await(
      fallbackMs,
      () => {
        if (this.#gathered.length >= FIRST_BYTES) this.#startTls(tls, true);
      },
      () => (this.#gathered.length > 0 ? this.#startTls(tls, true) : this.#plainInfo()),
    );
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
    this.#timer?.cancel();
    this.link.onClose(error);
  }

  /** Waits until `step` goes on by itself, at most `limitMs`; then `expired` decides. */
  #await(limitMs: number, step: () => void, expired: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.host.clock.after(limitMs, () => {
      if (!this.link.isClosed) expired();
    });
    this.#step = step;
    if (this.#gathered.length > 0) step();
  }

  #plainInfo(): void {
    this.#stopWaiting();
    const { tls, allowNonTls, proxyProtocol } = this.host.accepting;
    this.#info({ tls_required: tls !== undefined && !allowNonTls, tls_available: tls !== undefined && allowNonTls, ...(proxyProtocol ? { client_ip: "" } : {}) });
    if (this.link.isClosed) return;
    if (proxyProtocol) return this.#proxyHeader();
    this.#security(SNIFF_BYTES);
  }

  /** The first INFO, and right behind it the refusal of a connection too many. */
  #info(tls: Partial<ServerInfo>): void {
    this.link.sendInitialInfo({ ...tls, tls_verify: this.host.accepting.tls?.options.verify ?? false });
    this.link.refusedAsSurplus();
    // Nothing of this may end up behind the first byte of a handshake.
    this.link.outbound.flush();
  }

  #proxyHeader(): void {
    let patience = 2;
    const refuse = (detail: string): void => {
      this.#stopWaiting();
      this.host.log.warn(`${this.link.label()} - Error reading PROXY protocol header: ${detail}`);
      this.link.close("Protocol Violation");
    };
    const step = (): void => {
      const verdict = parseProxyHeader(this.#gathered);
      if (verdict.kind === "incomplete") return;
      if (verdict.kind === "malformed") return refuse(verdict.detail);
      if (verdict.kind === "absent") return this.#security(SNIFF_BYTES);
      if (verdict.source !== undefined) this.link.setRemote(verdict.source.address, verdict.source.port);
      this.#gathered = this.#gathered.subarray(verdict.length);
      this.#security(1);
    };
    const expired = (): void => {
      patience--;
      if (patience === 0 || this.#gathered.length >= PROXY_DETECT_BYTES) return refuse("timeout");
      this.#await(PROXY_WAIT_MS, step, expired);
    };
    this.#await(PROXY_WAIT_MS, step, expired);
  }

  /** Plain or TLS; under `allow_non_tls` the client's first of `sniffBytes` bytes decides. */
  #security(sniffBytes: number): void {
    this.#stopWaiting();
    const { tls, allowNonTls } = this.host.accepting;
    if (tls === undefined) return this.#begin();
    if (!allowNonTls) return this.#startTls(tls, false);
    const decide = (): void => {
      this.#stopWaiting();
      if (this.#gathered[0] === TLS_HANDSHAKE_BYTE) this.#startTls(tls, false);
      else this.#begin();
    };
    this.#await(
      tls.options.timeoutMs,
      () => {
        if (this.#gathered.length >= sniffBytes) decide();
      },
      decide,
    );
  }

  #startTls(tls: ListenerTls, isFirst: boolean): void {
    this.#stopWaiting();
    if (!this.host.handshakes.admit(tls.options.connectionRateLimit)) {
      return this.link.closeWithError("Connection throttling is active. Please try again later.", "Maximum Connections Exceeded");
    }
    this.#debug("Starting TLS client connection handshake");
    const begin = (serverName: string): void => this.#handshake(tls, serverName, isFirst);
    this.#await(
      tls.options.timeoutMs,
      () => {
        const name = tls.choosesByName ? requestedServerName(this.#gathered) : "";
        if (name !== undefined) begin(name);
      },
      () => {
        this.#debug("TLS handshake timeout");
        this.link.close("TLS Handshake Failure");
        (this.#secured ?? this.stream).terminate();
      },
    );
    if (!tls.choosesByName && this.#secured === undefined && !this.link.isClosed) begin("");
  }

  #handshake(tls: ListenerTls, serverName: string, isFirst: boolean): void {
    this.#step = () => undefined;
    const initial = this.#gathered;
    this.#gathered = Buffer.alloc(0);
    if (initial.length > 0 && initial[0] !== TLS_HANDSHAKE_BYTE) {
      return this.#handshakeFailed({ ok: false, cause: "tls: first record does not look like a TLS handshake", kind: "not-tls" }, this.stream);
    }
    const secured = this.stream.upgradeTls(tls.contextFor(serverName), initial, (result) => {
      this.#timer?.cancel();
      if (this.link.isClosed) return;
      if (!result.ok) return this.#handshakeFailed(result, secured);
      this.#handshakeDone(tls, secured, isFirst);
    });
    this.#secured = secured;
    secured.handler = this;
  }

  #handshakeDone(tls: ListenerTls, secured: TlsStream, isFirst: boolean): void {
    const state = secured.tls;
    this.#debug("TLS handshake complete");
    this.#debug(`TLS version ${state?.version ?? ""}, cipher suite ${state?.cipherSuite ?? ""}`);
    const violation = pinViolation(tls.options.pinnedCerts, state);
    if (violation !== undefined) {
      this.#debug(violation);
      return this.#handshakeFailed({ ok: false, cause: "certificate not pinned", kind: "certificate" }, secured);
    }
    this.link.tls = state;
    this.link.adoptStream(secured);
    if (isFirst) {
      this.link.tlsFirst = true;
      this.#info({ tls_required: true, tls_available: this.host.accepting.allowNonTls });
    }
    this.link.begin();
  }

  #handshakeFailed(failure: Extract<TlsHandshake, { ok: false }>, stream: Stream): void {
    this.#stopWaiting();
    const text = `${this.link.label()} - TLS handshake error: ${failure.cause}`;
    if (failure.kind === "not-tls" || failure.kind === "timeout") this.host.log.debug(text);
    else this.host.log.error(text);
    this.link.close("TLS Handshake Failure");
    stream.terminate();
  }

  #begin(): void {
    this.#stopWaiting();
    this.stream.handler = this.link;
    this.link.begin(this.#gathered);
  }

  #stopWaiting(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#step = () => undefined;
  }

  #debug(text: string): void {
    if (this.host.log.debugOn) this.host.log.debug(`${this.link.label()} - ${text}`);
  }
}

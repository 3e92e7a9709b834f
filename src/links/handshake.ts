/**
 * The server's side of a TLS handshake on an accepted connection, for every kind of listener: gathers the client's first message (to see that it is TLS and which
 * certificate is asked for), hands over to the engine, holds the result against pinned certificates, and words failures as the log wants them.
 *
 * Nothing is given to the TLS engine before the first record is here, so that port scans and plain text cost next to nothing.
 * Spec: TLS, sections 1.5, 2.6 and 3.6.
 */
import { certificateNames, nameText } from "../auth/index.ts";
import type { Clock, Stream, StreamError, StreamHandler, Timer, TlsFailure, TlsStream } from "../platform/index.ts";
import { sha256Hex } from "../util/hash.ts";
import { beginsTls, type ClientHello, parseClientHello, RECORD_HEADER_BYTES } from "./clienthello.ts";
import type { ListenerTls } from "./host.ts";
import { pinViolation } from "./pins.ts";

const TLS_1_3 = 0x0304;

export interface HandshakeFailure {
  /** Goes behind `TLS handshake error: `. */
  readonly cause: string;
  readonly kind: TlsFailure["kind"];
  /** For the debug log, before the error. */
  readonly note?: string;
}

export interface HandshakeWaiter {
  /** The engine took over: the connection is `stream` from now on, and nothing may be written to it before `onSecured`. */
  onUpgraded(stream: TlsStream): void;
  /** Done: `stream.tls` is known. The waiter sets the handler. */
  onSecured(stream: TlsStream): void;
  /** Over: the stream is being closed. Called at most once, and never after `onSecured`. `firstBytes` is what the peer began with, if that was not TLS. */
  onFailed(failure: HandshakeFailure, firstBytes: Buffer): void;
}

export class ServerHandshake implements StreamHandler {
  #gathered: Buffer;
  #timer: Timer | undefined = undefined;
  #hello: ClientHello | undefined = undefined;
  #stream: Stream;
  #over = false;

  constructor(
    private readonly clock: Clock,
    stream: Stream,
    private readonly tls: ListenerTls,
    /** Bytes already read that belong to the handshake. */
    initial: Buffer,
    private readonly waiter: HandshakeWaiter,
  ) {
    this.#stream = stream;
    this.#gathered = initial;
  }

  /** Takes over the stream. `timeoutMs` 0 waits without limit. */
  start(timeoutMs: number): void {
    this.#stream.handler = this;
    if (timeoutMs > 0) this.#timer = this.clock.after(timeoutMs, () => this.#fail({ kind: "timeout", cause: this.#readFault("i/o timeout") }));
    this.#advance();
  }

  /** The connection was closed for another reason: nobody is told any more. */
  cancel(): void {
    this.#over = true;
    this.#timer?.cancel();
  }

  onData(bytes: Buffer): void {
    if (this.#over || this.#hello !== undefined) return;
    this.#gathered = Buffer.concat([this.#gathered, bytes]);
    this.#advance();
  }

  onDrain(): void {}

  onClose(error: StreamError | undefined): void {
    this.#fail({ kind: "gone", cause: error?.code === "ECONNRESET" ? this.#readFault("read: connection reset by peer") : "EOF" });
  }

  #readFault(what: string): string {
    const { localAddress, localPort, remoteAddress, remotePort } = this.#stream;
    return `read tcp ${hostPort(localAddress, localPort)}->${hostPort(remoteAddress, remotePort)}: ${what}`;
  }

  #advance(): void {
    if (this.#gathered.length < RECORD_HEADER_BYTES) return;
    if (!beginsTls(this.#gathered)) return this.#fail({ kind: "not-tls", cause: "tls: first record does not look like a TLS handshake" });
    const hello = parseClientHello(this.#gathered);
    if (hello === undefined) return;
    this.#hello = hello;
    const initial = this.#gathered;
    this.#gathered = Buffer.alloc(0);
    const secured = this.#stream.upgradeTls(this.tls.contextFor(hello.serverName), initial, (result) => {
      if (result.ok) this.#complete(secured);
      else this.#fail({ kind: result.kind, cause: failureText(result, hello) });
    });
    this.#stream = secured;
    secured.handler = this;
    if (!this.#over) this.waiter.onUpgraded(secured);
    secured.handler = this;
  }

  #complete(stream: TlsStream): void {
    if (this.#over) return;
    const note = pinViolation(this.tls.options.pinnedCerts, stream.tls);
    if (note !== undefined) {
      this.#fail({ kind: "untrusted", cause: "certificate not pinned", note });
      return;
    }
    this.cancel();
    this.waiter.onSecured(stream);
  }

  #fail(failure: HandshakeFailure): void {
    if (this.#over) return;
    this.cancel();
    this.waiter.onFailed(failure, this.#gathered);
    // What an engine that gave up wanted to say is out already; a plain peer sees the end.
    this.#stream.end();
  }
}

/** The engine's cause with what only the client's first message or its certificate tells. */
function failureText(failure: TlsFailure, hello: ClientHello): string {
  const { cause } = failure;
  switch (failure.kind) {
    case "version":
      return `${cause}: [${hexList(hello.versions)}]`;
    case "group":
      // Before TLS 1.3 groups are a matter of suites.
      return hello.versions.includes(TLS_1_3) ? cause : suiteFailure(hello);
    case "suite":
      return suiteFailure(hello);
    case "untrusted":
      return failure.peerCertificateDer === undefined ? cause : `${cause} (${certificateText(failure.peerCertificateDer)})`;
    default:
      return cause;
  }
}

function suiteFailure(hello: ClientHello): string {
  return `tls: no cipher suite supported by both client and server; client offered: [${hexList(hello.cipherSuites)}]`;
}

function certificateText(der: Uint8Array): string {
  const names = certificateNames(der);
  return `${names === undefined ? "" : nameText(names.subject)} SHA-256: ${sha256Hex(der)}`;
}

function hexList(numbers: readonly number[]): string {
  return numbers.map((number) => number.toString(16)).join(" ");
}

function hostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

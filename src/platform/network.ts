/**
 * The network: listeners and byte streams. The only door to sockets. A `Stream` is a connected, ordered, reliable pair of byte flows; whether it is TCP,
 * TLS or a test's memory pipe is the platform's secret. Whoever owns a stream sets its `handler` and is called back, never concurrently.
 */

/** What the owner of a stream is told. Calls come from the event loop, one at a time. */
export interface StreamHandler {
  /** Bytes arrived. The array is only valid during the call, unless copied. */
  onData(bytes: Buffer): void;
  /** The kernel takes bytes again, after a short `write`. */
  onDrain(): void;
  /** The stream is gone: `error` undefined when the peer closed it in order. Called exactly once, also after `terminate`. */
  onClose(error: StreamError | undefined): void;
}

export interface StreamError {
  /** `ECONNRESET`, `EPIPE`, `ETIMEDOUT`, ... */
  readonly code: string;
  readonly message: string;
}

export interface Stream {
  handler: StreamHandler;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Hands bytes to the kernel; returns how many it took (0 when its buffer is full or the stream is gone). The rest is the caller's to keep. */
  write(bytes: Uint8Array, start: number, end: number): number;
  /** Stops reading: the peer is held back by the transport's flow control. */
  pause(): void;
  resume(): void;
  /** Closes in order after what `write` took has been sent. */
  end(): void;
  /** Closes at once. */
  terminate(): void;
  /** A framed stream (WebSocket) tells its peer why it is about to close; goes out behind everything written so far. */
  announceClose?(reason: string): void;
  /**
   * Becomes a TLS server on the same connection. `initial` are bytes already read that belong to the handshake.
   * The returned stream replaces this one, which must not be used any more.
   */
  upgradeTls(context: TlsServerContext, initial: Uint8Array | undefined, done: (result: TlsHandshake) => void): TlsStream;
}

/** Outcome of a handshake. On failure the stream is already being closed. */
export type TlsHandshake = { readonly ok: true } | TlsFailure;

export interface TlsFailure {
  readonly ok: false;
  /**
   * `gone`: the peer left; `version`, `suite`, `group`: nothing in common; `untrusted`: a certificate that does not verify; `own-certificate`: we have none;
   * `not-tls` and `timeout` are not known to the engine but to those who wait for it.
   */
  readonly kind: "gone" | "not-tls" | "timeout" | "version" | "suite" | "group" | "untrusted" | "own-certificate" | "other";
  /** What the log says, without what only the ClientHello or the certificate tells. */
  readonly cause: string;
  /** DER of the peer's leaf certificate, when that is the trouble. */
  readonly peerCertificateDer?: Uint8Array;
}

export interface TlsStream extends Stream {
  readonly tls: TlsState | undefined;
}

/** What was negotiated; known once the handshake is done. */
export interface TlsState {
  /** `1.2` or `1.3`. */
  readonly version: string;
  /** IANA name. */
  readonly cipherSuite: string;
  readonly serverName: string;
  /** DER of the peer's leaf certificate, when one was asked for: it chains to the configured roots. */
  readonly peerCertificateDer: Uint8Array | undefined;
}

/** Prepared server-side TLS settings (certificates, versions, suites); made once per configuration, shared by connections. */
export interface TlsServerContext {
  readonly id: string;
}

export interface TlsServerSettings {
  readonly certificates: readonly { readonly certPem: string; readonly keyPem: string }[];
  readonly caPem: string;
  /** Ask for a client certificate and refuse the handshake without a valid one. */
  readonly verify: boolean;
  readonly cipherSuites: readonly string[];
  readonly curvePreferences: readonly string[];
  readonly minVersion: "1.2" | "1.3";
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Stops accepting; connections already accepted stay. */
  close(): void;
}

export interface Network {
  /** Listens on `host:port` (0 = any free port). Throws `ListenError`. `accept` sets the stream's handler before it returns. */
  listen(host: string, port: number, accept: (stream: Stream) => void): Listener;
  /** Connects. The promise rejects with a `StreamError`. */
  dial(host: string, port: number): Promise<Stream>;
  prepareTls(settings: TlsServerSettings): TlsServerContext;
  /** Addresses of this host's interfaces, for the ports file and advertised URLs: global unicast and loopback, no link-local. */
  interfaceAddresses(): readonly string[];
}

export class ListenError extends Error {
  constructor(
    readonly address: string,
    /** `address already in use`, `permission denied`, `no such host`, ... */
    readonly reason: string,
  ) {
    super(`listen tcp ${address}: ${reason}`);
    this.name = "ListenError";
  }
}

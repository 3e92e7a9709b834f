/**
 * The network on Bun's sockets. A socket's `data` field points to its stream, so that one set of callbacks serves every connection of the process.
 *
 * TLS is always an upgrade of a plain socket: only then can certificates be replaced at run time (a listener's own TLS settings cannot), and
 * bytes that were read to decide about TLS can be handed to the handshake.
 */
import { networkInterfaces } from "node:os";
import type { Socket, SocketHandler, TCPSocketListener } from "bun";
import { type Listener, ListenError, type Network, type Stream, type StreamError, type StreamHandler, type TlsHandshake, type TlsServerContext, type TlsServerSettings, type TlsState, type TlsStream } from "../network.ts";
import { joinHostPort } from "../../util/hostport.ts";
import { sha256Hex } from "../../util/hash.ts";
import { type BunTls, type EngineError, cipherList, curveList, engineFailure, verificationFailure } from "./tls.ts";

/** How long a TLS connection that we ended may wait for its peer to do the same. */
const TLS_LINGER_MS = 1000;

/**
 * The runtime hands over each read in memory of its own, which it finds again at the next collection only: tens of megabytes under load. Of reads from this size
 * on it is given back at once, which also spares the page faults of fresh memory: a read of 512 KiB costs 26 instead of 45 µs.
 */
const GIVEN_BACK_BYTES_MIN = 4096;

const NOT_HANDLED: StreamHandler = { onData() {}, onDrain() {}, onClose() {} };

class BunStream implements TlsStream {
  handler: StreamHandler = NOT_HANDLED;
  tls: TlsState | undefined = undefined;
  #closed = false;
  #socket: Socket<BunStream>;
  #error: StreamError | undefined = undefined;
  /** The plain twin of an upgraded socket still reports ciphertext; its stream must stay silent. */
  #replaced = false;
  /** Set on a TLS stream: how it was upgraded, and who waits for the handshake. */
  #prepared: PreparedTls | undefined = undefined;
  #handshakeDone: ((result: TlsHandshake) => void) | undefined = undefined;
  #ended = false;

  constructor(socket: Socket<BunStream>) {
    this.#socket = socket;
  }

  get remoteAddress(): string {
    return plainAddress(this.#socket.remoteAddress ?? "");
  }

  get remotePort(): number {
    return this.#socket.remotePort ?? 0;
  }

  get localAddress(): string {
    return plainAddress(this.#socket.localAddress ?? "");
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.#closed || this.#replaced) return 0;
    const taken = this.#socket.write(bytes, start, end - start);
    return taken > 0 ? taken : 0;
  }

  pause(): void {
    if (!this.#closed && !this.#replaced) this.#socket.pause();
  }

  resume(): void {
    if (!this.#closed && !this.#replaced) this.#socket.resume();
  }

  end(): void {
    if (this.#closed || this.#replaced || this.#ended) return;
    this.#ended = true;
    this.#socket.end();
    // A TLS socket stays open for what the peer may still send; nobody here listens.
    if (this.#prepared !== undefined && !this.#closed) setTimeout(() => this.terminate(), TLS_LINGER_MS).unref();
  }

  terminate(): void {
    if (!this.#closed && !this.#replaced) this.#socket.terminate();
  }

  upgradeTls(context: TlsServerContext, initial: Uint8Array | undefined, done: (result: TlsHandshake) => void): TlsStream {
    const prepared = context as PreparedTls;
    const stream = new BunStream(this.#socket);
    stream.#prepared = prepared;
    stream.#handshakeDone = done;
    this.#replaced = true;
    const options = { isServer: true, tls: prepared.tls, data: stream, socket: CALLBACKS, ...(initial === undefined || initial.length === 0 ? {} : { initialData: initial }) };
    // `isServer` and `initialData` are missing in the type declarations.
    const [, secure] = this.#socket.upgradeTLS(options as unknown as Parameters<Socket<BunStream>["upgradeTLS"]>[0]) as unknown as [unknown, Socket<BunStream>];
    stream.#socket = secure;
    return stream;
  }

  received(bytes: Buffer): void {
    if (this.#replaced || this.#ended) return;
    try {
      this.handler.onData(bytes);
      // A TLS engine still reads what it was given first.
      if (bytes.length >= GIVEN_BACK_BYTES_MIN && !this.#replaced) giveBack(bytes);
    } catch (error) {
      // A defect of ours: it costs the connection whose bytes brought it out, and nothing else.
      reportDefect(error, `while reading from ${this.remoteAddress}:${this.remotePort}`);
      this.terminate();
    }
  }

  writable(): void {
    if (!this.#replaced) this.handler.onDrain();
  }

  failed(error: StreamError): void {
    this.#error ??= error;
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#replaced) return;
    this.#settle({ ok: false, kind: "gone", cause: "EOF" });
    this.handler.onClose(this.#error);
  }

  #settle(result: TlsHandshake): void {
    const done = this.#handshakeDone;
    this.#handshakeDone = undefined;
    done?.(result);
  }

  handshaken(socket: Socket<BunStream>, ok: boolean, error: EngineError | null): void {
    if (this.#handshakeDone === undefined) return;
    if (!ok) {
      this.#settle(engineFailure(error, this.#prepared?.tls.cert.length === 0));
      return this.terminate();
    }
    const verify = this.#prepared?.tls.requestCert === true;
    // The engine reports a handshake with a bad certificate as done, and closes the socket afterwards: the decision is made here.
    const der = verify ? (socket.getPeerX509Certificate() as { raw?: Uint8Array } | null | undefined)?.raw : undefined;
    if (verify && !socket.authorized) {
      this.#settle(verificationFailure(error, der));
      return this.end();
    }
    const cipher = socket.getCipher() as { standardName?: string; name?: string } | null;
    this.tls = {
      version: (socket.getTLSVersion() ?? "").replace("TLSv", ""),
      cipherSuite: cipher?.standardName ?? cipher?.name ?? "",
      serverName: (socket.getServername() || "") as string,
      peerCertificateDer: der,
    };
    this.#settle({ ok: true });
  }
}

const CALLBACKS: SocketHandler<BunStream> = {
  data(socket, bytes) {
    socket.data.received(bytes as Buffer);
  },
  drain(socket) {
    socket.data.writable();
  },
  close(socket, error) {
    if (error !== undefined) socket.data.failed(streamError(error));
    socket.data.closed();
  },
  end(socket) {
    // The peer sent FIN: NATS has no half-open connections.
    socket.end();
  },
  error(socket, error) {
    socket.data.failed(streamError(error));
  },
  handshake(socket, ok, error) {
    socket.data.handshaken(socket, ok, error);
  },
};

function streamError(error: Error & { code?: string }): StreamError {
  return { code: error.code ?? "", message: error.message };
}

interface PreparedTls extends TlsServerContext {
  readonly tls: BunTls;
}

/** Where exceptions of handlers are reported; one process has one. */
let reportDefect: (error: unknown, doing: string) => void = (error) => {
  throw error;
};

export class BunNetwork implements Network {
  /** `onDefect` gets what a stream's handler throws; that stream is then closed. */
  constructor(onDefect: (error: unknown, doing: string) => void) {
    reportDefect = onDefect;
  }

  listen(host: string, port: number, accept: (stream: Stream) => void): Listener {
    // The IPv4 wildcard means every address, as in the reference: a dual-stack socket takes both families, where there are two.
    for (const hostname of host === "0.0.0.0" ? ["::", host] : [host]) {
      try {
        const listener = listenOn(hostname, port, accept);
        return { host, port: listener.port, close: () => listener.stop(false) };
      } catch (error) {
        if (hostname === "::" && host !== "::" && !isInUse(error)) continue;
        throw new ListenError(joinHostPort(host, port), listenReason(error));
      }
    }
    throw new ListenError(joinHostPort(host, port), "no address");
  }

  async dial(host: string, port: number): Promise<Stream> {
    const { promise, resolve, reject } = Promise.withResolvers<Stream>();
    await Bun.connect<BunStream | undefined>({
      hostname: host,
      port,
      data: undefined,
      socket: {
        ...(CALLBACKS as SocketHandler<BunStream | undefined>),
        open(socket) {
          const stream = new BunStream(socket as Socket<BunStream>);
          socket.data = stream;
          resolve(stream);
        },
        connectError(_socket, error) {
          reject(streamError(error));
        },
      },
    });
    return promise;
  }

  prepareTls(settings: TlsServerSettings): TlsServerContext {
    const ciphers = cipherList(settings.cipherSuites);
    const onlyNewSuites = settings.cipherSuites.length > 0 && ciphers === undefined;
    const tls: BunTls = {
      key: settings.certificates.map((pair) => pair.keyPem),
      cert: settings.certificates.map((pair) => pair.certPem),
      ...(settings.verify ? { requestCert: true, rejectUnauthorized: true, ...(settings.caPem === "" ? {} : { ca: settings.caPem }) } : {}),
      ...(ciphers === undefined ? {} : { ciphers }),
      ...(settings.curvePreferences.length === 0 ? {} : { ecdhCurve: curveList(settings.curvePreferences) }),
      minVersion: settings.minVersion === "1.3" || onlyNewSuites ? 0x0304 : 0x0303,
    };
    const id = sha256Hex(JSON.stringify(tls));
    const prepared: PreparedTls = { id, tls };
    return prepared;
  }

  interfaceAddresses(): readonly string[] {
    return Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .map((address) => address.address)
      .filter((address) => !address.toLowerCase().startsWith("fe80:"));
  }
}

/** Frees the memory of a read; the array is empty afterwards. */
function giveBack(bytes: Buffer): void {
  if (bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength) bytes.buffer.transfer(0);
}

function listenOn(hostname: string, port: number, accept: (stream: Stream) => void): TCPSocketListener<BunStream> {
  return Bun.listen<BunStream>({
    hostname,
    port: Math.max(port, 0),
    allowHalfOpen: false,
    socket: {
      ...CALLBACKS,
      open(socket) {
        const stream = new BunStream(socket);
        socket.data = stream;
        accept(stream);
      },
    },
  });
}

function isInUse(error: unknown): boolean {
  return (error as { code?: string }).code === "EADDRINUSE";
}

/** `::ffff:10.0.0.1` is the IPv4 peer of a dual-stack listener. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

function listenReason(error: unknown): string {
  const code = (error as { code?: string }).code ?? "";
  switch (code) {
    case "EADDRINUSE":
      return "bind: address already in use";
    case "EACCES":
      return "bind: permission denied";
    case "EADDRNOTAVAIL":
      return "bind: cannot assign requested address";
    case "ENOTFOUND":
      return "no such host";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

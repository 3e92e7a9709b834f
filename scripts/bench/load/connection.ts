/**
 * One client connection of the load, over TCP, TLS (INFO in clear, then the upgrade, as NATS clients do) or WebSocket.
 *
 * Sending respects backpressure: `write` hands the bytes to the kernel, keeps what it does not take, and says so. The
 * caller then waits for `onDrained`, which is how a server that pauses a publisher really pauses it.
 */
import type { Socket, SocketHandler } from "bun";
import { fail } from "./failure.ts";
import type { Target } from "./spec.ts";
import { MessageStream } from "./stream.ts";
import type { StreamOptions } from "./stream.ts";
import { FrameReader, frames, upgradeRequest } from "./websocket.ts";

const CONNECT: Readonly<Record<string, unknown>> = {
  verbose: false, pedantic: false, tls_required: false, name: "bench", lang: "bench", version: "1", protocol: 1,
  echo: true, headers: true, no_responders: true,
};
const PING = Buffer.from("PING\r\n");
const PONG = Buffer.from("PONG\r\n");

export interface ConnectionOptions extends Omit<StreamOptions, "onControl"> {
  /** After each piece of input, with how many messages it completed, and the connection it came on. */
  readonly onRead?: (messages: number, connection: Connection) => void;
  /** Fields of CONNECT that are other than usual. */
  readonly connect?: Readonly<Record<string, unknown>>;
}

/** The fields of CONNECT by which a user logs in whose password is its name. */
export function login(user: string | undefined): Readonly<Record<string, unknown>> {
  return user === undefined ? {} : { user, pass: user };
}

/** `tcp`: INFO is awaited. `http`, `tls-upgrade`: on the way there. `open`: CONNECT has been sent. */
type State = "tcp" | "tls-upgrade" | "http" | "open";

export class Connection {
  /** Called whenever everything that was written has been taken by the kernel, after a `write` that returned false. */
  onDrained: (() => void) | null = null;
  readonly stream: MessageStream;
  readonly #target: Target;
  readonly #onRead: ConnectionOptions["onRead"];
  readonly #connect: string;
  readonly #ready = Promise.withResolvers<void>();
  readonly #handler: SocketHandler<undefined>;
  readonly #frames: FrameReader;
  #socket: Socket<undefined> | null = null;
  #state: State = "tcp";
  #http = "";
  #unsent: Buffer[] = [];
  #pongs: (() => void)[] = [];
  #closing = false;

  private constructor(target: Target, options: ConnectionOptions) {
    this.#target = target;
    // A dial that fails is reported by Bun.connect itself, before anyone awaits this promise.
    this.#ready.promise.catch(() => {});
    this.#onRead = options.onRead;
    this.#connect = `CONNECT ${JSON.stringify({ ...CONNECT, ...options.connect })}\r\nPING\r\n`;
    this.stream = new MessageStream({ ...options, onControl: (line) => this.#control(line) });
    this.#frames = new FrameReader((chunk, at, end) => this.stream.feed(chunk, at, end), (bytes) => this.write(bytes));
    this.#handler = {
      open: (socket) => this.#opened(socket),
      // After the upgrade to TLS the raw socket goes on to report what the secure one reports decrypted.
      data: (socket, chunk) => {
        if (socket === this.#socket) this.#data(chunk);
      },
      drain: (socket) => {
        if (socket === this.#socket) this.#drain();
      },
      close: () => this.#closed("the server closed the connection"),
      error: (_socket, error) => this.#closed(`socket: ${error.message}`),
      connectError: (_socket, error) => this.#closed(`connect: ${error.message}`),
    };
  }

  /** A connection whose CONNECT has been accepted (its first PONG is here). Rejects if it is closed before that. */
  static async open(target: Target, options: ConnectionOptions = {}): Promise<Connection> {
    const connection = new Connection(target, options);
    await Bun.connect({ hostname: target.host, port: target.port, data: undefined, socket: connection.#handler });
    await connection.#ready.promise;
    return connection;
  }

  /** The bytes to `write` for this piece of protocol; precompute it for what is sent often. */
  encode(protocol: Buffer): Buffer {
    return this.#target.transport === "ws" ? frames(protocol) : protocol;
  }

  /**
   * Sends encoded bytes in order. False means that the kernel did not take all of them: the rest follows by itself
   * (so the buffer must not change), and `onDrained` will be called.
   */
  write(bytes: Buffer): boolean {
    if (this.#unsent.length > 0) {
      this.#unsent.push(bytes);
      return false;
    }
    const rest = this.#writeNow(bytes);
    if (rest === null) return true;
    this.#unsent.push(rest);
    return false;
  }

  /** Encodes and sends protocol text or bytes. */
  send(protocol: string | Buffer): boolean {
    return this.write(this.encode(typeof protocol === "string" ? Buffer.from(protocol, "latin1") : protocol));
  }

  /** PING, until its PONG: the server has processed all that was sent before. */
  flush(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pongs.push(resolve);
    this.send(PING);
    return promise;
  }

  close(): void {
    this.#closing = true;
    this.#socket?.end();
  }

  #writeNow(bytes: Buffer): Buffer | null {
    const written = this.#socket?.write(bytes) ?? 0;
    if (written >= bytes.length) return null;
    return written > 0 ? bytes.subarray(written) : bytes;
  }

  #drain(): void {
    while (this.#unsent.length > 0) {
      const rest = this.#writeNow(this.#unsent[0]);
      if (rest !== null) {
        this.#unsent[0] = rest;
        return;
      }
      this.#unsent.shift();
    }
    this.onDrained?.();
  }

  #opened(socket: Socket<undefined>): void {
    if (this.#state === "tls-upgrade") return;
    this.#socket = socket;
    if (this.#target.transport !== "ws") return;
    this.#state = "http";
    this.write(upgradeRequest(this.#target.host, this.#target.port));
  }

  #data(chunk: Buffer): void {
    const before = this.stream.messages;
    if (this.#state === "http") this.#readUpgrade(chunk);
    else if (this.#target.transport === "ws") this.#frames.feed(chunk, 0, chunk.length);
    else this.stream.feed(chunk, 0, chunk.length);
    this.#onRead?.(this.stream.messages - before, this);
  }

  #readUpgrade(chunk: Buffer): void {
    this.#http += chunk.toString("latin1");
    const end = this.#http.indexOf("\r\n\r\n");
    if (end === -1) return;
    const status = this.#http.slice(0, this.#http.indexOf("\r\n"));
    if (!status.startsWith("HTTP/1.1 101")) return this.#closed(`WebSocket upgrade: ${status}`);
    const rest = Buffer.from(this.#http.slice(end + 4), "latin1");
    this.#state = "tcp";
    this.#frames.feed(rest, 0, rest.length);
  }

  #control(line: string): void {
    if (line === "PONG") this.#pong();
    else if (line === "PING") this.send(PONG);
    else if (line.startsWith("INFO ")) this.#info();
    else if (line !== "+OK") this.#closed(`the server sent ${JSON.stringify(line.slice(0, 200))}`);
  }

  #info(): void {
    if (this.#state !== "tcp") return; // an asynchronous INFO on a connection that stands
    if (this.#target.transport === "tls") return this.#upgradeToTls();
    this.#state = "open";
    this.send(this.#connect);
  }

  #upgradeToTls(): void {
    if (this.#socket === null || this.#target.caFile === undefined) return this.#closed("TLS without a trusted authority");
    this.#state = "tls-upgrade";
    const [, secure] = this.#socket.upgradeTLS({
      data: undefined,
      tls: { ca: Bun.file(this.#target.caFile), rejectUnauthorized: true },
      socket: {
        ...this.#handler,
        handshake: (_socket, authorized, error) => {
          if (!authorized) return this.#closed(`TLS: ${error?.message ?? "not authorized"}`);
          this.#state = "open";
          this.send(this.#connect);
        },
      },
    });
    this.#socket = secure;
  }

  #pong(): void {
    const waiting = this.#pongs.shift();
    if (waiting === undefined) this.#ready.resolve();
    else waiting();
  }

  #closed(reason: string): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#ready.reject(new Error(reason));
    // Before `open` has resolved the rejection is enough; afterwards nobody awaits it, and the run has failed.
    fail(reason);
  }
}

/**
 * A network in memory. A connection is two flows, each with a bounded buffer for what was written and not yet read, as the kernels' buffers are; so writes
 * fall short, drain comes, and a peer that does not read holds its writer back. What arrives is cut at random places, after random delays, and handed over in
 * a scratch buffer that is overwritten right after, since the bytes of `onData` are only lent.
 *
 * TLS is a stand-in: a handshake is one record from the client (`HELLO`), it succeeds, and the bytes after it stay what they are.
 */
import { type Listener, ListenError, type Network, type Stream, type StreamError, type StreamHandler, type TlsHandshake, type TlsServerContext, type TlsState, type TlsStream } from "../../src/platform/index.ts";
import type { VirtualClock } from "./clock.ts";
import type { SeededRandom } from "./random.ts";

/** How connections behave that are made from now on. */
export interface Conditions {
  /** Bytes that one flow holds between writer and reader. */
  readonly bufferBytes: number;
  /** Longest way of a piece, milliseconds. */
  readonly delayMaxMs: number;
  /** Longest piece in which bytes arrive; each has a random length up to it. 0: all that is there at once, up to 64 KiB. */
  readonly pieceMax: number;
}

export const PERFECT: Conditions = { bufferBytes: 256 * 1024, delayMaxMs: 0, pieceMax: 0 };

/** What a client sends to begin TLS: a handshake record with nothing in it that could be read. */
export const HELLO = Buffer.from([0x16, 3, 1, 0, 1, 1]);
const READ_MAX = 64 * 1024;
/** What lent bytes turn into after the call; no protocol has it. */
const POISON = 0xdd;
const RESET: StreamError = { code: "ECONNRESET", message: "read ECONNRESET" };
const NOT_HANDLED: StreamHandler = { onData() {}, onDrain() {}, onClose() {} };

/** One direction. `reader` and `writer` are the ends. */
class Flow {
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  #short = false;
  #ended = false;
  #underWay = false;

  constructor(
    private readonly network: MemoryNetwork,
    private readonly conditions: Conditions,
    private readonly writer: MemoryStream,
    private readonly reader: () => MemoryStream,
  ) {}

  get heldBytes(): number {
    return this.#heldBytes;
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    const taken = Math.min(end - start, this.conditions.bufferBytes - this.#heldBytes);
    if (taken < end - start) this.#short = true;
    if (taken <= 0) return 0;
    this.#held.push(Buffer.from(bytes.subarray(start, start + taken)));
    this.#heldBytes += taken;
    this.send();
    return taken;
  }

  end(): void {
    this.#ended = true;
    this.send();
  }

  /** What is held is lost. */
  cut(): void {
    this.#held.length = 0;
    this.#heldBytes = 0;
  }

  /** Puts the next piece on its way, if there is one and the reader wants it. */
  send(): void {
    if (this.#underWay || this.reader().isPaused || this.reader().isClosed || (this.#heldBytes === 0 && !this.#ended)) return;
    this.#underWay = true;
    const { clock, random } = this.network;
    const { delayMaxMs } = this.conditions;
    clock.event(delayMaxMs === 0 ? 0 : random.fraction() * delayMaxMs, () => {
      this.#underWay = false;
      this.#arrive();
    });
  }

  #arrive(): void {
    const reader = this.reader();
    if (reader.isPaused || reader.isClosed) return;
    if (this.#heldBytes === 0) {
      if (this.#ended) reader.peerEnded();
      return;
    }
    const piece = this.#take(this.conditions.pieceMax === 0 ? READ_MAX : 1 + this.network.random.integer(this.conditions.pieceMax));
    if (this.#short && this.#heldBytes <= this.conditions.bufferBytes / 2) {
      this.#short = false;
      this.network.clock.event(0, () => this.writer.drained());
    }
    reader.arrived(piece);
    piece.fill(POISON);
    this.send();
  }

  #take(limit: number): Buffer {
    const all = this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held);
    const piece = Buffer.from(all.subarray(0, limit));
    this.#held.length = 0;
    if (piece.length < all.length) this.#held.push(all.subarray(piece.length));
    this.#heldBytes -= piece.length;
    return piece;
  }
}

export class MemoryStream implements TlsStream {
  handler: StreamHandler = NOT_HANDLED;
  tls: TlsState | undefined = undefined;
  isPaused = false;
  isClosed = false;
  #ended = false;
  readonly #outgoing: Flow;
  #peer: MemoryStream | undefined = undefined;

  constructor(
    private readonly network: MemoryNetwork,
    conditions: Conditions,
    readonly localAddress: string,
    readonly localPort: number,
    readonly remoteAddress: string,
    readonly remotePort: number,
  ) {
    this.#outgoing = new Flow(network, conditions, this, () => this.peer);
  }

  join(peer: MemoryStream): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  get peer(): MemoryStream {
    if (this.#peer === undefined) throw new Error("a stream is joined before it is used");
    return this.#peer;
  }

  /** Bytes written that the peer has not read. */
  get inTransit(): number {
    return this.#outgoing.heldBytes;
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    return this.isClosed || this.#ended ? 0 : this.#outgoing.write(bytes, start, end);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.peer.#outgoing.send();
  }

  end(): void {
    if (this.isClosed || this.#ended) return;
    this.#ended = true;
    this.#outgoing.end();
  }

  terminate(): void {
    if (this.isClosed) return;
    this.#outgoing.cut();
    this.network.clock.event(0, () => this.peer.#closed(RESET));
    // A runtime may tell its owner within the call or later; the owner must live with both.
    if (this.network.random.chance(0.5)) this.#closed(undefined);
    else this.network.clock.event(0, () => this.#closed(undefined));
  }

  /** The connection breaks: both ends learn it as an error, what is in transit is lost. */
  break(): void {
    if (this.isClosed) return;
    this.#outgoing.cut();
    this.peer.#outgoing.cut();
    this.#closed(RESET);
    this.network.clock.event(0, () => this.peer.#closed(RESET));
  }

  /** During a handshake: what is there of the client's record, and whom to tell in the end. */
  #handshake: { gathered: Buffer; readonly done: (result: TlsHandshake) => void } | undefined = undefined;

  upgradeTls(_context: TlsServerContext, initial: Uint8Array | undefined, done: (result: TlsHandshake) => void): TlsStream {
    this.#handshake = { gathered: Buffer.alloc(0), done };
    this.network.clock.event(0, () => this.arrived(Buffer.from(initial ?? [])));
    return this;
  }

  /** Bytes from the peer; only lent. */
  arrived(bytes: Buffer): void {
    const handshake = this.#handshake;
    if (this.isClosed) return;
    if (handshake === undefined) {
      if (bytes.length > 0) this.handler.onData(bytes);
      return;
    }
    handshake.gathered = Buffer.concat([handshake.gathered, bytes]);
    if (handshake.gathered.length < HELLO.length) return;
    this.#handshake = undefined;
    this.tls = { version: "1.3", cipherSuite: "TLS_AES_128_GCM_SHA256", serverName: "", peerCertificateDer: undefined };
    handshake.done({ ok: true });
    this.arrived(handshake.gathered.subarray(HELLO.length));
  }

  /** The peer's end has arrived. There are no half-open connections. */
  peerEnded(): void {
    this.end();
    this.#closed(undefined);
  }

  drained(): void {
    if (!this.isClosed) this.handler.onDrain();
  }

  #closed(error: StreamError | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#handshake?.done({ ok: false, kind: "gone", cause: "EOF" });
    this.#handshake = undefined;
    this.handler.onClose(error);
  }
}

export class MemoryNetwork implements Network {
  conditions: Conditions = PERFECT;
  readonly #listeners = new Map<number, (stream: Stream) => void>();
  #nextPort = 40_000;

  constructor(
    readonly clock: VirtualClock,
    readonly random: SeededRandom,
  ) {}

  listen(host: string, port: number, accept: (stream: Stream) => void): Listener {
    const bound = port > 0 ? port : this.#nextPort++;
    if (this.#listeners.has(bound)) throw new ListenError(`${host}:${bound}`, "bind: address already in use");
    this.#listeners.set(bound, accept);
    return { host, port: bound, close: () => void this.#listeners.delete(bound) };
  }

  /** Connects at once; undefined when nobody listens. The listener is told in a later turn. */
  connect(port: number, conditions = this.conditions): MemoryStream | undefined {
    const accept = this.#listeners.get(port);
    if (accept === undefined) return undefined;
    const own = this.#nextPort++;
    const near = new MemoryStream(this, conditions, "127.0.0.1", own, "127.0.0.1", port);
    const far = new MemoryStream(this, conditions, "127.0.0.1", port, "127.0.0.1", own);
    near.join(far);
    this.clock.event(0, () => {
      if (far.isClosed) return;
      if (this.#listeners.has(port)) accept(far);
      else far.break();
    });
    return near;
  }

  async dial(_host: string, port: number): Promise<Stream> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.clock.event(0, resolve);
    await promise;
    const stream = this.connect(port);
    if (stream === undefined) throw { code: "ECONNREFUSED", message: "connect ECONNREFUSED" } satisfies StreamError;
    return stream;
  }

  prepareTls(): TlsServerContext {
    return { id: "simulated" };
  }

  interfaceAddresses(): readonly string[] {
    return ["127.0.0.1"];
  }
}

/**
 * A plain TCP client of the JetStream load: it sends what it is given and reports every message as ranges of its read buffer. Acknowledgements and
 * deliveries differ in length, so each is parsed; nothing is copied.
 */
import type { Socket } from "bun";
import { fail } from "../failure.ts";
import type { Target } from "../spec.ts";

const CONNECT = `CONNECT ${JSON.stringify({ verbose: false, pedantic: false, lang: "bench", version: "1", protocol: 1, headers: true, no_responders: true, echo: true })}\r\nPING\r\n`;
const PENDING_BYTES_START = 256 * 1024;
const SPACE = 32;
const LF = 10;
const M = 77;
const H = 72;
const P = 80;

/** A message: all offsets are in `buffer`. Equal reply bounds mean no reply subject. */
export interface Arrival {
  buffer: Buffer;
  sid: number;
  replyStart: number;
  replyEnd: number;
  headerLength: number;
  bodyStart: number;
  bodyEnd: number;
}

export class Peer {
  /** Called for each message; the arrival is reused. */
  onMessage: (arrival: Arrival) => void = () => undefined;
  /** Called after each piece of input. */
  onRead: () => void = () => undefined;
  #socket: Socket<undefined> | undefined;
  #ready = Promise.withResolvers<void>();
  #pongs: (() => void)[] = [];
  #buffer = Buffer.allocUnsafe(PENDING_BYTES_START);
  #length = 0;
  #unsent: Buffer[] = [];
  #closing = false;
  readonly #arrival: Arrival = { buffer: this.#buffer, sid: 0, replyStart: 0, replyEnd: 0, headerLength: 0, bodyStart: 0, bodyEnd: 0 };

  static async open(target: Target): Promise<Peer> {
    const peer = new Peer();
    peer.#socket = await Bun.connect({
      hostname: target.host,
      port: target.port,
      socket: {
        data: (_socket, chunk) => peer.#data(chunk),
        drain: () => peer.#drain(),
        close: () => peer.#closed(),
        error: (_socket, error) => fail(`socket: ${error.message}`),
      },
    });
    await peer.#ready.promise;
    return peer;
  }

  /** Sends in order. The bytes must not change until they are out; `send` of a text copies it. */
  send(bytes: Buffer | string): void {
    const buffer = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    if (this.#unsent.length > 0) {
      this.#unsent.push(buffer);
      return;
    }
    const written = this.#socket?.write(buffer) ?? 0;
    if (written < buffer.length) this.#unsent.push(buffer.subarray(Math.max(0, written)));
  }

  flush(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pongs.push(resolve);
    this.send("PING\r\n");
    return promise;
  }

  close(): void {
    this.#closing = true;
    this.#socket?.end();
  }

  #drain(): void {
    while (this.#unsent.length > 0) {
      const written = this.#socket?.write(this.#unsent[0]) ?? 0;
      if (written < this.#unsent[0].length) {
        this.#unsent[0] = this.#unsent[0].subarray(Math.max(0, written));
        return;
      }
      this.#unsent.shift();
    }
  }

  #closed(): void {
    if (!this.#closing) fail("the server closed the connection");
  }

  #data(chunk: Buffer): void {
    if (this.#length === 0) {
      const rest = this.#parse(chunk, chunk.length);
      this.#keep(chunk, rest);
    } else {
      if (this.#buffer.length < this.#length + chunk.length) this.#buffer = Buffer.concat([this.#buffer.subarray(0, this.#length)], (this.#length + chunk.length) * 2);
      chunk.copy(this.#buffer, this.#length);
      const length = this.#length + chunk.length;
      const rest = this.#parse(this.#buffer, length);
      this.#buffer.copy(this.#buffer, 0, rest, length);
      this.#length = length - rest;
    }
    this.onRead();
  }

  #keep(chunk: Buffer, from: number): void {
    this.#length = chunk.length - from;
    if (this.#length === 0) return;
    if (this.#buffer.length < this.#length) this.#buffer = Buffer.allocUnsafe(this.#length * 2);
    chunk.copy(this.#buffer, 0, from);
  }

  /** Handles whole operations; returns where the first unfinished one starts. */
  #parse(buffer: Buffer, length: number): number {
    const arrival = this.#arrival;
    arrival.buffer = buffer;
    let at = 0;
    for (;;) {
      const end = buffer.indexOf(LF, at);
      if (end < 0 || end >= length) return at;
      const first = buffer[at];
      if (first !== M && first !== H) {
        this.#control(buffer, at, end, first);
        at = end + 1;
        continue;
      }
      // From the right: size, header size (HMSG), and what is between sid and them is the reply.
      let i = end - 2;
      let size = 0;
      for (let unit = 1; buffer[i] !== SPACE; i--, unit *= 10) size += (buffer[i] - 48) * unit;
      let headers = 0;
      if (first === H) for (let unit = 1, j = --i; ; unit *= 10) {
        if (buffer[j] === SPACE) {
          i = j;
          break;
        }
        headers += (buffer[j--] - 48) * unit;
      }
      if (end + 1 + size + 2 > length) return at;
      let s = buffer.indexOf(SPACE, at + (first === H ? 5 : 4)) + 1;
      let sid = 0;
      while (buffer[s] !== SPACE) sid = sid * 10 + buffer[s++] - 48;
      arrival.sid = sid;
      arrival.replyStart = Math.min(s + 1, i);
      arrival.replyEnd = i;
      arrival.headerLength = headers;
      arrival.bodyStart = end + 1;
      arrival.bodyEnd = end + 1 + size;
      this.onMessage(arrival);
      at = end + 1 + size + 2;
    }
  }

  #control(buffer: Buffer, at: number, end: number, first: number): void {
    if (first === P && buffer[at + 1] === 79) {
      const waiting = this.#pongs.shift();
      if (waiting === undefined) this.#ready.resolve();
      else waiting();
    } else if (first === P) this.send("PONG\r\n");
    else if (first === 73) {
      if (this.#pongs.length === 0) this.send(CONNECT);
    } else fail(`the server sent ${buffer.latin1Slice(at, end)}`);
  }
}

/** One request and its answer as JSON. The peer must have nothing else under way. */
export async function request<T>(peer: Peer, subject: string, body: unknown): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const payload = Buffer.from(body === undefined ? "" : JSON.stringify(body));
  const before = peer.onMessage;
  peer.onMessage = ({ buffer, bodyStart, headerLength, bodyEnd }) => resolve(JSON.parse(buffer.toString("utf8", bodyStart + headerLength, bodyEnd)) as T);
  peer.send(`SUB _INBOX.api 999\r\nPUB ${subject} _INBOX.api ${payload.length}\r\n${payload.toString("latin1")}\r\n`);
  const answer = await promise;
  peer.onMessage = before;
  peer.send("UNSUB 999\r\n");
  if (typeof answer === "object" && answer !== null && "error" in answer) throw new Error(`${subject}: ${JSON.stringify(answer.error)}`);
  return answer;
}

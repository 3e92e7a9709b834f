/**
 * A WebSocket client for tests that shows every frame: the upgrade is a plain HTTP request, frames are built and taken
 * apart here, so that a test can send broken ones and see how the server frames its own. Payloads of data frames
 * gather in `data` (inflated when compressed); frames themselves are kept in order.
 */

import { createHash, randomBytes } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { ByteStream } from './byte-stream.ts';
import type { RawSocket } from './raw-socket.ts';

/** One frame of either direction. */
export interface Frame {
  readonly fin: boolean;
  readonly rsv1: boolean;
  readonly opcode: number;
  readonly masked: boolean;
  readonly payload: Buffer;
}

/** A frame to send; only the payload is always needed. */
export interface OutgoingFrame {
  readonly payload: Buffer;
  readonly opcode?: number;
  readonly fin?: boolean;
  readonly rsv1?: boolean;
  readonly rsv2?: boolean;
  readonly rsv3?: boolean;
  readonly masked?: boolean;
}

/** The answer to an upgrade request. */
export interface Upgrade {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export class WebSocketClient {
  /** Payload bytes of the data frames, in order. */
  readonly data = new ByteStream();
  /** Data frames (text, binary, continuation) that were not asked for yet. */
  readonly dataFrames: Frame[] = [];
  /** Control frames (close, ping, pong) that were not asked for yet. */
  readonly controlFrames: Frame[] = [];
  readonly socket: RawSocket;
  readonly #wakers = new Set<() => void>();
  #unmasked: boolean;
  #compressed: Buffer[] | undefined;

  private constructor(socket: RawSocket, unmasked: boolean) {
    this.socket = socket;
    this.#unmasked = unmasked;
    void this.#readFrames();
  }

  /** Upgrades a fresh connection. Rejects when the answer is not 101 or its accept key is wrong. */
  static async upgrade(
    socket: RawSocket,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<{ readonly client: WebSocketClient; readonly answer: Upgrade }> {
    const key = randomBytes(16).toString('base64');
    const lines = [`GET ${path} HTTP/1.1`, 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Key: ${key}`,
      'Sec-WebSocket-Version: 13', ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), '', ''];
    socket.send(Buffer.from(lines.join('\r\n'), 'latin1'));
    const status = Number((await socket.received.readLine(2000)).split(' ')[1]);
    const answered = new Map<string, string>();
    for (let line = await socket.received.readLine(2000); line !== ''; line = await socket.received.readLine(2000)) {
      const colon = line.indexOf(':');
      answered.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    if (status !== 101) throw new Error(`upgrade answered with status ${status}`);
    const accept = createHash('sha1').update(key + GUID).digest('base64');
    if (answered.get('sec-websocket-accept') !== accept) throw new Error(`wrong Sec-WebSocket-Accept: ${answered.get('sec-websocket-accept') ?? 'none'}`);
    const unmasked = answered.get('nats-no-masking') === 'true';
    return { client: new WebSocketClient(socket, unmasked), answer: { status, headers: answered } };
  }

  /** Sends one frame; by default a complete, masked binary one. */
  send(frame: OutgoingFrame): void {
    const masked = frame.masked ?? !this.#unmasked;
    const { payload } = frame;
    const first = ((frame.fin ?? true) ? 0x80 : 0) | (frame.rsv1 === true ? 0x40 : 0) | (frame.rsv2 === true ? 0x20 : 0) |
      (frame.rsv3 === true ? 0x10 : 0) | (frame.opcode ?? 2);
    const mark = masked ? 0x80 : 0;
    let head: Buffer;
    if (payload.length < 126) head = Buffer.from([first, mark | payload.length]);
    else if (payload.length < 65536) head = Buffer.from([first, mark | 126, payload.length >> 8, payload.length & 0xff]);
    else {
      head = Buffer.alloc(10);
      head[0] = first;
      head[1] = mark | 127;
      head.writeBigUInt64BE(BigInt(payload.length), 2);
    }
    if (!masked) return this.socket.send(Buffer.concat([head, payload]));
    const key = randomBytes(4);
    const body = Buffer.from(payload.map((byte, index) => byte ^ (key[index & 3] ?? 0)));
    this.socket.send(Buffer.concat([head, key, body]));
  }

  /** Deflates bytes as one permessage-deflate message without context. */
  static deflate(bytes: Buffer): Buffer {
    return deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  }

  /** Waits for the next control frame. */
  async nextControlFrame(milliseconds = 2000): Promise<Frame> {
    return this.#next(this.controlFrames, 'a control frame', milliseconds);
  }

  /** Waits for the next data frame's shape; its payload is in {@link data} too. */
  async nextDataFrame(milliseconds = 2000): Promise<Frame> {
    return this.#next(this.dataFrames, 'a data frame', milliseconds);
  }

  async #next(queue: Frame[], what: string, milliseconds: number): Promise<Frame> {
    if (queue.length === 0 && !this.data.ended) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          if (queue.length === 0 && !this.data.ended) return;
          finish();
        };
        const finish = (): void => {
          clearTimeout(timer);
          this.#wakers.delete(done);
          resolve();
        };
        const timer = setTimeout(finish, milliseconds);
        this.#wakers.add(done);
      });
    }
    const frame = queue.shift();
    if (frame === undefined) throw new Error(`expected ${what}, got ${this.data.ended ? 'the end of the connection' : 'nothing'}`);
    return frame;
  }

  async #readFrames(): Promise<void> {
    const stream = this.socket.received;
    const forever = 600_000;
    try {
      for (;;) {
        const [first = 0, second = 0] = await stream.readBytes(2, forever);
        let length = second & 0x7f;
        if (length === 126) length = (await stream.readBytes(2, forever)).readUInt16BE();
        else if (length === 127) length = Number((await stream.readBytes(8, forever)).readBigUInt64BE());
        const key = (second & 0x80) === 0 ? undefined : await stream.readBytes(4, forever);
        const body = Buffer.from(await stream.readBytes(length, forever));
        const payload = key === undefined ? body : Buffer.from(body.map((byte, index) => byte ^ (key[index & 3] ?? 0)));
        this.#take({ fin: (first & 0x80) !== 0, rsv1: (first & 0x40) !== 0, opcode: first & 15, masked: key !== undefined, payload });
      }
    } catch {
      this.data.end();
    }
    this.#wake();
  }

  #take(frame: Frame): void {
    if (frame.opcode >= 8) this.controlFrames.push(frame);
    else {
      this.dataFrames.push(frame);
      this.#takeData(frame);
    }
    this.#wake();
  }

  #takeData(frame: Frame): void {
    if (frame.rsv1) this.#compressed = [];
    if (this.#compressed === undefined) return this.data.push(frame.payload);
    this.#compressed.push(frame.payload);
    if (!frame.fin) return;
    const whole = Buffer.concat([...this.#compressed, Buffer.from([0, 0, 0xff, 0xff])]);
    this.#compressed = undefined;
    this.data.push(inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH }));
  }

  #wake(): void {
    for (const waker of [...this.#wakers]) waker();
  }
}

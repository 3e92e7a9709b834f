/**
 * RFC 6455 as a client: the upgrade request, masked frames for what is sent, and the reader of unmasked frames.
 *
 * Masking costs the sender, not the server under test, so a buffer that is sent many times is framed and masked once.
 */
import { randomBytes } from "node:crypto";
import { fail } from "./failure.ts";

/** Payload of one frame: about what a client under load gathers before it flushes. */
const FRAME_BYTES = 8 * 1024;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

/** The HTTP request that opens the connection. */
export function upgradeRequest(host: string, port: number): Buffer {
  return Buffer.from(
    `GET / HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
}

function frame(payload: Buffer, opcode: number): Buffer {
  const extended = payload.length < 126 ? 0 : payload.length < 65536 ? 2 : 8;
  const bytes = Buffer.allocUnsafe(2 + extended + 4 + payload.length);
  bytes[0] = 0x80 | opcode;
  bytes[1] = 0x80 | (extended === 0 ? payload.length : extended === 2 ? 126 : 127);
  if (extended === 2) bytes.writeUInt16BE(payload.length, 2);
  if (extended === 8) bytes.writeBigUInt64BE(BigInt(payload.length), 2);
  const mask = randomBytes(4);
  mask.copy(bytes, 2 + extended);
  const start = 6 + extended;
  for (let i = 0; i < payload.length; i++) bytes[start + i] = payload[i] ^ mask[i & 3];
  return bytes;
}

/** `protocol` as masked binary frames. Frames may cut a message: to the server they are one stream of bytes. */
export function frames(protocol: Buffer): Buffer {
  const list: Buffer[] = [];
  for (let at = 0; at < protocol.length; at += FRAME_BYTES) list.push(frame(protocol.subarray(at, at + FRAME_BYTES), BINARY));
  return list.length === 1 ? list[0] : Buffer.concat(list);
}

/** Takes the server's bytes after the upgrade and passes on the payload of its data frames, in place. */
export class FrameReader {
  readonly #onPayload: (chunk: Buffer, at: number, end: number) => void;
  readonly #send: (bytes: Buffer) => void;
  /** The header being gathered: 2 bytes, then the extended length. */
  readonly #header = Buffer.alloc(10);
  #headerLength = 0;
  #remaining = 0;
  #opcode = 0;
  /** The payload of a control frame, or null in a data frame. */
  #control: Buffer | null = null;

  constructor(onPayload: (chunk: Buffer, at: number, end: number) => void, send: (bytes: Buffer) => void) {
    this.#onPayload = onPayload;
    this.#send = send;
  }

  feed(chunk: Buffer, at: number, end: number): void {
    while (at < end) {
      if (this.#remaining === 0) {
        this.#header[this.#headerLength++] = chunk[at++];
        this.#readHeader();
        continue;
      }
      const stop = Math.min(end, at + this.#remaining);
      if (this.#control === null) this.#onPayload(chunk, at, stop);
      else this.#control = Buffer.concat([this.#control, chunk.subarray(at, stop)]);
      this.#remaining -= stop - at;
      at = stop;
      if (this.#remaining === 0) this.#endOfFrame();
    }
  }

  #readHeader(): void {
    const header = this.#header;
    if (this.#headerLength < 2) return;
    if ((header[1] & 0x80) !== 0) return fail("the server masked a WebSocket frame");
    if ((header[0] & 0x70) !== 0) return fail("the server set reserved bits that were not negotiated");
    const short = header[1];
    const wanted = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#headerLength < wanted) return;
    this.#remaining = short < 126 ? short : short === 126 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2));
    this.#headerLength = 0;
    this.#opcode = header[0] & 0x0f;
    this.#control = this.#opcode >= CLOSE ? Buffer.alloc(0) : null;
    if (this.#remaining === 0) this.#endOfFrame();
  }

  #endOfFrame(): void {
    if (this.#opcode === PING) this.#send(frame(this.#control ?? Buffer.alloc(0), PONG));
    if (this.#opcode === CLOSE) fail(`the server closed the WebSocket: ${this.#control?.toString("latin1", 2)}`);
    this.#control = null;
  }
}

/**
 * A WebSocket as a `Stream`: what the link writes leaves in frames, what arrives in frames reaches the link as bytes. The link does not know the
 * difference, except that `announceClose` says goodbye in a close frame.
 *
 * Framed bytes that the kernel does not take at once are kept here, at most one write's worth; until they are out, `write` takes nothing.
 */
import type { Clock, Stream, StreamError, StreamHandler, TlsHandshake, TlsServerContext, TlsStream } from "../../platform/index.ts";
import { nodeZlib } from "../../util/builtin.ts";
import { closeCode, isValidCloseCode } from "./closecodes.ts";
import { type FrameHandler, FrameReader, Opcode } from "./frames.ts";

export interface WebsocketTraits {
  readonly compression: boolean;
  /** The peer masks its frames. */
  readonly masked: boolean;
  /** Frames to browsers are at most 4096 bytes. */
  readonly isBrowser: boolean;
  /** Safari does not take fragmented compressed messages. */
  readonly isSafari: boolean;
  /** Largest message of the connection, bytes; bounds what one compressed message may inflate to. */
  readonly maxPayload: () => number;
}

const NOT_HANDLED: StreamHandler = { onData() {}, onDrain() {}, onClose() {} };

const FINAL = 0x80;
const RSV1 = 0x40;
const HEADER_BYTES_MAX = 10;
const BROWSER_FRAME_BYTES_MAX = 4096;
/** What one kernel write carries at most, and so what may have to be kept. */
const WRITE_BYTES_MAX = 256 * 1024;
/** At or below this, compressing costs more than it saves. */
const COMPRESS_BYTES_MIN = 64;
/** A compressed message may be so many times larger than the largest payload, and never larger than the second bound. */
const COMPRESSED_FACTOR = 8;
const COMPRESSED_BYTES_MAX = 64 * 1024 * 1024;
const UNLIMITED_INFLATED_BYTES = 1024 * 1024;
/** Answers to pings that the peer does not read are bounded; beyond this it is cut off. */
const KEPT_BYTES_MAX = WRITE_BYTES_MAX + 64 * 1024;
const CLOSE_TEXT_BYTES_MAX = 123;
const CLOSE_WAIT_MS = 100;
const SYNC_TAIL_BYTES = 4;
const INFLATE_TAIL = Buffer.from([0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]);

export class WebsocketStream implements Stream, StreamHandler, FrameHandler {
  handler: StreamHandler = NOT_HANDLED;
  readonly #reader: FrameReader;
  #kept: Buffer | undefined = undefined;
  #closeSent = false;
  #ending = false;
  #gone = false;

  constructor(
    private readonly inner: Stream,
    private readonly traits: WebsocketTraits,
    private readonly clock: Clock,
  ) {
    this.#reader = new FrameReader(this, { masked: traits.masked, compression: traits.compression, compressedBytesMax: () => Math.min(COMPRESSED_FACTOR * this.#inflatedMax(), COMPRESSED_BYTES_MAX) });
    inner.handler = this;
  }

  get remoteAddress(): string {
    return this.inner.remoteAddress;
  }

  get remotePort(): number {
    return this.inner.remotePort;
  }

  get localAddress(): string {
    return this.inner.localAddress;
  }

  get localPort(): number {
    return this.inner.localPort;
  }

  // Out

  write(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#kept === undefined && !this.#gone) {
      const next = Math.min(end, at + WRITE_BYTES_MAX);
      this.#push(this.#frames(Buffer.from(bytes.buffer, bytes.byteOffset + at, next - at)));
      at = next;
    }
    return at - start;
  }

  #frames(payload: Buffer): Buffer {
    if (this.traits.compression && payload.length > COMPRESS_BYTES_MIN) return this.#compressedFrames(payload);
    return frameAll(payload, this.traits.isBrowser ? BROWSER_FRAME_BYTES_MAX : payload.length, Opcode.Binary | FINAL, Opcode.Binary | FINAL, FINAL);
  }

  #compressedFrames(payload: Buffer): Buffer {
    const { constants, deflateRawSync } = nodeZlib();
    const deflated = deflateRawSync(payload, { level: constants.Z_BEST_SPEED, finishFlush: constants.Z_SYNC_FLUSH });
    const body = deflated.subarray(0, deflated.length - SYNC_TAIL_BYTES);
    const limit = this.traits.isBrowser && !this.traits.isSafari ? BROWSER_FRAME_BYTES_MAX : body.length;
    return frameAll(body, limit, Opcode.Binary | RSV1, Opcode.Continuation, FINAL);
  }

  /** Hands framed bytes to the kernel, or keeps what it does not take. */
  #push(frames: Buffer): void {
    if (this.#kept !== undefined) {
      if (this.#kept.length + frames.length > KEPT_BYTES_MAX) return this.inner.terminate();
      this.#kept = Buffer.concat([this.#kept, frames]);
      return;
    }
    const taken = this.inner.write(frames, 0, frames.length);
    if (taken < frames.length) this.#kept = frames.subarray(taken);
  }

  #control(opcode: Opcode, payload: Buffer): void {
    if (this.#closeSent || this.#gone) return;
    if (opcode === Opcode.Close) this.#closeSent = true;
    this.#push(frameAll(payload, payload.length, opcode | FINAL, opcode | FINAL, FINAL));
  }

  announceClose(reason: string): void {
    const code = closeCode(reason);
    if (code !== undefined) this.#control(Opcode.Close, closeBody(code, reason));
  }

  end(): void {
    if (this.#kept === undefined) return this.inner.end();
    this.#ending = true;
    this.clock.after(CLOSE_WAIT_MS, () => this.inner.terminate());
  }

  terminate(): void {
    this.inner.terminate();
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  upgradeTls(_context: TlsServerContext, _initial: Uint8Array | undefined, _done: (result: TlsHandshake) => void): TlsStream {
    throw new Error("a WebSocket is below no TLS");
  }

  // In

  onData(bytes: Buffer): void {
    const error = this.#reader.read(bytes);
    if (error !== undefined) this.#fail(error);
  }

  onDrain(): void {
    const kept = this.#kept;
    if (kept !== undefined) {
      const taken = this.inner.write(kept, 0, kept.length);
      this.#kept = taken < kept.length ? kept.subarray(taken) : undefined;
      if (this.#kept !== undefined) return;
    }
    if (this.#ending) this.inner.end();
    else this.handler.onDrain();
  }

  onClose(error: StreamError | undefined): void {
    this.#leave(error);
  }

  onFrameData(bytes: Buffer): void {
    this.handler.onData(bytes);
  }

  onCompressedMessage(bytes: Buffer): void {
    let inflated: Buffer;
    try {
      inflated = nodeZlib().inflateRawSync(Buffer.concat([bytes, INFLATE_TAIL]), { maxOutputLength: this.#inflatedMax() });
    } catch {
      return this.#fail("invalid compressed message");
    }
    this.handler.onData(inflated);
  }

  onControlFrame(opcode: Opcode, payload: Buffer): void {
    if (opcode === Opcode.Ping) return this.#control(Opcode.Pong, payload);
    if (opcode !== Opcode.Close) return;
    if (payload.length === 1) return this.#fail("close frame payload cannot be 1 byte");
    const code = payload.length === 0 ? 0 : payload.readUInt16BE(0);
    if (payload.length > 0 && !isValidCloseCode(code)) return this.#fail(`invalid close status code ${code}`);
    const isText = isUtf8(payload.subarray(2));
    this.#control(Opcode.Close, isText ? Buffer.from(payload) : closeBody(1007, "invalid utf8 body in close frame"));
    this.#leave(undefined);
    this.end();
  }

  #inflatedMax(): number {
    const limit = this.traits.maxPayload();
    return limit < 0 ? UNLIMITED_INFLATED_BYTES : limit;
  }

  /** The peer broke the protocol: it is told as far as it still listens. */
  #fail(text: string): void {
    if (this.#gone) return;
    this.#control(Opcode.Close, closeBody(1002, text));
    this.#leave({ code: "EPROTO", message: text });
    this.end();
  }

  #leave(error: StreamError | undefined): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#reader.stopped = true;
    this.handler.onClose(error);
  }
}

/**
 * `payload` in frames of at most `limit` bytes: the first starts with `first`, later ones with `next`, the last one has `last` set as well.
 */
function frameAll(payload: Buffer, limit: number, first: number, next: number, last: number): Buffer {
  const size = Math.max(limit, 1);
  const count = Math.max(1, Math.ceil(payload.length / size));
  const framed = Buffer.allocUnsafeSlow(payload.length + count * HEADER_BYTES_MAX);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const start = i * size;
    const end = Math.min(payload.length, start + size);
    framed[at++] = (i === 0 ? first : next) | (i === count - 1 ? last : 0);
    at = putLength(framed, at, end - start);
    payload.copy(framed, at, start, end);
    at += end - start;
  }
  return framed.subarray(0, at);
}

function putLength(frame: Buffer, at: number, length: number): number {
  if (length < 126) {
    frame[at] = length;
    return at + 1;
  }
  if (length < 65_536) {
    frame[at] = 126;
    return frame.writeUInt16BE(length, at + 1);
  }
  frame[at] = 127;
  return frame.writeBigUInt64BE(BigInt(length), at + 1);
}

function closeBody(code: number, text: string): Buffer {
  let bytes = Buffer.from(text, "utf8");
  if (bytes.length > CLOSE_TEXT_BYTES_MAX) bytes = Buffer.concat([bytes.subarray(0, CLOSE_TEXT_BYTES_MAX - 3), Buffer.from("...")]);
  const body = Buffer.alloc(2 + bytes.length);
  body.writeUInt16BE(code, 0);
  bytes.copy(body, 2);
  return body;
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString("utf8"), "utf8").equals(bytes);
}

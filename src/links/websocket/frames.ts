/**
 * WebSocket frames from a peer. A streaming state machine: bytes in, in any split; out come data bytes (unmasked, in order, frame borders forgotten), control
 * frames and errors. Data is unmasked in the read buffer itself, moved together over the frame headers, and handed on in one piece per read.
 * RFC 6455, section 5; spec: WebSocket, section 3.
 */

export const enum Opcode {
  Continuation = 0,
  Text = 1,
  Binary = 2,
  Close = 8,
  Ping = 9,
  Pong = 10,
}

export interface FrameHandler {
  /** Bytes of uncompressed messages; valid during the call. */
  onFrameData(bytes: Buffer): void;
  /** A whole compressed message, as sent. */
  onCompressedMessage(bytes: Buffer): void;
  /** Payload is valid during the call. */
  onControlFrame(opcode: Opcode, payload: Buffer): void;
}

export interface FrameRules {
  /** Frames must be masked; false when no masking was negotiated: then they must not be. */
  readonly masked: boolean;
  readonly compression: boolean;
  /** Largest compressed message, bytes. */
  readonly compressedBytesMax: () => number;
}

const HEADER_BYTES_MAX = 14;
const CONTROL_BYTES_MAX = 125;
const NOTHING: Buffer = Buffer.alloc(0);

export class FrameReader {
  readonly #header = Buffer.alloc(HEADER_BYTES_MAX);
  #headerLength = 0;
  #headerNeeded = 2;

  #opcode = Opcode.Continuation;
  #final = false;
  #left = 0;
  readonly #mask = [0, 0, 0, 0];
  #maskAt = 0;
  #inFrame = false;

  #inMessage = false;
  #compressed = false;
  /** The compressed message so far, in `[0, #messageLength)`; one buffer, as a message may come in very many frames. */
  #message: Buffer = NOTHING;
  #messageLength = 0;

  readonly #control = Buffer.alloc(CONTROL_BYTES_MAX);
  #controlLength = 0;
  /** Set by a handler that is done with the connection. */
  stopped = false;

  constructor(
    private readonly handler: FrameHandler,
    private readonly rules: FrameRules,
  ) {}

  /** Takes one read, whose bytes it may overwrite. Returns the text of a protocol error, or undefined. */
  read(bytes: Buffer): string | undefined {
    let at = 0;
    let dataEnd = 0;
    let dataStart = 0;
    const end = bytes.length;
    const flush = (): void => {
      if (dataEnd > dataStart && !this.stopped) this.handler.onFrameData(bytes.subarray(dataStart, dataEnd));
      dataStart = dataEnd = at;
    };
    while (at < end && !this.stopped) {
      if (!this.#inFrame) {
        this.#header[this.#headerLength++] = bytes[at++];
        if (this.#headerLength < this.#headerNeeded) continue;
        const error = this.#headerComplete();
        if (error !== undefined) {
          flush();
          return error;
        }
        if (!this.#inFrame || this.#left > 0) continue;
      } else {
        const take = Math.min(this.#left, end - at);
        if (this.#opcode >= Opcode.Close) {
          this.#unmask(bytes, at, at + take, this.#control, this.#controlLength);
          this.#controlLength += take;
        } else if (this.#compressed) {
          if (this.#messageLength + take > this.rules.compressedBytesMax()) return "compressed message too large";
          this.#reserve(take);
          this.#unmask(bytes, at, at + take, this.#message, this.#messageLength);
          this.#messageLength += take;
        } else {
          this.#unmask(bytes, at, at + take, bytes, dataEnd);
          dataEnd += take;
        }
        at += take;
        this.#left -= take;
        if (this.#left > 0) break;
      }
      if (this.#opcode >= Opcode.Close || this.#compressed) flush();
      this.#frameComplete();
    }
    flush();
    return undefined;
  }

  /** Called with `#headerNeeded` bytes of header: asks for more, enters the frame, or says what is wrong. */
  #headerComplete(): string | undefined {
    const header = this.#header;
    const length = header[1] & 0x7f;
    if (this.#headerNeeded === 2) {
      const error = this.#checkStart(header[0], header[1], length);
      if (error !== undefined) return error;
      this.#headerNeeded = 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (this.rules.masked ? 4 : 0);
      if (this.#headerNeeded > 2) return undefined;
    }
    let at = 2;
    this.#left = length;
    if (length === 126) {
      this.#left = header.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (header[2] & 0x80) return "invalid 64-bit payload length";
      this.#left = Number(header.readBigUInt64BE(2));
      at = 10;
    }
    if (this.rules.masked) for (let i = 0; i < 4; i++) this.#mask[i] = header[at + i];
    this.#maskAt = 0;
    this.#headerLength = 0;
    this.#headerNeeded = 2;
    this.#inFrame = true;
    return undefined;
  }

  #checkStart(first: number, second: number, length: number): string | undefined {
    const opcode = first & 15;
    const compressed = (first & 0x40) !== 0;
    this.#final = (first & 0x80) !== 0;
    if (first & 0x30) return "RSV2 and RSV3 must be clear";
    if (compressed && !this.rules.compression) return "compressed frame received without negotiated permessage-deflate";
    if (this.rules.masked && !(second & 0x80)) return "mask bit missing";
    switch (opcode) {
      case Opcode.Close:
      case Opcode.Ping:
      case Opcode.Pong:
        if (length > CONTROL_BYTES_MAX) return "control frame length bigger than maximum allowed of 125 bytes";
        if (!this.#final) return "control frame does not have final bit set";
        if (compressed) return "control frame must not be compressed";
        this.#controlLength = 0;
        break;
      case Opcode.Text:
      case Opcode.Binary:
        if (this.#inMessage) return "new message started before final frame for previous message was received";
        this.#inMessage = true;
        this.#compressed = compressed;
        break;
      case Opcode.Continuation:
        if (!this.#inMessage || compressed) return "invalid continuation frame";
        break;
      default:
        return `unknown opcode ${opcode}`;
    }
    this.#opcode = opcode;
    return undefined;
  }

  #frameComplete(): void {
    this.#inFrame = false;
    if (this.#opcode >= Opcode.Close) return this.handler.onControlFrame(this.#opcode, this.#control.subarray(0, this.#controlLength));
    if (!this.#final) return;
    this.#inMessage = false;
    if (!this.#compressed) return;
    const message = this.#message.subarray(0, this.#messageLength);
    this.#compressed = false;
    this.#message = NOTHING;
    this.#messageLength = 0;
    this.handler.onCompressedMessage(message);
  }

  #reserve(bytes: number): void {
    const needed = this.#messageLength + bytes;
    if (needed <= this.#message.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#message.length));
    this.#message.copy(grown, 0, 0, this.#messageLength);
    this.#message = grown;
  }

  /** Moves `source[start, end)` to `target` at `at`, which may overlap from the left. Hot: four bytes a step. */
  #unmask(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
    if (!this.rules.masked) {
      source.copy(target, at, start, end);
      return;
    }
    const mask = this.#mask;
    let phase = this.#maskAt;
    const m0 = mask[phase & 3];
    const m1 = mask[(phase + 1) & 3];
    const m2 = mask[(phase + 2) & 3];
    const m3 = mask[(phase + 3) & 3];
    let from = start;
    while (from + 4 <= end) {
      target[at] = source[from] ^ m0;
      target[at + 1] = source[from + 1] ^ m1;
      target[at + 2] = source[from + 2] ^ m2;
      target[at + 3] = source[from + 3] ^ m3;
      at += 4;
      from += 4;
    }
    while (from < end) target[at++] = source[from++] ^ mask[phase++ & 3];
    this.#maskAt = (this.#maskAt + (end - start)) & 3;
  }
}

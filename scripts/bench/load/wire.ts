/**
 * The bytes of the NATS protocol that the load sends and expects, built once before a run.
 */

/** What fills a payload. */
const FILLER = 0x78;
const HEADER_BLOCK = "NATS/1.0\r\nNats-Msg-Id: 0123456789abcdef\r\nContent-Type: application/json\r\nTrace-Id: 4bf92f3577b34da6\r\n\r\n";
/** The least size of a precomputed buffer of publishes: big enough that the system calls do not count. */
const CHUNK_BYTES_MIN = 64 * 1024;

/** The shape of every message of a run. */
export interface MessageShape {
  readonly subject: string;
  readonly payloadBytes: number;
  /** With three headers, as HPUB and HMSG. */
  readonly headers?: boolean;
}

function withBody(controlLine: string, { payloadBytes, headers }: MessageShape): Buffer {
  const head = Buffer.from(`${controlLine}\r\n${headers ? HEADER_BLOCK : ""}`, "latin1");
  return Buffer.concat([head, Buffer.alloc(payloadBytes, FILLER), Buffer.from("\r\n")]);
}

function sizes({ payloadBytes, headers }: MessageShape): string {
  return headers ? `${HEADER_BLOCK.length} ${HEADER_BLOCK.length + payloadBytes}` : `${payloadBytes}`;
}

/** A PUB or HPUB. */
export function publish(shape: MessageShape, reply?: string): Buffer {
  const subjects = reply === undefined ? shape.subject : `${shape.subject} ${reply}`;
  return withBody(`${shape.headers ? "HPUB" : "PUB"} ${subjects} ${sizes(shape)}`, shape);
}

/** The MSG or HMSG that a server must send to subscription `sid` for it, byte for byte. */
export function delivery(shape: MessageShape, sid: number, reply?: string): Buffer {
  const middle = reply === undefined ? `${sid}` : `${sid} ${reply}`;
  return withBody(`${shape.headers ? "HMSG" : "MSG"} ${shape.subject} ${middle} ${sizes(shape)}`, shape);
}

/** A buffer of at least 64 KiB that repeats one message. */
export function chunkOf(message: Buffer): { readonly bytes: Buffer; readonly messages: number } {
  const messages = Math.max(1, Math.ceil(CHUNK_BYTES_MIN / message.length));
  const bytes = Buffer.allocUnsafe(messages * message.length);
  for (let at = 0; at < bytes.length; at += message.length) message.copy(bytes, at);
  return { bytes, messages };
}

/** Reads `digits` decimal digits. The caller knows that they are digits. */
export function decimalAt(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0;
  for (let end = at + digits; at < end; at++) value = value * 10 + bytes[at] - 48;
  return value;
}

/** Writes `value` as `digits` decimal digits with leading zeros. */
export function putDecimal(bytes: Uint8Array, at: number, digits: number, value: number): void {
  for (let i = at + digits - 1; i >= at; i--) {
    bytes[i] = 48 + (value % 10);
    value = Math.floor(value / 10);
  }
}

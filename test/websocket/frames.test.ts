/** The reader of WebSocket frames: the same bytes in any cut give the same data, control frames and errors as a reader that sees each frame whole. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type FrameHandler, FrameReader, Opcode } from "../../src/links/websocket/frames.ts";

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly key?: Buffer;
  /** Bytes of the length field instead of the fewest: 2 or 8. */
  readonly lengthBytes?: 2 | 8;
}

const KEY = Buffer.from([0x11, 0xa2, 0x33, 0xc4]);

function encode(frame: Frame, masked = true): Buffer {
  const { payload, key = KEY } = frame;
  const first = (frame.fin === false ? 0 : 0x80) | (frame.rsv ?? 0) | frame.opcode;
  const mark = masked ? 0x80 : 0;
  const wide = frame.lengthBytes ?? (payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8);
  const head = Buffer.alloc(2 + wide);
  head[0] = first;
  head[1] = mark | (wide === 0 ? payload.length : wide === 2 ? 126 : 127);
  if (wide === 2) head.writeUInt16BE(payload.length, 2);
  if (wide === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
  const body = masked ? Buffer.from(payload.map((byte, i) => byte ^ key[i & 3])) : payload;
  return Buffer.concat(masked ? [head, key, body] : [head, body]);
}

class Record implements FrameHandler {
  data: Buffer[] = [];
  readonly compressed: string[] = [];
  /** Control frames, with how many data bytes came before each. */
  readonly control: string[] = [];
  error: string | undefined = undefined;

  onFrameData(bytes: Buffer): void {
    this.data.push(Buffer.from(bytes));
  }
  onCompressedMessage(bytes: Buffer): void {
    this.compressed.push(`${this.length}:${bytes.toString("hex")}`);
  }
  onControlFrame(opcode: Opcode, payload: Buffer): void {
    this.control.push(`${this.length}:${opcode}:${payload.toString("hex")}`);
  }
  get length(): number {
    return this.data.reduce((sum, bytes) => sum + bytes.length, 0);
  }
  get summary(): object {
    return { data: Buffer.concat(this.data).toString("hex"), compressed: this.compressed, control: this.control, error: this.error };
  }
}

interface Rules {
  readonly masked?: boolean;
  readonly compression?: boolean;
  readonly max?: number;
}

/** Feeds `bytes` in pieces that end at `cuts`; each piece is overwritten after it was read, as the network's buffers are. */
function read(bytes: Buffer, cuts: readonly number[], rules: Rules = {}): Record {
  const record = new Record();
  const reader = new FrameReader(record, { masked: rules.masked ?? true, compression: rules.compression ?? false, compressedBytesMax: () => rules.max ?? 1_000_000 });
  const ends = [...new Set(cuts.filter((cut) => cut > 0 && cut < bytes.length))].sort((a, b) => a - b);
  let start = 0;
  for (const end of [...ends, bytes.length]) {
    const piece = Buffer.from(bytes.subarray(start, end));
    record.error = reader.read(piece);
    piece.fill(0xdd);
    if (record.error !== undefined) break;
    start = end;
  }
  return record;
}

const text = (value: string): Buffer => Buffer.from(value);

describe("data", () => {
  test("text and binary frames are unmasked and forgotten as frames", () => {
    const bytes = Buffer.concat([encode({ opcode: Opcode.Text, payload: text("PING\r") }), encode({ opcode: Opcode.Binary, payload: text("\nPONG\r\n") })]);
    const record = read(bytes, []);
    expect(Buffer.concat(record.data).toString()).toBe("PING\r\nPONG\r\n");
    expect(record.data.length).toBe(1);
  });

  test("every length from 0 to 300, and around each border of the length field, cut at every place of the header", () => {
    for (const length of [...Array(300).keys(), 65_534, 65_535, 65_536, 65_537, 200_000]) {
      const payload = Buffer.alloc(length, length & 255);
      const frame = encode({ opcode: Opcode.Binary, payload });
      for (let cut = 0; cut <= 15; cut++) {
        const record = read(frame, [cut]);
        expect(record.error).toBeUndefined();
        if (!Buffer.concat(record.data).equals(payload)) throw new Error(`length ${length}, cut at ${cut}`);
      }
    }
  });

  test("a length may be written wider than necessary", () => {
    for (const lengthBytes of [2, 8] as const) expect(Buffer.concat(read(encode({ opcode: 2, payload: text("x"), lengthBytes }), []).data).toString()).toBe("x");
  });

  test("without masking, payload is taken as it is", () => {
    const bytes = encode({ opcode: Opcode.Binary, payload: text("abc") }, false);
    expect(Buffer.concat(read(bytes, [1, 3], { masked: false }).data).toString()).toBe("abc");
  });

  test("a frame is handed on as it arrives, not when it is whole", () => {
    const record = new Record();
    const reader = new FrameReader(record, { masked: true, compression: false, compressedBytesMax: () => 0 });
    const frame = encode({ opcode: Opcode.Binary, payload: Buffer.alloc(1000, 7) });
    reader.read(Buffer.from(frame.subarray(0, 500)));
    expect(record.length).toBe(500 - 8);
  });

  test("a stopped reader hands on nothing more", () => {
    const record = new Record();
    const reader = new FrameReader(record, { masked: true, compression: false, compressedBytesMax: () => 0 });
    reader.stopped = true;
    expect(reader.read(encode({ opcode: 2, payload: text("abc") }))).toBeUndefined();
    expect(record.length).toBe(0);
  });
});

const KIND = fc.constantFrom("data", "fragmented", "compressed", "ping", "pong");
const MESSAGE = fc.record({ kind: KIND, payload: fc.uint8Array({ maxLength: 400 }), pieces: fc.array(fc.nat(400), { maxLength: 4 }), key: fc.uint8Array({ minLength: 4, maxLength: 4 }), inner: fc.boolean() });

/** Frames of one message, and what a reader must make of them. */
function framesOf(message: { kind: string; payload: Uint8Array; pieces: number[]; key: Uint8Array; inner: boolean }): Frame[] {
  const payload = Buffer.from(message.payload);
  const key = Buffer.from(message.key);
  if (message.kind === "data") return [{ opcode: Opcode.Binary, payload, key }];
  if (message.kind === "ping" || message.kind === "pong") return [{ opcode: message.kind === "ping" ? Opcode.Ping : Opcode.Pong, payload: payload.subarray(0, 125), key }];
  const cuts = [0, ...message.pieces.map((piece) => Math.min(piece, payload.length)).sort((a, b) => a - b), payload.length];
  const frames = cuts.slice(1).map((end, i): Frame => ({
    opcode: i === 0 ? Opcode.Text : Opcode.Continuation,
    payload: payload.subarray(cuts[i], end),
    fin: i === cuts.length - 2,
    rsv: i === 0 && message.kind === "compressed" ? 0x40 : 0,
    key,
  }));
  // A control frame may stand between fragments.
  return message.inner ? [frames[0], { opcode: Opcode.Ping, payload: Buffer.from("in"), key }, ...frames.slice(1)] : frames;
}

test("any messages, in any fragments, in any cut of the bytes, are the same", () => {
  fc.assert(
    fc.property(fc.array(MESSAGE, { maxLength: 8 }), fc.array(fc.nat(4000), { maxLength: 20 }), fc.boolean(), (messages, cuts, masked) => {
      const frames = messages.flatMap(framesOf);
      // A single-frame message with something inside it has its control frame behind it.
      const bytes = Buffer.concat(frames.map((frame) => encode(frame, masked)));
      const rules = { masked, compression: true };
      const whole = read(bytes, [], rules);
      expect(whole.error).toBeUndefined();
      expect(read(bytes, cuts, rules).summary).toEqual(whole.summary);
      expect(read(bytes, [...Array(bytes.length).keys()], rules).summary).toEqual(whole.summary);
      const data = messages.filter((message) => message.kind === "data" || message.kind === "fragmented").map((message) => Buffer.from(message.payload));
      expect(Buffer.concat(whole.data).equals(Buffer.concat(data))).toBe(true);
      expect(whole.compressed.map((entry) => entry.split(":")[1])).toEqual(messages.filter((message) => message.kind === "compressed").map((message) => Buffer.from(message.payload).toString("hex")));
    }),
    { numRuns: 300 },
  );
});

test("any bytes at all end in data, in an error or in waiting; never in an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300), { maxLength: 10 }), fc.boolean(), fc.boolean(), (bytes, cuts, masked, compression) => {
      const whole = read(Buffer.from(bytes), [], { masked, compression });
      const cut = read(Buffer.from(bytes), cuts, { masked, compression });
      expect(cut.summary).toEqual(whole.summary);
    }),
    { numRuns: 2000 },
  );
});

describe("errors", () => {
  const small = text("x");
  const cases: readonly (readonly [string, Buffer, string, Rules?])[] = [
    ["RSV2", encode({ opcode: 2, payload: small, rsv: 0x20 }), "RSV2 and RSV3 must be clear"],
    ["RSV3", encode({ opcode: 2, payload: small, rsv: 0x10 }), "RSV2 and RSV3 must be clear"],
    ["RSV1 without compression", encode({ opcode: 2, payload: small, rsv: 0x40 }), "compressed frame received without negotiated permessage-deflate"],
    ["no mask", encode({ opcode: 2, payload: small }, false), "mask bit missing"],
    ["a long control frame", encode({ opcode: Opcode.Ping, payload: Buffer.alloc(126) }), "control frame length bigger than maximum allowed of 125 bytes"],
    ["a control frame that is not final", encode({ opcode: Opcode.Ping, payload: small, fin: false }), "control frame does not have final bit set"],
    ["a compressed control frame", encode({ opcode: Opcode.Ping, payload: small, rsv: 0x40 }), "control frame must not be compressed", { compression: true }],
    ["a new message in a message", Buffer.concat([encode({ opcode: 2, payload: small, fin: false }), encode({ opcode: 2, payload: small })]), "new message started before final frame for previous message was received"],
    ["a continuation of nothing", encode({ opcode: 0, payload: small }), "invalid continuation frame"],
    ["a continuation behind a final frame", Buffer.concat([encode({ opcode: 2, payload: small }), encode({ opcode: 0, payload: small })]), "invalid continuation frame"],
    ["a compressed continuation", Buffer.concat([encode({ opcode: 2, payload: small, fin: false, rsv: 0x40 }), encode({ opcode: 0, payload: small, rsv: 0x40 })]), "invalid continuation frame", { compression: true }],
    ["opcode 3", encode({ opcode: 3, payload: small }), "unknown opcode 3"],
    ["opcode 11", encode({ opcode: 11, payload: small }), "unknown opcode 11"],
    ["a length with its top bit set", Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]), "invalid 64-bit payload length"],
    ["a compressed message beyond the limit", encode({ opcode: 2, payload: Buffer.alloc(11), rsv: 0x40 }), "compressed message too large", { compression: true, max: 10 }],
  ];
  for (const [name, bytes, expected, rules] of cases) {
    test(name, () => {
      for (let cut = 0; cut < bytes.length; cut++) expect(read(bytes, [cut], rules).error).toBe(expected);
    });
  }

  test("data before the error is handed on", () => {
    const record = read(Buffer.concat([encode({ opcode: 2, payload: text("PING\r\n") }), encode({ opcode: 3, payload: small })]), []);
    expect(Buffer.concat(record.data).toString()).toBe("PING\r\n");
    expect(record.error).toBe("unknown opcode 3");
  });

  test("the largest length that can be written reserves no memory", () => {
    const before = process.memoryUsage.rss();
    const record = read(Buffer.from([0xc2, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 1, 2, 3]), [], { compression: true });
    expect(record.error).toBeUndefined();
    expect(process.memoryUsage.rss() - before).toBeLessThan(50_000_000);
  });
});

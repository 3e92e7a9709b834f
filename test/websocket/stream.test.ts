/** The WebSocket as a stream: what a link writes reaches the peer whole whatever the kernel takes, compressed or not, and what the peer says comes out as bytes. */
import { describe, expect, test } from "bun:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { WebsocketStream, type WebsocketTraits } from "../../src/links/websocket/stream.ts";
import type { Clock, Stream, StreamError, StreamHandler, TlsStream } from "../../src/platform/index.ts";
import { VirtualClock } from "../sim/clock.ts";
import { SeededRandom } from "../sim/random.ts";

const PLAIN: WebsocketTraits = { compression: false, masked: false, isBrowser: false, isSafari: false, maxPayload: () => 1024 * 1024 };

/** A kernel that takes as many bytes as it is told to. */
class Kernel implements Stream {
  handler: StreamHandler = { onData() {}, onDrain() {}, onClose() {} };
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort = 1;
  readonly localAddress = "192.0.2.2";
  readonly localPort = 2;
  readonly sent: Buffer[] = [];
  /** Bytes it takes until the next drain. */
  room = Number.POSITIVE_INFINITY;
  state: "open" | "ended" | "terminated" = "open";
  paused = false;

  write(bytes: Uint8Array, start: number, end: number): number {
    const taken = Math.min(this.room, end - start);
    this.room -= taken;
    if (taken > 0) this.sent.push(Buffer.from(bytes.subarray(start, start + taken)));
    return taken;
  }
  drain(room: number): void {
    this.room = room;
    this.handler.onDrain();
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {
    if (this.state === "open") this.state = "ended";
  }
  terminate(): void {
    this.state = "terminated";
  }
  upgradeTls(): TlsStream {
    throw new Error("no TLS on top of a WebSocket");
  }
}

interface Frame {
  readonly fin: boolean;
  readonly rsv1: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Takes apart what a server sent; throws when the last frame is not whole. */
function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [first, second] = bytes.subarray(at);
    if ((second & 0x80) !== 0) throw new Error("a server does not mask");
    let length = second & 0x7f;
    at += 2;
    if (length === 126) {
      length = bytes.readUInt16BE(at);
      at += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(at));
      at += 8;
    }
    if (at + length > bytes.length) throw new Error("cut frame");
    frames.push({ fin: (first & 0x80) !== 0, rsv1: (first & 0x40) !== 0, opcode: first & 15, payload: bytes.subarray(at, at + length) });
    at += length;
  }
  return frames;
}

/** The data of all messages. */
function dataOf(frames: readonly Frame[]): Buffer {
  const data: Buffer[] = [];
  let parts: Buffer[] = [];
  let compressed = false;
  for (const frame of frames) {
    if (frame.opcode >= 8) continue;
    if (frame.opcode !== 0) compressed = frame.rsv1;
    parts.push(frame.payload);
    if (!frame.fin) continue;
    const message = Buffer.concat(parts);
    data.push(compressed ? inflateRawSync(Buffer.concat([message, Buffer.from([0, 0, 255, 255, 1, 0, 0, 255, 255])])) : message);
    parts = [];
  }
  expect(parts.length).toBe(0);
  return Buffer.concat(data);
}

class Link implements StreamHandler {
  readonly received: Buffer[] = [];
  closed: { readonly error: StreamError | undefined } | undefined = undefined;
  drains = 0;
  onData(bytes: Buffer): void {
    this.received.push(Buffer.from(bytes));
  }
  onDrain(): void {
    this.drains++;
  }
  onClose(error: StreamError | undefined): void {
    this.closed = { error };
  }
}

function open(traits: Partial<WebsocketTraits> = {}): { kernel: Kernel; stream: WebsocketStream; link: Link; clock: VirtualClock } {
  const kernel = new Kernel();
  const clock = new VirtualClock(new SeededRandom(1));
  const stream = new WebsocketStream(kernel, { ...PLAIN, ...traits }, clock as Clock);
  const link = new Link();
  stream.handler = link;
  return { kernel, stream, link, clock };
}

function unmaskedFrame(first: number, payload: Buffer): Buffer {
  if (payload.length < 126) return Buffer.concat([Buffer.from([first, payload.length]), payload]);
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}

function deflate(bytes: Buffer): Buffer {
  return deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

describe("out", () => {
  const TRAITS = fc.record({ compression: fc.boolean(), isBrowser: fc.boolean(), isSafari: fc.boolean() });

  test("whatever the kernel takes at a time, the peer gets the bytes once, in order, in whole frames", () => {
    fc.assert(
      fc.property(TRAITS, fc.array(fc.nat(40_000), { minLength: 1, maxLength: 6 }), fc.array(fc.nat(30_000), { maxLength: 20 }), fc.boolean(), (traits, sizes, rooms, ping) => {
        const { kernel, stream, link } = open(traits);
        const all = Buffer.concat(sizes.map((size, i) => Buffer.from(`${i}-abc `.repeat(size / 6 + 1).slice(0, size))));
        kernel.room = rooms.shift() ?? Number.POSITIVE_INFINITY;
        let at = 0;
        let next = 0;
        // The link offers what it has, and more after each drain, as `Outbound` does.
        while (at < all.length || kernel.room === 0) {
          next = Math.min(all.length, Math.max(next, at + (sizes[at % sizes.length] ?? 1) + 1));
          const taken = stream.write(all, at, next);
          at += taken;
          if (ping && at > all.length / 2) {
            kernel.handler.onData(unmaskedFrame(0x89, Buffer.from("hi")));
            ping = false;
          }
          if (taken === 0 || kernel.room === 0) kernel.drain((rooms.shift() ?? Number.POSITIVE_INFINITY) + 1);
          if (at === all.length && kernel.room > 0) break;
        }
        kernel.drain(Number.POSITIVE_INFINITY);
        const frames = framesIn(Buffer.concat(kernel.sent));
        expect(dataOf(frames).equals(all)).toBe(true);
        if (traits.isBrowser && !(traits.compression && traits.isSafari)) for (const frame of frames) expect(frame.payload.length).toBeLessThanOrEqual(4096);
        expect(link.closed).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  test("one write is one frame with the shortest length field", () => {
    for (const [size, head] of [[1, 2], [125, 2], [126, 4], [65_535, 4], [65_536, 10]] as const) {
      const { kernel, stream } = open();
      expect(stream.write(Buffer.alloc(size), 0, size)).toBe(size);
      const sent = Buffer.concat(kernel.sent);
      expect(sent.length).toBe(size + head);
      expect(sent[0]).toBe(0x82);
      expect(kernel.sent.length).toBe(1);
    }
  });

  test("64 bytes are not compressed, 65 are", () => {
    for (const [size, first] of [[64, 0x82], [65, 0xc2]] as const) {
      const { kernel, stream } = open({ compression: true });
      stream.write(Buffer.alloc(size), 0, size);
      expect(kernel.sent[0][0]).toBe(first);
    }
  });

  test("a browser gets messages of 4096 bytes, or fragments when compressed; Safari gets no fragments", () => {
    const noise = Buffer.from(new SeededRandom(7).bytes(10_000));
    const shape = (traits: Partial<WebsocketTraits>): string[] => {
      const { kernel, stream } = open(traits);
      stream.write(noise, 0, noise.length);
      const frames = framesIn(Buffer.concat(kernel.sent));
      expect(dataOf(frames).equals(noise)).toBe(true);
      return frames.map((frame) => `${frame.opcode}${frame.rsv1 ? "z" : ""}${frame.fin ? "." : ""}`);
    };
    expect(shape({ isBrowser: true })).toEqual(["2.", "2.", "2."]);
    const fragments = shape({ isBrowser: true, compression: true });
    expect(fragments[0]).toBe("2z");
    expect(fragments.slice(1, -1).every((frame) => frame === "0")).toBe(true);
    expect(fragments.at(-1)).toBe("0.");
    expect(shape({ isBrowser: true, compression: true, isSafari: true })).toEqual(["2z."]);
  });

  test("the close frame goes out behind kept bytes, and the connection ends behind it", () => {
    const { kernel, stream } = open();
    kernel.room = 10;
    stream.write(Buffer.alloc(100, 65), 0, 100);
    stream.announceClose("Server Shutdown");
    stream.end();
    expect(kernel.state).toBe("open");
    kernel.drain(Number.POSITIVE_INFINITY);
    const frames = framesIn(Buffer.concat(kernel.sent));
    expect(frames.map((frame) => frame.opcode)).toEqual([2, 8]);
    expect(frames[1].payload.toString("latin1")).toBe("\x03\xe9Server Shutdown");
    expect(kernel.state).toBe("ended");
  });

  test("a peer that does not take the last bytes is cut off after 100 ms", async () => {
    const { kernel, stream, clock } = open();
    kernel.room = 0;
    stream.write(Buffer.alloc(10), 0, 10);
    stream.end();
    await clock.advance(99);
    expect(kernel.state).toBe("open");
    await clock.advance(2);
    expect(kernel.state).toBe("terminated");
  });

  test("each reason has its status, and some are not told at all", () => {
    const statusOf = (reason: string): number | undefined => {
      const { kernel, stream } = open();
      stream.announceClose(reason);
      return kernel.sent[0]?.readUInt16BE(2);
    };
    const table: Readonly<Record<string, number | undefined>> = {
      "Client Closed": 1000,
      "Authentication Timeout": 1008,
      "Authentication Failure": 1008,
      "Authentication Expired": 1008,
      "Maximum Account Connections Exceeded": 1008,
      "Maximum Connections Exceeded": 1008,
      "Maximum Control Line Exceeded": 1008,
      "Maximum Subscriptions Exceeded": 1008,
      "Missing Account": 1008,
      "Credentials Revoked": 1008,
      "Parse Error": 1002,
      "Protocol Violation": 1002,
      "Bad Client Protocol Version": 1002,
      "Maximum Message Payload Exceeded": 1009,
      "Stale Connection": 1001,
      "Server Shutdown": 1001,
      Kicked: 1011,
      "No Responders Requires Headers": 1011,
      "Proxy Required": 1011,
      "Duplicate Client ID": 1011,
      "Read Error": undefined,
      "Write Error": undefined,
      "Slow Consumer (Pending Bytes)": undefined,
      "Slow Consumer (Write Deadline)": undefined,
      "TLS Handshake Failure": undefined,
    };
    for (const [reason, status] of Object.entries(table)) expect([reason, statusOf(reason)]).toEqual([reason, status]);
  });

  test("one close frame per connection", () => {
    const { kernel, stream } = open();
    stream.announceClose("Server Shutdown");
    stream.announceClose("Kicked");
    expect(kernel.sent.length).toBe(1);
  });

  test("pings that are not read do not pile up without end", () => {
    const { kernel } = open();
    kernel.room = 0;
    const ping = unmaskedFrame(0x89, Buffer.alloc(125));
    for (let i = 0; i < 10_000 && kernel.state === "open"; i++) kernel.handler.onData(Buffer.from(ping));
    expect(kernel.state).toBe("terminated");
  });

  test("pause, resume and drain pass through", () => {
    const { kernel, stream, link } = open();
    stream.pause();
    expect(kernel.paused).toBe(true);
    stream.resume();
    expect(kernel.paused).toBe(false);
    kernel.drain(1);
    expect(link.drains).toBe(1);
  });
});

describe("in", () => {
  const received = (link: Link): string => Buffer.concat(link.received).toString();

  test("a ping is answered with its payload, a pong with nothing", () => {
    const { kernel, link } = open();
    kernel.handler.onData(unmaskedFrame(0x89, Buffer.from("abc")));
    kernel.handler.onData(unmaskedFrame(0x8a, Buffer.from("abc")));
    expect(Buffer.concat(kernel.sent).toString("latin1")).toBe("\x8a\x03abc");
    expect(link.received.length).toBe(0);
  });

  test("a close frame is echoed and ends the connection in order", () => {
    for (const [payload, answer] of [
      ["", ""],
      ["\x03\xe8", "\x03\xe8"],
      ["\x03\xe8bye", "\x03\xe8bye"],
      ["\x0f\xa0own", "\x0f\xa0own"],
      ["\x03\xe8\xff", "\x03\xefinvalid utf8 body in close frame"],
    ]) {
      const { kernel, link } = open();
      kernel.handler.onData(unmaskedFrame(0x88, Buffer.from(payload, "latin1")));
      expect(framesIn(Buffer.concat(kernel.sent))[0].payload.toString("latin1")).toBe(answer);
      expect(link.closed).toEqual({ error: undefined });
      expect(kernel.state).toBe("ended");
    }
  });

  test("a close frame that breaks the rules is a protocol error", () => {
    const bad = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map((code) => [`invalid close status code ${code}`, Buffer.from([code >> 8, code & 255])] as const);
    for (const [text, payload] of [...bad, ["close frame payload cannot be 1 byte", Buffer.from([3])] as const]) {
      const { kernel, link } = open();
      kernel.handler.onData(unmaskedFrame(0x88, payload));
      const [close] = framesIn(Buffer.concat(kernel.sent));
      expect(close.payload.readUInt16BE(0)).toBe(1002);
      expect(close.payload.toString("latin1", 2)).toBe(text);
      expect(link.closed?.error?.code).toBe("EPROTO");
    }
  });

  test("compressed and plain messages are read in turn", () => {
    const { kernel, link } = open({ compression: true });
    kernel.handler.onData(Buffer.concat([unmaskedFrame(0xc2, deflate(Buffer.from("PING\r\n".repeat(20)))), unmaskedFrame(0x82, Buffer.from("PONG\r\n")), unmaskedFrame(0xc1, deflate(Buffer.from("PING\r\n")))]));
    expect(received(link)).toBe(`${"PING\r\n".repeat(20)}PONG\r\nPING\r\n`);
  });

  test("a compressed message in a thousand fragments is one message", () => {
    const { kernel, link } = open({ compression: true });
    const body = Buffer.from("PUB a 5\r\nhello\r\n".repeat(5000));
    const deflated = deflateRawSync(body, { level: 0, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
    for (let at = 0; at < deflated.length; at += 70) {
      const isLast = at + 70 >= deflated.length;
      kernel.handler.onData(unmaskedFrame((at === 0 ? 0x42 : 0) | (isLast ? 0x80 : 0), Buffer.from(deflated.subarray(at, at + 70))));
    }
    expect(received(link)).toBe(body.toString());
  });

  test("a message may inflate to the largest payload, and not to one byte more", () => {
    for (const [size, ok] of [[1000, true], [1001, false]] as const) {
      const { kernel, link } = open({ compression: true, maxPayload: () => 1000 });
      kernel.handler.onData(unmaskedFrame(0xc2, deflate(Buffer.alloc(size, 65))));
      expect(received(link).length).toBe(ok ? size : 0);
      expect(link.closed?.error?.code).toBe(ok ? undefined : "EPROTO");
    }
  });

  test("a bomb costs no more memory than it may inflate to", () => {
    const bomb = deflate(Buffer.alloc(200_000_000));
    const { kernel, link } = open({ compression: true });
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    kernel.handler.onData(unmaskedFrame(0xc2, bomb));
    expect(link.closed?.error?.code).toBe("EPROTO");
    expect(process.memoryUsage.rss() - before).toBeLessThan(60_000_000);
  });

  test("corrupt compressed data ends the connection, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (noise) => {
        const { kernel, link } = open({ compression: true });
        kernel.handler.onData(unmaskedFrame(0xc2, Buffer.from(noise)));
        expect(link.closed === undefined || link.closed.error?.code === "EPROTO").toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("nothing is read behind an error or a close frame", () => {
    const { kernel, link } = open();
    kernel.handler.onData(Buffer.concat([unmaskedFrame(0x88, Buffer.alloc(0)), unmaskedFrame(0x82, Buffer.from("PING\r\n"))]));
    kernel.handler.onData(unmaskedFrame(0x82, Buffer.from("PING\r\n")));
    expect(link.received.length).toBe(0);
  });
});

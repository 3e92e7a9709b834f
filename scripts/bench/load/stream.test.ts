/** The reader of the load must be right about every way in which TCP may cut what a server sends. */
import { describe, expect, test } from "bun:test";
import { orFailure } from "./failure.ts";
import { MessageStream } from "./stream.ts";
import { FrameReader } from "./websocket.ts";
import { delivery } from "./wire.ts";

const message = delivery({ subject: "bench.flow", payloadBytes: 16 }, 1);
const wire = Buffer.concat([Buffer.from('INFO {"max_payload":1}\r\n'), message, message, Buffer.from("PING\r\n"), message, Buffer.from("PONG\r\n")]);

/** Feeds `wire` in pieces that end at `cuts`, to a stream that records what it sees. */
function read(cuts: readonly number[], withContents: boolean): { messages: number; lines: string[]; contents: string[] } {
  const lines: string[] = [];
  const contents: string[] = [];
  const stream = new MessageStream({
    message,
    onControl: (line) => lines.push(line),
    onMessage: withContents ? (bytes, at) => contents.push(Buffer.from(bytes.subarray(at, at + message.length)).toString()) : undefined,
  });
  let at = 0;
  for (const cut of [...cuts, wire.length]) {
    stream.feed(wire, at, cut);
    at = cut;
  }
  return { messages: stream.messages, lines, contents };
}

describe("MessageStream", () => {
  test("finds every message and control line, wherever the input is cut", () => {
    for (let first = 0; first <= wire.length; first++) {
      for (let second = first; second <= wire.length; second += 7) {
        const { messages, lines, contents } = read([first, second], true);
        expect(messages).toBe(3);
        expect(lines).toEqual(['INFO {"max_payload":1}', "PING", "PONG"]);
        expect(contents).toEqual([message.toString(), message.toString(), message.toString()]);
      }
    }
  });

  test("counts the same without looking at the contents, byte by byte", () => {
    const { messages, lines } = read(Array.from(wire.keys()), false);
    expect(messages).toBe(3);
    expect(lines).toEqual(['INFO {"max_payload":1}', "PING", "PONG"]);
  });

  test("fails the run when a message is not what was published", async () => {
    const stream = new MessageStream({ message, onControl: () => {} });
    const wrong = Buffer.from(message);
    wrong[wrong.length - 5] = 0x79;
    stream.feed(wrong, 0, wrong.length);
    await expect(orFailure(new Promise(() => {}))).rejects.toThrow("not what was published");
  });
});

describe("FrameReader", () => {
  test("passes on the payload of frames of every length form, wherever the input is cut, and answers a ping", () => {
    const payloads = [Buffer.from("short"), Buffer.alloc(300, 1), Buffer.alloc(70_000, 2)];
    const long = Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
    const input = Buffer.concat([
      Buffer.from([0x82, 5]), payloads[0], Buffer.from([0x89, 2, 0x68, 0x69]), Buffer.from([0x82, 126, 1, 44]), payloads[1], long, payloads[2],
    ]);
    for (const cut of [1, 2, 3, 7, 8, 10, 11, 12, 13, 14, 15, 314, 315, 320, 325, 326, 1000]) {
      const got: Buffer[] = [];
      const sent: Buffer[] = [];
      const reader = new FrameReader((chunk, at, end) => got.push(Buffer.from(chunk.subarray(at, end))), (bytes) => sent.push(bytes));
      reader.feed(input, 0, cut);
      reader.feed(input, cut, input.length);
      expect(Buffer.concat(got).equals(Buffer.concat(payloads))).toBe(true);
      expect(sent.map((bytes) => [bytes[0], bytes[1]])).toEqual([[0x8a, 0x82]]);
    }
  });
});

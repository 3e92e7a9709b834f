/** The fenced hot path of a delivery against the plain one: the same bytes for every message and receiver. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { encodeDelivery, encodePlainly } from "../../src/links/client/encode.ts";
import { internalMessage } from "../../src/links/client/noresponders.ts";
import { Outbound } from "../../src/links/outbound.ts";
import { Turn } from "../../src/links/turn.ts";
import type { Stream } from "../../src/platform/index.ts";
import { type OperationHandler, FirstOperation, ParseError, Parser } from "../../src/protocol/parser.ts";
import { Message } from "../../src/routing/message.ts";
import { Delivery, type Subscriber, Subscription } from "../../src/routing/subscription.ts";

const nobody: Subscriber = { deliver: () => Delivery.Delivered, judge: () => Delivery.Delivered, describe: () => ({ kind: 0, cid: 1 }) };
const stream = { write: () => 0 } as unknown as Stream;
const clock = { endOfTurn: () => undefined, monotonicMs: () => 0 } as unknown as ConstructorParameters<typeof Turn>[0];

function outbound(): Outbound {
  return new Outbound(stream, new Turn(clock), { onBlocked: () => undefined, onLowWater: () => undefined }, () => 0);
}

type Encode = typeof encodeDelivery;

function encoded(encode: Encode, message: Message, subscription: Subscription, subject: Buffer, takesHeaders: boolean): { bytes: string; size: number } {
  const out = outbound();
  const size = encode(out, subscription, message, subject, takesHeaders);
  return { bytes: out.buffer.latin1Slice(out.start, out.end), size };
}

/** Parses one publish and hands the view to `use`. */
function withMessage(wire: Buffer, use: (message: Message) => void): void {
  let used = 0;
  const ignore = (): void => undefined;
  const handler: OperationHandler = { onPublish: (message) => { used++; use(message); }, onSubscribe: ignore, onUnsubscribe: ignore, onConnect: ignore, onInfo: ignore, onPing: ignore, isTurnSpent: () => false, onPong: ignore, onOk: ignore, onError: ignore, onFirstOperation: () => FirstOperation.Go };
  const parser = new Parser(handler, new Message(), 4096, 1 << 20);
  parser.headers = true;
  expect(parser.parse(wire)).toBe(ParseError.None);
  expect(used).toBe(1);
}

const blank = fc.constantFrom(" ", "  ", "\t");
const body = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

test("fast and plain encodings agree for every publish and receiver", () => {
  fc.assert(
    fc.property(fc.record({ blank, body, reply: fc.option(fc.constantFrom("r", "_INBOX.abc.1")), header: fc.option(fc.constantFrom("NATS/1.0\r\n\r\n", "NATS/1.0\r\nA: b\r\n\r\n")), end: fc.constantFrom("\r\n", "\n"), zeros: fc.constantFrom("", "00"), sid: fc.constantFrom("1", "123456", "abc"), mapped: fc.boolean(), takesHeaders: fc.boolean() }), (c) => {
      const total = (c.header?.length ?? 0) + c.body.length;
      const sizes = c.header === null ? `${c.zeros}${total}` : `${c.zeros}${c.header.length}${c.blank}${total}`;
      const line = `${c.header === null ? "PUB" : "HPUB"}${c.blank}foo.bar${c.blank}${c.reply === null ? "" : `${c.reply}${c.blank}`}${sizes}${c.end}`;
      const subject = Buffer.from(c.mapped ? "mapped.to.something" : "foo.bar");
      withMessage(Buffer.concat([Buffer.from(line + (c.header ?? "")), c.body, Buffer.from("\r\n")]), (message) => {
        const subscription = new Subscription(nobody, "foo.*", "", c.sid);
        const fast = encoded(encodeDelivery, message, subscription, subject, c.takesHeaders);
        expect(fast).toEqual(encoded(encodePlainly, message, subscription, subject, c.takesHeaders));
        const shown = c.header !== null && c.takesHeaders;
        const delivered = shown ? total : c.body.length;
        const sizeText = shown ? `${c.zeros}${c.header?.length} ${total}` : c.header === null ? `${c.zeros}${total}` : `${c.body.length}`;
        expect(fast.size).toBe(delivered);
        expect(fast.bytes).toBe(`${shown ? "HMSG" : "MSG"} ${subject} ${c.sid} ${c.reply === null ? "" : `${c.reply} `}${sizeText}\r\n${shown ? c.header : ""}${c.body.latin1Slice()}\r\n`);
      });
    }),
    { numRuns: 1000 },
  );
});

test("a message of the server: no reply is one blank, an empty reply two", () => {
  const subscription = new Subscription(nobody, "s", "", "9");
  const wire = (reply: string | undefined, header: string): string => encoded(encodeDelivery, internalMessage("s", reply, header, "hi"), subscription, Buffer.from("s"), true).bytes;
  expect(wire(undefined, "")).toBe("MSG s 9 2\r\nhi\r\n");
  expect(wire("", "")).toBe("MSG s 9  2\r\nhi\r\n");
  expect(wire("r", "")).toBe("MSG s 9 r 2\r\nhi\r\n");
  expect(wire(undefined, "NATS/1.0\r\n\r\n")).toBe("HMSG s 9 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
});

/** The client parser: the same operations whatever the input is split into, and the same verdict on bad input. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FirstOperation, type OperationHandler, ParseError, Parser } from "../../src/protocol/parser.ts";
import { hashSubject } from "../../src/routing/interest.ts";
import { Message } from "../../src/routing/message.ts";

class Recorder implements OperationHandler {
  readonly operations: string[] = [];
  onPublish(message: Message, hash: number): void {
    const text = (start: number, end: number): string => message.buffer.latin1Slice(start, end);
    const subject = text(message.subjectStart, message.subjectEnd);
    expect(hash).toBe(hashSubject(subject));
    if (message.tailStart >= 0) {
      const reply = message.reply();
      expect(text(message.tailStart, message.bodyStart)).toBe(`${reply === "" ? "" : ` ${reply}`} ${text(message.sizesStart, message.sizesEnd)}\r\n`);
    }
    this.operations.push(`pub ${subject} [${message.reply()}] ${message.headerLength} ${text(message.sizesStart, message.sizesEnd).replace(/[ \t]+/g, " ")} ${text(message.bodyStart, message.bodyEnd)}`);
  }
  onSubscribe(subject: string, queue: string, sid: string): void {
    this.operations.push(`sub ${subject} [${queue}] ${sid}`);
  }
  onUnsubscribe(sid: string, max: number): void {
    this.operations.push(`unsub ${sid} ${max}`);
  }
  onConnect(json: Buffer): void {
    this.operations.push(`connect ${json.toString()}`);
  }
  onInfo(json: Buffer): void {
    this.operations.push(`info ${json.toString()}`);
  }
  isTurnSpent(): boolean {
    return false;
  }
  onPing(): void {
    this.operations.push("ping");
  }
  onPong(): void {
    this.operations.push("pong");
  }
  onOk(): void {
    this.operations.push("ok");
  }
  onError(text: string): void {
    this.operations.push(`err ${text}`);
  }
  onFirstOperation(): FirstOperation {
    return FirstOperation.Go;
  }
}

const LINE_MAX = 128;
const PAYLOAD_MAX = 70_000;

function run(chunks: readonly Buffer[]): { operations: string[]; error: ParseError; held: number } {
  const recorder = new Recorder();
  const parser = new Parser(recorder, new Message(), LINE_MAX, PAYLOAD_MAX);
  parser.headers = true;
  for (const chunk of chunks) {
    let error = parser.parse(chunk);
    while (error === ParseError.None && parser.hasWaiting) error = parser.proceed();
    if (error !== ParseError.None) return { operations: recorder.operations, error, held: parser.heldBytes };
  }
  return { operations: recorder.operations, error: ParseError.None, held: parser.heldBytes };
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((place, index) => Buffer.from(bytes.subarray(place, places[index])));
}

const blank = fc.constantFrom(" ", "  ", "\t", " \t ");
const lineEnd = fc.constantFrom("\r\n", "\r\n", "\n");
const subject = fc.constantFrom("a", "foo.bar", "x.*", "é\u0000", ">", "a..b");
const payload = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom("\r\n", "PING\r\n", "", "x".repeat(300)));
const operation = fc.oneof(
  fc.tuple(fc.constantFrom("PUB", "pub", "Pub"), blank, subject, fc.option(fc.constantFrom("re.ply", "_INBOX.1")), payload, lineEnd, fc.boolean()).map(([verb, gap, to, reply, body, end, zeros]) => {
    const bytes = Buffer.from(body, "latin1");
    return Buffer.concat([Buffer.from(`${verb}${gap}${to}${gap}${reply === null ? "" : `${reply}${gap}`}${zeros ? "00" : ""}${bytes.length}${end}`, "latin1"), bytes, Buffer.from("\r\n")]);
  }),
  fc.tuple(fc.constantFrom("HPUB", "hpub"), blank, subject, fc.option(fc.constant("re")), payload, lineEnd).map(([verb, gap, to, reply, body, end]) => {
    const head = "NATS/1.0\r\nA: b\r\n\r\n";
    const bytes = Buffer.from(body, "latin1");
    return Buffer.concat([Buffer.from(`${verb}${gap}${to}${gap}${reply === null ? "" : `${reply}${gap}`}${head.length}${gap}${head.length + bytes.length}${end}${head}`, "latin1"), bytes, Buffer.from("\r\n")]);
  }),
  fc.tuple(fc.constantFrom("SUB foo 1", "sub foo.* q 22", "UNSUB 1", "unsub 1 5", "PING", "ping trailing", "PONG", "+OK", "CONNECT {}", 'CONNECT{"a":1}', "INFO {}", "-ERR 'x'"), lineEnd).map(([text, end]) => Buffer.from(text + end)),
);

describe("client parser", () => {
  test("the result does not depend on how the input is split", () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 6 }), fc.array(fc.nat(2000), { maxLength: 8 }), (operations, cuts) => {
        const bytes = Buffer.concat(operations);
        const whole = run([bytes]);
        expect(whole.error).toBe(ParseError.None);
        expect(whole.operations).toHaveLength(operations.length);
        expect(run(split(bytes, cuts))).toEqual(whole);
        expect(run([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  test("operations before a bad one take effect, and the verdict is the same byte by byte", () => {
    fc.assert(
      fc.property(operation, fc.constantFrom("X", "MSG a 1 1\r\n", "\r\n", " PING\r\n", "PUB\r\n", "SUBx", "PUB a 1 2 3 4\r\n", "PUB a b\r\n", "PUB a -1\r\n", "SUB a\r\n", "UNSUB\r\n", "HPUB a 5 4\r\n", "PUB a 2\r\nabc\r\n", "PUB a 2\nab\n", "PUB a 999999999\r\n", `SUB ${"x".repeat(200)} 1\r\n`), (good, bad) => {
        const bytes = Buffer.concat([good, Buffer.from(bad)]);
        const whole = run([bytes]);
        expect(whole.error).not.toBe(ParseError.None);
        expect(whole.operations).toHaveLength(1);
        const single = run([...bytes].map((byte) => Buffer.from([byte])));
        expect([single.error, single.operations]).toEqual([whole.error, whole.operations]);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["PUB a 999999999\r\n", ParseError.PayloadExceeded],
    ["PUB a 9999999999\r\n", ParseError.BadArguments],
    ["PUBx", ParseError.UnknownOperation],
    ["RS+ a\r\n", ParseError.UnknownOperation],
    [`SUB ${"x".repeat(LINE_MAX - 2)} 1\r\n`, ParseError.None],
    [`SUB ${"x".repeat(LINE_MAX - 1)} 1\r\n`, ParseError.ControlLineExceeded],
    [`SUB ${"x".repeat(LINE_MAX + 1)}`, ParseError.ControlLineExceeded],
    [`CONNECT ${"x".repeat(LINE_MAX + 1)}`, ParseError.ControlLineExceeded],
    [`PUB ${"x".repeat(LINE_MAX - 1)} 0\r\n`, ParseError.ControlLineExceeded],
  ])("%j", (input, error) => {
    expect(run([Buffer.from(input)]).error).toBe(error);
  });

  test("an endless tail behind PING is not kept", () => {
    const chunk = Buffer.alloc(1000, 0x78);
    const result = run([Buffer.from("PING"), ...Array.from({ length: 100 }, () => chunk)]);
    expect(result.error).toBe(ParseError.None);
    expect(result.held).toBeLessThanOrEqual(4);
  });

  test("random and mutated bytes never throw, and what is held stays bounded", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(operation, fc.uint8Array({ maxLength: 60 })), { maxLength: 6 }), fc.array(fc.tuple(fc.nat(500), fc.nat(255)), { maxLength: 4 }), fc.array(fc.nat(500), { maxLength: 4 }), (parts, mutations, cuts) => {
        const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
        for (const [place, value] of mutations) if (bytes.length > 0) bytes[place % bytes.length] = value;
        expect(run(split(bytes, cuts)).held).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 1000 },
    );
  });
});

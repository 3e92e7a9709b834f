/** PROXY headers: what each kind of header says, and that how it was cut on the way makes no difference. Texts are those of the reference's log. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseProxyHeader, type ProxyVerdict } from "../../src/links/client/proxyprotocol.ts";

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const parse = (text: string): ProxyVerdict => parseProxyHeader(Buffer.from(text, "latin1"));
const header = (address: string, port: number, length: number): ProxyVerdict => ({ kind: "header", length, source: { address, port } });
const invalid = (detail: string): ProxyVerdict => ({ kind: "malformed", detail: `invalid PROXY protocol header: ${detail}` });

function version2(command: number, family: number, body: Buffer, announced = body.length): string {
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, announced >> 8, announced & 255]), body]).toString("latin1");
}

const IPV4 = Buffer.from([9, 9, 9, 9, 1, 1, 1, 1, 0, 80, 0, 81]);
const ipv6 = (hex: string): Buffer => Buffer.concat([Buffer.from(hex, "hex"), Buffer.alloc(16), Buffer.from([0, 9, 0, 8])]);

describe("version 1", () => {
  const line = "PROXY TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n";
  const cases: readonly (readonly [string, ProxyVerdict])[] = [
    [line, header("1.2.3.4", 1111, line.length)],
    [`${line}PING\r\n`, header("1.2.3.4", 1111, line.length)],
    ["PROXY  TCP4\t1.2.3.4  5.6.7.8 1 2\r\n", header("1.2.3.4", 1, 34)],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 0001 2\r\n", header("1.2.3.4", 1, 35)],
    ["PROXY TCP6 2001:DB8:0:0::1 ::2 7 8\r\n", header("2001:db8::1", 7, 36)],
    ["PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n", header("1.2.3.4", 1, 35)],
    ["PROXY UNKNOWN\r\n", { kind: "header", length: 15, source: undefined }],
    ["PROXY UNKNOWN a b c\r\n", { kind: "header", length: 21, source: undefined }],
    [`PROXY UNKNOWN ${"a".repeat(91)}\r\n`, { kind: "header", length: 107, source: undefined }],
    [`PROXY UNKNOWN ${"a".repeat(92)}\r\n`, invalid("v1 line too long")],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", invalid("invalid v1 format")],
    ["PROXY \r\n", invalid("invalid v1 format")],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", invalid("invalid v1 format")],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", invalid("invalid v1 format")],
    ["PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", invalid("invalid address")],
    ["PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", invalid("invalid address")],
    ["PROXY TCP4 256.2.3.4 5.6.7.8 1 2\r\n", invalid("invalid address")],
    ["PROXY TCP4 1.2.3.4 x 1 2\r\n", invalid("invalid address")],
    ["PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", invalid("invalid address")],
    ["PROXY TCP6 ::1::2 ::1 1 2\r\n", invalid("invalid address")],
    ["PROXY TCP4 ::1 ::2 1 2\r\n", invalid("TCP4 with IPv6 address")],
    ["PROXY TCP4 1.2.3.4 ::1 1 2\r\n", invalid("TCP4 with IPv6 address")],
    ["PROXY TCP4 ::ffff:1.2.3.4 1.2.3.4 1 2\r\n", invalid("TCP4 with IPv6 address")],
    ["PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", invalid("TCP6 with IPv4 address")],
    ["PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", invalid("invalid protocol TCP5")],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 99999 2\r\n", { kind: "malformed", detail: 'invalid source port: strconv.ParseUint: parsing "99999": value out of range' }],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", { kind: "malformed", detail: 'invalid source port: strconv.ParseUint: parsing "-1": invalid syntax' }],
    ["PROXY TCP4 1.2.3.4 5.6.7.8 1 x\r\n", { kind: "malformed", detail: 'invalid dest port: strconv.ParseUint: parsing "x": invalid syntax' }],
  ];
  for (const [text, verdict] of cases) test(JSON.stringify(text.length > 60 ? `${text.slice(0, 30)}… (${text.length})` : text), () => expect(parse(text)).toEqual(verdict));
});

describe("version 2", () => {
  const feature = (what: string): ProxyVerdict => ({ kind: "malformed", detail: `unsupported PROXY protocol feature: ${what}` });
  const cases: readonly (readonly [string, string, ProxyVerdict])[] = [
    ["IPv4", version2(0x21, 0x11, IPV4), header("9.9.9.9", 80, 28)],
    ["IPv4 with more behind it", version2(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([1, 2, 3])])), header("9.9.9.9", 80, 31)],
    ["IPv6", version2(0x21, 0x21, ipv6("20010db8000000000000000000000001")), header("2001:db8::1", 9, 52)],
    ["IPv4 in IPv6", version2(0x21, 0x21, ipv6("00000000000000000000ffff01020304")), header("1.2.3.4", 9, 52)],
    ["LOCAL", version2(0x20, 0, Buffer.alloc(0)), { kind: "header", length: 16, source: undefined }],
    ["LOCAL with an address", version2(0x20, 0x42, Buffer.alloc(12)), { kind: "header", length: 28, source: undefined }],
    ["no family", version2(0x21, 0x01, Buffer.alloc(12)), { kind: "header", length: 28, source: undefined }],
    ["datagrams", version2(0x21, 0x12, IPV4), feature("only STREAM protocol supported")],
    ["no family and no protocol", version2(0x21, 0, Buffer.alloc(0)), feature("only STREAM protocol supported")],
    ["a UNIX socket", version2(0x21, 0x31, Buffer.alloc(216)), feature("unsupported address family 0x30")],
    ["another command", version2(0x22, 0x11, IPV4), { kind: "malformed", detail: "unknown PROXY protocol command: 0x02" }],
    ["another version", version2(0x11, 0x11, IPV4), invalid("invalid version 0x10")],
    ["another signature", `${SIGNATURE.toString("latin1", 0, 10)}xx\x21\x11\0\0`, invalid("invalid signature")],
    ["too short for IPv4", version2(0x21, 0x11, Buffer.alloc(8)), { kind: "malformed", detail: "IPv4 address data too short: 8 bytes" }],
    ["too short for IPv6", version2(0x21, 0x21, Buffer.alloc(12)), { kind: "malformed", detail: "IPv6 address data too short: 12 bytes" }],
  ];
  for (const [name, bytes, verdict] of cases) test(name, () => expect(parse(bytes)).toEqual(verdict));
});

test("what is still missing is named, for the log of a connection that ends here", () => {
  const wanted = (text: string): string => {
    const verdict = parse(text);
    return verdict.kind === "incomplete" ? `${verdict.wanted}${verdict.partial ? ", partly here" : ""}` : verdict.kind;
  };
  expect(wanted("")).toBe("read protocol version");
  expect(wanted("PRO")).toBe("read protocol version, partly here");
  expect(wanted("PROXY TCP4 1")).toBe("read v1 line");
  expect(wanted(version2(0x21, 0x11, IPV4).slice(0, 8))).toBe("read v2 signature, partly here");
  expect(wanted(version2(0x21, 0x11, IPV4).slice(0, 12))).toBe("read v2 header");
  expect(wanted(version2(0x21, 0x11, IPV4).slice(0, 14))).toBe("read v2 header, partly here");
  expect(wanted(version2(0x21, 0x11, IPV4).slice(0, 16))).toBe("read IPv4 address data");
  expect(wanted(version2(0x21, 0x11, IPV4).slice(0, 20))).toBe("read IPv4 address data, partly here");
  expect(wanted(version2(0x21, 0x21, Buffer.alloc(0), 36))).toBe("read IPv6 address data");
  expect(wanted(version2(0x20, 0x11, Buffer.alloc(0), 12))).toBe("discard LOCAL command address data");
  expect(wanted(version2(0x21, 0x01, Buffer.alloc(0), 12))).toBe("discard UNSPEC address address data");
});

test("six bytes that begin no header are the client's", () => {
  for (const text of ["PING\r\n", "proxy TCP4 1.2.3.4", "CONNECT {}", "\x16\x03\x01\x00\xc8\x01", "\r\n\r\n\r\n"]) expect(parse(text).kind).toBe("absent");
});

test("a header that comes in pieces is judged as the whole one, and never too early", () => {
  const whole = fc.constantFrom("PROXY TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n", "PROXY UNKNOWN\r\n", version2(0x21, 0x11, IPV4), version2(0x20, 0, Buffer.alloc(0)), version2(0x21, 0x21, ipv6("20010db8000000000000000000000001")));
  fc.assert(
    fc.property(whole, fc.string({ maxLength: 30 }), fc.nat(90), (text, rest, cut) => {
      const end = parse(text);
      expect(end).toMatchObject({ kind: "header", length: text.length });
      expect(parse(text + rest)).toEqual(end);
      if (cut < text.length) expect(parse(text.slice(0, cut)).kind).toBe("incomplete");
    }),
  );
});

test("any bytes get a verdict", () => {
  const start = fc.constantFrom(Buffer.from("PROXY "), SIGNATURE, Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11])]), Buffer.alloc(0));
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 200 }), (beginning, rest) => {
      const bytes = Buffer.concat([beginning, rest]);
      const verdict = parseProxyHeader(bytes);
      expect(["incomplete", "absent", "malformed", "header"]).toContain(verdict.kind);
      if (verdict.kind === "header") expect(verdict.length).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: 2000 },
  );
});

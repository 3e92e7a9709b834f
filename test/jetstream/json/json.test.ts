/** Request bodies: what is good is read as anything else would read it; what is bad is in test/transcripts/jetstream/json.txt, and the whole-body form here. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { anything, bool, decodeJson, duration, int32, int64, list, object, oneOf, oneOfAnyCase, record, text, time, uint64 } from "../../../src/jetstream/json/index.ts";

const wellFormed = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value)).filter((body) => body.isWellFormed());

test("any JSON is read as JSON.parse reads it, whole or as a stream", () => {
  fc.assert(
    fc.property(wellFormed, fc.constantFrom("", " ", "\r\n\t "), (body, blanks) => {
      const wrapped = `${blanks}{${blanks}"v"${blanks}:${blanks}${body}${blanks}}${blanks}`;
      const parsed = JSON.parse(body) as unknown;
      for (const strict of [true, false]) expect(decodeJson(wrapped, object({ v: anything }), strict)).toEqual(parsed === null ? {} : { v: parsed });
    }),
  );
});

test("strings keep every character, however it is escaped", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      const escaped = [...value].map((character) => character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")).join("");
      const wanted = value.toWellFormed();
      expect(decodeJson(`{"v":"${escaped}"}`, object({ v: text }), true).v).toBe(wanted);
      expect(decodeJson(`{"v":${JSON.stringify(wanted)}}`, object({ v: text }), true).v).toBe(wanted);
    }),
  );
});

test("what is cut off anywhere is refused, and never read", () => {
  const body = '{"a":[1,-2.5e3,true,false,null,"x\\u0041\\n"],"b":{"c":""}}';
  for (let length = 1; length < body.length; length++) {
    expect(() => decodeJson(body.slice(0, length), object({ a: anything, b: anything }), true)).toThrow("unexpected EOF");
    expect(() => decodeJson(body.slice(0, length), object({ a: anything, b: anything }), false)).toThrow("unexpected end of JSON input");
  }
});

test("fields match exactly first, then in any case; the last one counts", () => {
  const shape = object({ name: text, Name: text, other: int64 });
  expect(decodeJson('{"Name":"b","name":"a","OTHER":1,"other":2}', shape, true)).toEqual({ name: "a", Name: "b", other: 2 });
});

test("null and absent are the same, but for lists and records, which hold something", () => {
  const shape = object({ a: text, b: list(text), c: record(int64), d: time, e: bool, f: object({ g: text }) });
  expect(decodeJson('{"a":null,"b":null,"c":null,"d":null,"e":null,"f":null}', shape, true)).toEqual({});
  expect(decodeJson('{"b":[null,"x"],"c":{"n":null,"m":3}}', shape, true)).toEqual({ b: ["", "x"], c: { n: 0, m: 3 } });
  expect(decodeJson("null", shape, true)).toEqual({});
});

test("a record may hold any name", () => {
  const { c } = decodeJson('{"c":{"__proto__":"x","constructor":"y"}}', object({ c: record(text) }), true);
  expect(Object.entries(c ?? {})).toEqual([["__proto__", "x"], ["constructor", "y"]]);
});

test("a stream of values is read into one", () => {
  expect(decodeJson('{"a":"1"} {"b":"2"}\n', object({ a: text, b: text }), true)).toEqual({ a: "1", b: "2" });
  expect(decodeJson("", object({ a: text }), true)).toEqual({});
  expect(() => decodeJson("", object({ a: text }), false)).toThrow("unexpected end of JSON input");
  expect(() => decodeJson('{"a":"1"} {"b":"2"}', object({ a: text }), false)).toThrow("invalid character '{' after top-level value");
});

test("unknown fields are passed over unless asked for", () => {
  expect(decodeJson('{"zz":[1,{"y":2}],"a":"1"}', object({ a: text }), false)).toEqual({ a: "1" });
  expect(() => decodeJson('{"zz":[1,{"y":2}],"a":"1"}', object({ a: text }), true)).toThrow('json: unknown field "zz"');
});

const limits = [
  [int32, "2147483647", true],
  [int32, "2147483648", false],
  [int32, "-2147483648", true],
  [int32, "-2147483649", false],
  [int64, "9223372036854775807", true],
  [int64, "9223372036854775808", false],
  [int64, "-9223372036854775808", true],
  [uint64, "18446744073709551615", true],
  [uint64, "18446744073709551616", false],
  [uint64, "-1", false],
  [uint64, "-0", false],
  [int64, "-0", true],
  [duration, "1.0", false],
  [duration, "1e3", false],
] as const;

for (const [shape, digits, fits] of limits) {
  test(`${shape.type} ${fits ? "takes" : "refuses"} ${digits}`, () => {
    const decode = (): unknown => decodeJson(`{"v":${digits}}`, object({ v: shape }, "T"), true).v;
    if (fits) expect(decode()).toBe(Number(digits) === 0 ? 0 : Number(digits));
    else expect(decode).toThrow(`json: cannot unmarshal number ${digits} into Go struct field T.v of type ${shape.type}`);
  });
}

const times = [
  ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"],
  ["2026-01-02T03:04:05.120Z", "2026-01-02T03:04:05.12Z"],
  ["2026-01-02T03:04:05.1234567899Z", "2026-01-02T03:04:05.123456789Z"],
  ["2026-01-02T3:04:05,5+02:00", "2026-01-02T03:04:05.5+02:00"],
  ["2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00Z"],
  ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"],
] as const;

test.each(times)("the time %s is read as %s", (given, normalised) => {
  expect(decodeJson(`{"v":"${given}"}`, object({ v: time }), true).v).toBe(normalised);
});

test("a day that its month does not have is out of range", () => {
  for (const day of ["2023-02-29", "2100-02-29", "2026-04-31", "2026-01-32"]) {
    expect(() => decodeJson(`{"v":"${day}T00:00:00Z"}`, object({ v: time }), true)).toThrow(`parsing time "${day}T00:00:00Z": day out of range`);
  }
});

test("words are taken as they are spelt, or in any case where a field says so", () => {
  const shape = object({ a: oneOf("old", "new"), b: oneOfAnyCase("old", "new") });
  expect(decodeJson('{"a":"new","b":"NEW"}', shape, true)).toEqual({ a: "new", b: "new" });
  expect(() => decodeJson('{"a":"NEW"}', shape, true)).toThrow('can not unmarshal "\\"NEW\\""');
});

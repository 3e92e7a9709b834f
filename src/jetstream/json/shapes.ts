/**
 * What a request may hold, as values: a shape says what JSON it takes and what becomes of it. Fields are matched exactly first and then without regard to
 * case; a field that is absent or null is absent from the result. Errors read as the reference's, which names its own types: those names are data here
 * (`object`'s second argument, `list`'s second), and appear in no other place.
 */
import { goQuote } from "../../util/quote.ts";
import { JsonError } from "./error.ts";
import { type JsonKind, JsonScanner, type JsonValue } from "./scan.ts";
import { normaliseTime } from "./time.ts";

export interface Shape<T> {
  /** The reference's name for it. */
  readonly type: string;
  /** What null stands for inside a list or record, where nothing can be absent. */
  readonly zero: () => T;
  /** Where a field comes twice, a null takes back what was there. Values that hold others only. */
  readonly isEmptiedByNull?: true;
  /** Undefined for null where that means absent. Throws `JsonError`. */
  decode(value: JsonValue, place: Place): T | undefined;
}

/** What a shape's values are. */
export type ShapeOf<S> = S extends Shape<infer T> ? T : never;

/** Where a value stands, for error texts. */
export interface Place {
  readonly body: string;
  readonly strict: boolean;
  /** Name of the outermost object. */
  readonly root: string;
  /** Field names as the body spells them, joined by dots; empty for the outermost object. */
  readonly path: string;
  /** The last of the path is an index. */
  readonly isElement: boolean;
}

/** Decodes a body. `strict` refuses unknown fields, takes further values after the first into the same result, and tells offsets. Throws `JsonError`. */
export function decodeJson<T>(body: string, shape: Shape<T>, strict: boolean): T {
  const place: Place = { body, strict, root: shape.type.replace(/^server\./, ""), path: "", isElement: false };
  const scanner = new JsonScanner(body, strict ? "stream" : "whole");
  if (!strict) return shape.decode(scanner.only(), place) ?? shape.zero();
  let result: T | undefined;
  for (let value = scanner.next(); value !== undefined; value = scanner.next()) {
    const next = shape.decode(value, place);
    if (next !== undefined) result = result === undefined ? next : { ...result, ...next };
  }
  return result ?? shape.zero();
}

/**
 * Decodes a body for a server with `strict: false`: strictly if that works, so that what follows a sound value is no matter; otherwise as one value, whose
 * unknown fields are none. Throws `JsonError`.
 */
export function decodeLenient<T>(body: string, shape: Shape<T>): T {
  try {
    return decodeJson(body, shape, true);
  } catch (error) {
    if (error instanceof JsonError) return decodeJson(body, shape, false);
    throw error;
  }
}

export const text: Shape<string> = {
  type: "string",
  zero: () => "",
  decode: (value, place) => (value.kind === "string" ? value.text : mismatch(value, place, "string")),
};

export const bool: Shape<boolean> = {
  type: "bool",
  zero: () => false,
  decode: (value, place) => (value.kind === "bool" ? place.body.charCodeAt(value.start) === 0x74 : mismatch(value, place, "bool")),
};

/** Numbers beyond 2^53 lose their last digits; nothing that large is counted here. */
export const int64 = integer("int64", -(1n << 63n), (1n << 63n) - 1n);
export const int = integer("int", -(1n << 63n), (1n << 63n) - 1n);
export const int32 = integer("int32", -(1n << 31n), (1n << 31n) - 1n);
export const uint64 = integer("uint64", 0n, (1n << 64n) - 1n);
/** Nanoseconds. */
export const duration = integer("time.Duration", -(1n << 63n), (1n << 63n) - 1n);

/** RFC 3339, in the form the reference prints. */
export const time: Shape<string> = {
  type: "time.Time",
  zero: () => "0001-01-01T00:00:00Z",
  decode: (value, place) => (value.kind === "string" ? normaliseTime(value.text) : mismatch(value, place, "time.Time")),
};

/** Anything at all, kept as `JSON.parse` has it; null is absent. */
export const anything: Shape<unknown> = {
  type: "interface {}",
  zero: () => undefined,
  decode: (value, { body }) => (value.kind === "null" ? undefined : JSON.parse(body.slice(value.start, value.end))),
};

/** `type` is needed where the reference's elements are pointers. */
export function list<T>(element: Shape<T>, type = `[]${element.type}`): Shape<readonly T[]> {
  return {
    type,
    zero: () => [],
    isEmptiedByNull: true,
    decode: (value, place) => {
      if (value.kind !== "array") return mismatch(value, place, type);
      return value.elements.map((each, index) => element.decode(each, inside(place, String(index), true)) ?? element.zero());
    },
  };
}

export function record<T>(element: Shape<T>): Shape<Readonly<Record<string, T>>> {
  const type = `map[string]${element.type}`;
  return {
    type,
    zero: () => ({}),
    isEmptiedByNull: true,
    decode: (value, place) => {
      if (value.kind !== "object") return mismatch(value, place, type);
      const result: Record<string, T> = {};
      for (const { name, value: each } of value.members) {
        // Assigning would lose a member of the name `__proto__`.
        Object.defineProperty(result, name, { value: element.decode(each, inside(place, name, false)) ?? element.zero(), enumerable: true, configurable: true, writable: true });
      }
      return result;
    },
  };
}

/** One of some words, exactly as spelt (escapes count as spelling); null is none of them. */
export function oneOf<W extends string>(...words: readonly W[]): Shape<W> {
  return wordsOf(words, false, (raw) => `can not unmarshal ${goQuote(raw)}`);
}

/** As `oneOf`, in any case. */
export function oneOfAnyCase<W extends string>(...words: readonly W[]): Shape<W> {
  return wordsOf(words, true, (raw) => `can not unmarshal ${goQuote(raw)}`);
}

/** As `oneOf`, with an error text of its own, made of the raw JSON text. */
export function oneOfOr<W extends string>(refusal: (raw: string) => string, ...words: readonly W[]): Shape<W> {
  return wordsOf(words, false, refusal);
}

/** How streams keep their messages on disk; the reference reads this enumeration in a way of its own. */
export const compressionWord: Shape<"none" | "s2"> = {
  type: "server.StoreCompression",
  zero: () => "none",
  decode: (value) => {
    if (value.kind !== "string" && value.kind !== "null") throw new JsonError(`json: cannot unmarshal ${value.kind} into Go value of type string`);
    if (value.text !== "none" && value.text !== "s2") throw new JsonError("unknown compression algorithm");
    return value.text;
  },
};

type Fields = Readonly<Record<string, Shape<unknown>>>;
export type ObjectOf<F extends Fields> = { readonly [K in keyof F]?: ShapeOf<F[K]> };

/** `name` as error texts have it, without a package: `StreamSource`. */
export function object<F extends Fields>(fields: F, name = ""): Shape<ObjectOf<F>> {
  const folded = new Map(Object.keys(fields).map((field) => [field.toLowerCase(), field]));
  const type = name === "" ? "" : `server.${name}`;
  return {
    type,
    zero: () => ({}),
    isEmptiedByNull: true,
    decode: (value, place) => {
      if (value.kind !== "object") return mismatch(value, place, type);
      const result: { [K in keyof F]?: unknown } = {};
      for (const { name: spelt, value: each } of value.members) {
        const field: keyof F | undefined = Object.hasOwn(fields, spelt) ? spelt : folded.get(spelt.toLowerCase());
        if (field === undefined) {
          if (place.strict) throw new JsonError(`json: unknown field ${goQuote(spelt)}`);
          continue;
        }
        const shape = fields[field];
        const decoded = shape?.decode(each, inside(place, spelt, false));
        // What holds fields itself is filled further by a second value.
        if (decoded !== undefined) result[field] = each.kind === "object" && result[field] !== undefined ? { ...(result[field] as object), ...decoded } : decoded;
        else if (shape?.isEmptiedByNull === true) Reflect.deleteProperty(result, field);
      }
      // Each field was decoded by its own shape.
      return result as ObjectOf<F>;
    },
  };
}

function integer(type: string, min: bigint, max: bigint): Shape<number> {
  return {
    type,
    zero: () => 0,
    decode: (value, place) => {
      if (value.kind !== "number") return mismatch(value, place, type);
      const raw = place.body.slice(value.start, value.end);
      const number = Number(raw);
      const signedZero = raw === "-0" && min === 0n;
      if (/^-?\d+$/.test(raw) && !signedZero && (Number.isSafeInteger(number) ? number >= Number(min) && number <= Number(max) : BigInt(raw) >= min && BigInt(raw) <= max)) {
        return number === 0 ? 0 : number;
      }
      throw mismatchError(`number ${raw}`, place, type);
    },
  };
}

function wordsOf<W extends string>(words: readonly W[], anyCase: boolean, refusal: (raw: string) => string): Shape<W> {
  const [first] = words;
  if (first === undefined) throw new RangeError("an enumeration needs words");
  return {
    type: "string",
    zero: () => first,
    decode: (value, { body }) => {
      const raw = body.slice(value.start, value.end);
      const spelt = anyCase ? raw.toLowerCase() : raw;
      const word = words.find((each) => `"${each}"` === spelt);
      if (word === undefined) throw new JsonError(refusal(raw));
      return word;
    },
  };
}

function inside(place: Place, step: string, isElement: boolean): Place {
  const escaped = step.replaceAll("~", "~0").replaceAll("/", "~1");
  return { ...place, path: place.path === "" ? escaped : `${place.path}.${escaped}`, isElement };
}

/** Null is absent; everything else of the wrong kind is an error. */
function mismatch(value: JsonValue, place: Place, type: string): undefined {
  if (value.kind === "null") return undefined;
  throw mismatchError(value.kind, place, type);
}

function mismatchError(what: JsonKind | `number ${string}`, { path, root, isElement }: Place, type: string): JsonError {
  const where = path === "" ? `Go value of type ${type}` : `${isElement ? "" : "Go struct field "}${root}.${path} of type ${type}`;
  return new JsonError(`json: cannot unmarshal ${what} into ${where}`);
}

/**
 * Reads the JSON of a claim field by field. What is absent (or null) has its zero value, unknown fields are passed over, and a value of the wrong type is an
 * error: a claim that says something else than its reader understands must not be believed half.
 */
import { JwtError } from "./error.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export class Fields {
  constructor(private readonly json: JsonObject) {}

  has(name: string): boolean {
    return Object.hasOwn(this.json, name) && this.json[name] !== null;
  }

  text(name: string): string {
    return this.#read(name, "", "string", (value) => (typeof value === "string" ? value : undefined));
  }

  flag(name: string): boolean {
    return this.#read(name, false, "bool", (value) => (typeof value === "boolean" ? value : undefined));
  }

  /** A whole number. */
  integer(name: string, absent = 0): number {
    return this.#read(name, absent, "int64", (value) => (typeof value === "number" && Number.isInteger(value) ? value : undefined));
  }

  texts(name: string): readonly string[] {
    return this.#read(name, [], "[]string", (value) => (Array.isArray(value) ? value.map((item) => textOf(name, item)) : undefined));
  }

  list(name: string): readonly Json[] {
    return this.#read<readonly Json[]>(name, [], "array", (value) => (Array.isArray(value) ? (value as readonly Json[]) : undefined));
  }

  /** Objects of a list; null stays null. */
  objects(name: string): readonly (Fields | null)[] {
    return this.list(name).map((item) => {
      if (item === null) return null;
      if (!isObject(item)) throw wrongType(name, "object", item);
      return new Fields(item);
    });
  }

  object(name: string): Fields {
    return new Fields(this.#read<JsonObject>(name, {}, "object", (value) => (isObject(value) ? value : undefined)));
  }

  /** Undefined when absent. */
  optional(name: string): Fields | undefined {
    return this.has(name) ? this.object(name) : undefined;
  }

  names(): readonly string[] {
    return Object.keys(this.json);
  }

  /** Every field, each of which must be an object. */
  all(): readonly (readonly [string, Fields])[] {
    return this.names().map((name) => [name, this.object(name)]);
  }

  /** Name to time, seconds. */
  times(name: string): ReadonlyMap<string, number> {
    const fields = this.object(name);
    return new Map(Object.keys(fields.json).map((key) => [key, fields.integer(key)]));
  }

  raw(name: string): Json | undefined {
    return Object.hasOwn(this.json, name) ? this.json[name] : undefined;
  }

  #read<T>(name: string, absent: T, type: string, convert: (value: Json) => T | undefined): T {
    if (!this.has(name)) return absent;
    const value = this.json[name];
    const converted = convert(value);
    if (converted === undefined) throw wrongType(name, type, value);
    return converted;
  }
}

function textOf(name: string, value: Json): string {
  if (typeof value !== "string") throw wrongType(name, "string", value);
  return value;
}

export function wrongType(name: string, type: string, value: Json): JwtError {
  const found = value === null ? "null" : Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
  return new JwtError(`json: cannot unmarshal ${found} into field ${name} of type ${type}`);
}

/**
 * JSON that is too long to be put together at once: pieces of its UTF-8 form, each of whole characters, made in steps (`jetstream/slices.ts`).
 */
import { encodeJson } from "../../protocol/index.ts";
import type { Sliced } from "../slices.ts";

/** A piece has at least so many characters, except the last. */
const PIECE_CHARACTERS = 16 * 1024;

/** A finished value, or the beginning of one while it is written. As part of another value it is encoded by `encodeInSteps` only. */
export class JsonPieces {
  readonly pieces: Buffer[] = [];
  #text = "";

  /** Adds well-formed text; says whether that was enough for one step. */
  add(text: string): boolean {
    this.#text += text;
    if (this.#text.length < PIECE_CHARACTERS) return false;
    this.end();
    return true;
  }

  /** Adds another value; to be called when `end` has been called there. */
  addAll({ pieces }: JsonPieces): void {
    this.end();
    this.pieces.push(...pieces);
  }

  /** To be called when all is there. */
  end(): this {
    if (this.#text !== "") this.pieces.push(Buffer.from(this.#text, "utf8"));
    this.#text = "";
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

/** As `encodeJson`, in steps. */
export function* encodeInSteps(value: unknown): Sliced<JsonPieces> {
  const into = new JsonPieces();
  yield* encode(into, value);
  return into.end();
}

function* encode(into: JsonPieces, value: unknown): Sliced<void> {
  if (value instanceof JsonPieces) into.addAll(value);
  else if (Array.isArray(value)) yield* encodeArray(into, value);
  else if (typeof value === "object" && value !== null) yield* encodeObject(into, value);
  else if (into.add(encodeJson(value))) yield;
}

function* encodeArray(into: JsonPieces, values: readonly unknown[]): Sliced<void> {
  let separator = "[";
  for (const value of values) {
    into.add(separator);
    yield* encode(into, value ?? null);
    separator = ",";
  }
  into.add(separator === "[" ? "[]" : "]");
}

function* encodeObject(into: JsonPieces, value: object): Sliced<void> {
  let separator = "{";
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue;
    into.add(`${separator}${encodeJson(key)}:`);
    yield* encode(into, field);
    separator = ",";
  }
  into.add(separator === "{" ? "{}" : "}");
}

/** JSON as a string within JSON. */
export function* quoteInSteps({ pieces }: JsonPieces): Sliced<JsonPieces> {
  const into = new JsonPieces();
  into.add('"');
  for (const piece of pieces) if (into.add(encodeJson(piece.toString()).slice(1, -1))) yield;
  into.add('"');
  return into.end();
}

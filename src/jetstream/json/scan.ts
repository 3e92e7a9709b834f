/**
 * JSON text to a tree of values that know where they stand. `JSON.parse` would do for good bodies; this scanner exists for the bad ones, whose error texts
 * clients and people know (character, place, byte offset), and for enumerations, which are refused with their raw text.
 *
 * A body is read in one of two ways, as the reference does: `whole` wants exactly one value, and its errors carry no offset; `stream` takes one value after
 * the other, and its errors end in ` at offset N` (bytes, counted to the end of what offends).
 */
import { goQuote } from "../../util/quote.ts";
import { JsonError } from "./error.ts";

export type JsonMode = "whole" | "stream";

export type JsonKind = "null" | "bool" | "number" | "string" | "array" | "object";

export interface JsonValue {
  readonly kind: JsonKind;
  /** The value's own text is `body.slice(start, end)`. */
  readonly start: number;
  readonly end: number;
  /** Of a string: unescaped. Otherwise empty. */
  readonly text: string;
  readonly members: readonly JsonMember[];
  readonly elements: readonly JsonValue[];
}

export interface JsonMember {
  readonly name: string;
  readonly value: JsonValue;
}

const DEPTH_MAX = 10_000;
const NO_MEMBERS: readonly JsonMember[] = [];
const NO_ELEMENTS: readonly JsonValue[] = [];

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class JsonScanner {
  #at = 0;
  #depth = 0;

  constructor(
    private readonly body: string,
    private readonly mode: JsonMode,
  ) {}

  /** The next value of the body; undefined at its end. Throws `JsonError`. */
  next(): JsonValue | undefined {
    this.#skipBlanks();
    return this.#at < this.body.length ? this.#value() : undefined;
  }

  /** The only value of the body. Throws `JsonError`. */
  only(): JsonValue {
    this.#skipBlanks();
    const value = this.#value();
    this.#skipBlanks();
    if (this.#at < this.body.length) this.#unexpected("after top-level value");
    return value;
  }

  #value(): JsonValue {
    const start = this.#at;
    switch (this.#peek()) {
      case 0x7b:
        return this.#object(start);
      case 0x5b:
        return this.#array(start);
      case QUOTE: {
        const text = this.#string();
        return { kind: "string", start, end: this.#at, text, members: NO_MEMBERS, elements: NO_ELEMENTS };
      }
      case 0x74:
        return this.#literal("true", "bool");
      case 0x66:
        return this.#literal("false", "bool");
      case 0x6e:
        return this.#literal("null", "null");
    }
    const code = this.#peek();
    if (code === 0x2d || isDigit(code)) return this.#number(start);
    return this.#unexpected("looking for beginning of value");
  }

  #object(start: number): JsonValue {
    this.#enter();
    const members: JsonMember[] = [];
    if (this.#peek() === 0x7d) this.#at++;
    else {
      for (;;) {
        if (this.#peek() !== QUOTE) this.#unexpected("looking for beginning of object key string");
        const name = this.#string();
        this.#skipBlanks();
        if (this.#peek() !== 0x3a) this.#unexpected("after object key");
        this.#advance();
        members.push({ name, value: this.#value() });
        this.#skipBlanks();
        const code = this.#peek();
        if (code !== 0x2c && code !== 0x7d) this.#unexpected("after object key:value pair");
        if (code === 0x7d) {
          this.#at++;
          break;
        }
        this.#advance();
      }
    }
    this.#depth--;
    return { kind: "object", start, end: this.#at, text: "", members, elements: NO_ELEMENTS };
  }

  #array(start: number): JsonValue {
    this.#enter();
    const elements: JsonValue[] = [];
    if (this.#peek() === 0x5d) this.#at++;
    else {
      for (;;) {
        elements.push(this.#value());
        this.#skipBlanks();
        const code = this.#peek();
        if (code !== 0x2c && code !== 0x5d) this.#unexpected("after array element");
        if (code === 0x5d) {
          this.#at++;
          break;
        }
        this.#advance();
      }
    }
    this.#depth--;
    return { kind: "array", start, end: this.#at, text: "", members: NO_MEMBERS, elements };
  }

  /** Past an opening bracket. */
  #enter(): void {
    this.#at++;
    if (++this.#depth > DEPTH_MAX) this.#fail("exceeded max depth", this.#at);
    this.#skipBlanks();
  }

  /** Past a separator. */
  #advance(): void {
    this.#at++;
    this.#skipBlanks();
  }

  #literal(word: string, kind: JsonKind): JsonValue {
    const start = this.#at;
    for (let i = 0; i < word.length; i++, this.#at++) {
      if (this.#peek() !== word.charCodeAt(i)) this.#unexpected(`in literal ${word} (expecting '${word.charAt(i)}')`);
    }
    return { kind, start, end: this.#at, text: "", members: NO_MEMBERS, elements: NO_ELEMENTS };
  }

  #number(start: number): JsonValue {
    if (this.#peek() === 0x2d) this.#at++;
    if (this.#peek() === 0x30) this.#at++;
    else this.#digits();
    if (this.#at < this.body.length && this.#peek() === 0x2e) {
      this.#at++;
      this.#digits();
    }
    if (this.#at < this.body.length && (this.#peek() | 0x20) === 0x65) {
      this.#at++;
      const sign = this.#peek();
      if (sign === 0x2b || sign === 0x2d) this.#at++;
      this.#digits();
    }
    return { kind: "number", start, end: this.#at, text: "", members: NO_MEMBERS, elements: NO_ELEMENTS };
  }

  #digits(): void {
    if (!isDigit(this.#peek())) this.#unexpected("in numeric literal");
    while (this.#at < this.body.length && isDigit(this.body.charCodeAt(this.#at))) this.#at++;
  }

  #string(): string {
    const { body } = this;
    let from = ++this.#at;
    let text = "";
    for (;;) {
      const code = this.#peek();
      if (code === QUOTE) break;
      if (code < 0x20) this.#unexpected("in string");
      if (code !== BACKSLASH) {
        this.#at++;
        continue;
      }
      text += body.slice(from, this.#at) + this.#escape();
      from = this.#at;
    }
    text += body.slice(from, this.#at++);
    return text.isWellFormed() ? text : text.toWellFormed();
  }

  /** At a backslash; moves past the escape. */
  #escape(): string {
    const start = this.#at++;
    const code = this.#peek();
    if (code === 0x75) {
      for (let i = start + 2; i < start + 6; i++) {
        if (i >= this.body.length) this.#unexpectedEnd();
        if (hexValue(this.body.charCodeAt(i)) < 0) this.#badEscape(start, start + 6);
      }
      this.#at = start + 6;
      return String.fromCharCode(parseInt(this.body.slice(start + 2, start + 6), 16));
    }
    const plain = ESCAPES.get(code);
    if (plain === undefined) return this.#badEscape(start, this.#at + 1);
    this.#at++;
    return plain;
  }

  #badEscape(start: number, end: number): never {
    return this.#fail(`invalid escape sequence \`${this.body.slice(start, end)}\` in string`, end);
  }

  /** Code of the character at hand. Throws at the end of the body. */
  #peek(): number {
    return this.#at < this.body.length ? this.body.charCodeAt(this.#at) : this.#unexpectedEnd();
  }

  #skipBlanks(): void {
    for (; this.#at < this.body.length; this.#at++) {
      const code = this.body.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  }

  #unexpectedEnd(): never {
    throw new JsonError(this.mode === "stream" ? "unexpected EOF" : "unexpected end of JSON input");
  }

  #unexpected(where: string): never {
    if (this.#at >= this.body.length) this.#unexpectedEnd();
    const character = String.fromCodePoint(this.body.codePointAt(this.#at) ?? 0);
    return this.#fail(`invalid character ${quoteCharacter(character)} ${where}`, this.#at + character.length);
  }

  #fail(text: string, end: number): never {
    throw new JsonError(this.mode === "stream" ? `${text} at offset ${Buffer.byteLength(this.body.slice(0, end))}` : text);
  }
}

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [QUOTE, '"'],
  [BACKSLASH, "\\"],
  [0x2f, "/"],
  [0x62, "\b"],
  [0x66, "\f"],
  [0x6e, "\n"],
  [0x72, "\r"],
  [0x74, "\t"],
]);

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function hexValue(code: number): number {
  if (isDigit(code)) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function quoteCharacter(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '"') return "'\"'";
  return `'${goQuote(character).slice(1, -1)}'`;
}

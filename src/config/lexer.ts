/**
 * The characters of the configuration language: white space, comments, keys, and scalar values. It works on the file's bytes (one JavaScript character
 * per byte), because columns are byte offsets and a `\xHH` escape makes a raw byte; text leaves it decoded from UTF-8.
 *
 * What follows what (maps, arrays, includes) is the parser's. A scalar's first character decides its form, and the traps are the language's own:
 * `1kb` is a size but `1k5` a string, a string ends at `'` and swallows it, `[1,2]` does not end. They are kept, since files in use depend on them.
 */
import { ConfigError, formatPosition, type Position } from "./values.ts";

const EOF = "\0";
const UNICODE_SPACE = /^(?:[\t\n\v\f\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)/;
const DATE_FORM = "dddd-dd-ddTdd:dd:ddZ";
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["t", "\t"],
  ["n", "\n"],
  ["r", "\r"],
  ['"', '"'],
  ["\\", "\\"],
]);
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

export type Scalar =
  | { readonly kind: "string"; readonly text: string }
  /** An unquoted word without escapes or quote: a boolean, a variable or a string. */
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "integer"; readonly text: string }
  | { readonly kind: "float"; readonly text: string }
  | { readonly kind: "datetime"; readonly text: string };

export class Lexer {
  /** Next byte to read. */
  offset = 0;
  private readonly input: string;
  private lineCounted = 1;
  private lineStart = 0;
  private countedTo = 0;

  constructor(
    bytes: Uint8Array,
    private readonly file: string,
  ) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
    const nul = text.indexOf(EOF);
    this.input = nul < 0 ? text : text.slice(0, nul);
    this.endsWithNul = nul >= 0;
  }

  /** A NUL byte ended the input early. */
  readonly endsWithNul: boolean;

  /** The next byte as a character, NUL at the end of input. */
  peek(ahead = 0): string {
    const at = this.offset + ahead;
    return at < this.input.length ? this.input[at] : EOF;
  }

  atEnd(): boolean {
    return this.offset >= this.input.length;
  }

  position(offset = this.offset): Position {
    this.countLinesTo(offset);
    const inLine = offset - this.lineStart;
    return { file: this.file, line: this.lineCounted, column: this.lineCounted === 1 ? inLine : inLine + 1 };
  }

  line(offset = this.offset): number {
    return this.position(offset).line;
  }

  /** A syntax error at the current line. */
  error(text: string): ConfigError {
    return new ConfigError(`Parse error on line ${this.line()}: '${text}'`);
  }

  /** A syntax error about the next character, which counts as read: a line end there belongs to the line after it. */
  errorGot(text: (got: string) => string): ConfigError {
    const got = this.nextCharacter();
    this.offset += this.atEnd() ? 0 : 1;
    return this.error(text(got));
  }

  /** The input ends where a value was begun. */
  invalid(): ConfigError {
    return new ConfigError(`config is invalid (${formatPosition(this.position())})`);
  }

  skipBlanks(): void {
    while (this.peek() === " " || this.peek() === "\t") this.offset++;
  }

  /** Skips every kind of space, line ends included. */
  skipSpace(): void {
    for (let width = this.spaceWidth(); width > 0; width = this.spaceWidth()) this.offset += width;
  }

  /** Skips a comment, leaving its line end; false when there is none here. */
  skipComment(): boolean {
    if (this.peek() !== "#" && !(this.peek() === "/" && this.peek(1) === "/")) return false;
    while (!this.atEnd() && !isLineEnd(this.peek())) this.offset++;
    return true;
  }

  /** A quoted key; `onEnd` is the error text when the closing quote is missing. */
  quotedKey(onEnd: string): { key: string; position: Position } {
    const quote = this.peek();
    this.offset++;
    const position = this.position();
    const end = this.input.indexOf(quote, this.offset);
    if (end < 0) {
      this.offset = this.input.length;
      throw this.error(onEnd);
    }
    const key = this.text(this.offset, end);
    this.offset = end + 1;
    return { key, position };
  }

  /** A bare key: everything up to white space or a separator. */
  bareKey(): { key: string; position: Position } {
    const position = this.position();
    const start = this.offset;
    while (!this.atEnd() && this.peek() !== "=" && this.peek() !== ":" && this.spaceWidth() === 0) this.offset++;
    return { key: this.text(start, this.offset), position };
  }

  /** The path after `include`. */
  includePath(): string {
    this.skipBlanks();
    const first = this.peek();
    if (first === "'" || first === '"') {
      return this.quotedKey(first === "'" ? "Unexpected EOF in quoted include" : "Unexpected EOF in double quoted include").key;
    }
    const wrong = includeStartError(first);
    if (wrong !== undefined) throw this.errorGot(() => wrong);
    const start = this.offset;
    while (!this.atEnd() && !/[ \t\n\r;}']/.test(this.peek())) this.offset++;
    const end = this.offset;
    if (this.peek() === "'") this.offset++;
    return this.text(start, end);
  }

  /** A scalar value: not a map, not an array. */
  scalar(): Scalar {
    const first = this.peek();
    if (first === "'") return this.singleQuoted();
    if (first === '"') return this.doubleQuoted();
    if (first === "(") return this.blockString();
    if (first === ".") throw this.errorGot(() => "Floats must start with a digit");
    if (first === "-") return this.negative();
    if (isDigit(first)) return this.numeric();
    return this.unquoted(this.offset);
  }

  private singleQuoted(): Scalar {
    const start = this.offset + 1;
    const end = this.input.indexOf("'", start);
    if (end < 0) {
      this.offset = this.input.length;
      throw start === this.input.length ? this.invalid() : this.error("Unexpected EOF.");
    }
    this.offset = end + 1;
    return { kind: "string", text: this.text(start, end) };
  }

  private doubleQuoted(): Scalar {
    this.offset++;
    if (this.atEnd()) throw this.invalid();
    let bytes = "";
    while (this.peek() !== '"') {
      if (this.atEnd()) throw this.error("Unexpected EOF.");
      bytes += this.peek() === "\\" ? this.escape() : this.take();
    }
    this.offset++;
    return { kind: "string", text: decode(bytes) };
  }

  /** `(` up to a `)` that starts a line and is followed by its end. */
  private blockString(): Scalar {
    const start = this.offset + 1;
    for (let end = this.input.indexOf("\n)", start); end >= 0; end = this.input.indexOf("\n)", end + 1)) {
      const after = this.input[end + 2];
      if (after !== undefined && after !== "\n") continue;
      this.offset = end + 2;
      return { kind: "string", text: this.text(start, end + 1) };
    }
    this.offset = this.input.length;
    throw this.error("Unexpected EOF processing block.");
  }

  /** Continues an unquoted string that began at `start`; what lies between is taken as it is. */
  private unquoted(start: number): Scalar {
    let bytes = this.input.slice(start, this.offset);
    let escaped = false;
    while (!this.atEnd() && !/[ \t\n\r;,\]}']/.test(this.peek())) {
      if (this.peek() === "\\") {
        escaped = true;
        bytes += this.escape();
      } else {
        bytes += this.take();
      }
    }
    const closed = this.peek() === "'";
    if (closed) this.offset++;
    return { kind: escaped || closed ? "string" : "word", text: decode(bytes) };
  }

  private escape(): string {
    this.offset++;
    const character = this.peek();
    if (character === "x") return this.hexEscape();
    const plain = ESCAPES.get(character);
    if (plain === undefined) {
      throw this.errorGot(
        (got) => `Invalid escape character '${got}'. Only the following escape characters are allowed: \\xXX, \\t, \\n, \\r, \\", \\\\.`,
      );
    }
    this.offset++;
    return plain;
  }

  private hexEscape(): string {
    this.offset++;
    const digits = this.input.slice(this.offset, this.offset + 2);
    const lineEnd = digits.search(/[\n\r]/);
    if (lineEnd >= 0) {
      this.offset += lineEnd + 1;
      throw this.error("Expected two hexadecimal digits after '\\x', but hit end of line");
    }
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) {
      const shown = digits.length === 2 ? digits : this.input.slice(-2);
      throw this.error(`Expected two hexadecimal digits after '\\x', but got '${decode(shown)}'`);
    }
    this.offset += 2;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  private numeric(): Scalar {
    const start = this.offset;
    this.skipDigits();
    const next = this.peek();
    if (next === "-") {
      if (this.offset - start !== 4) throw this.error("All ISO8601 dates must be in full Zulu form.");
      return this.datetime(start);
    }
    if (next === ".") return this.float(start);
    if (isSizeLetter(next)) return this.sized(start);
    if (this.atEnd() || endsNumber(next)) return { kind: "integer", text: this.input.slice(start, this.offset) };
    this.offset++;
    return this.unquoted(start);
  }

  private negative(): Scalar {
    const start = this.offset;
    this.offset++;
    if (this.peek() === ".") throw this.errorGot(() => "Floats must start with a digit, not '.'.");
    if (!isDigit(this.peek())) throw this.errorGot((got) => `Expected a digit but got '${got}'.`);
    this.skipDigits();
    if (this.peek() === ".") return this.float(start);
    if (isSizeLetter(this.peek())) return this.sized(start);
    return { kind: "integer", text: this.input.slice(start, this.offset) };
  }

  private sized(start: number): Scalar {
    this.offset++;
    while (/[bi]/i.test(this.peek())) this.offset++;
    if (this.atEnd() || endsNumber(this.peek())) return { kind: "integer", text: this.input.slice(start, this.offset) };
    return this.unquoted(start);
  }

  /** A float, or from its second dot on an address such as `127.0.0.1:4222`. */
  private float(start: number): Scalar {
    this.offset++;
    if (!isDigit(this.peek())) throw this.errorGot((got) => `Floats must have a digit after the '.', but got '${got}' instead.`);
    this.skipDigits();
    if (this.peek() !== ".") return { kind: "float", text: this.input.slice(start, this.offset) };
    while (/[0-9.:-]/.test(this.peek())) this.offset++;
    return { kind: "string", text: this.input.slice(start, this.offset) };
  }

  private datetime(start: number): Scalar {
    for (let at = 4; at < DATE_FORM.length; at++) {
      const wanted = DATE_FORM[at];
      const got = this.peek();
      if (wanted === "d" ? !isDigit(got) : got !== wanted) {
        const name = wanted === "d" ? "digit" : `'${wanted}'`;
        throw this.errorGot((shown) => `Expected ${name} in ISO8601 datetime, but found '${shown}' instead.`);
      }
      this.offset++;
    }
    return { kind: "datetime", text: this.input.slice(start, this.offset) };
  }

  private skipDigits(): void {
    while (isDigit(this.peek())) this.offset++;
  }

  private take(): string {
    return this.input[this.offset++];
  }

  /** The character at the offset for an error text; line ends are shown escaped. */
  private nextCharacter(): string {
    if (this.atEnd()) return EOF;
    const lead = this.peek();
    if (lead === "\n") return "\\n";
    const width = lead < "\xc0" ? 1 : lead < "\xe0" ? 2 : lead < "\xf0" ? 3 : 4;
    return decode(this.input.slice(this.offset, this.offset + width));
  }

  private text(start: number, end: number): string {
    return decode(this.input.slice(start, end));
  }

  /** Bytes of the white space character here, 0 when it is none. */
  private spaceWidth(): number {
    const character = this.peek();
    if (character > " " && character < "\xc2") return 0;
    return this.atEnd() ? 0 : (UNICODE_SPACE.exec(this.input.slice(this.offset, this.offset + 3))?.[0].length ?? 0);
  }

  private countLinesTo(offset: number): void {
    if (offset < this.lineStart) {
      this.lineCounted = 1;
      this.lineStart = 0;
      this.countedTo = 0;
    }
    for (let at = this.input.indexOf("\n", this.countedTo); at >= 0 && at < offset; at = this.input.indexOf("\n", at + 1)) {
      this.lineCounted++;
      this.lineStart = at + 1;
    }
    this.countedTo = Math.max(this.countedTo, offset);
  }
}

export function isLineEnd(character: string): boolean {
  return character === "\n" || character === "\r";
}

function endsNumber(character: string): boolean {
  return /[\n\r};, \t]/.test(character);
}

function isDigit(character: string): boolean {
  return character >= "0" && character <= "9";
}

function isSizeLetter(character: string): boolean {
  return /[kmgtpe]/i.test(character);
}

function decode(bytes: string): string {
  // Plain ASCII is already text, and nearly everything is.
  return /^[\0-\x7f]*$/.test(bytes) ? bytes : UTF8.decode(Buffer.from(bytes, "latin1"));
}

function includeStartError(first: string): string | undefined {
  const prefix = "Expected include value but found ";
  if (first === "[") return `${prefix}start of an array`;
  if (first === "{") return `${prefix}start of a map`;
  if (first === "(") return `${prefix}start of a block`;
  if (isDigit(first) || first === "-") return `${prefix}start of a number`;
  if (first === "\\") return `${prefix}escape sequence`;
  return isLineEnd(first) ? `${prefix}new line` : undefined;
}

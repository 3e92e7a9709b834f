/**
 * From a file to a tree of `Node`s: maps, arrays, `$variables` (from the enclosing maps, then the environment), `include`. The grammar is read by
 * recursive descent in one pass, so a variable sees only what stands before it. The first mistake ends it with a `ConfigError`.
 *
 * Nesting (of values, and of includes) is bounded, so that no file can exhaust the stack.
 */
import { type Disk, DiskError } from "../platform/index.ts";
import { isLineEnd, Lexer, type Scalar } from "./lexer.ts";
import { ConfigError, type MapValue, type Node, type Position, type Value } from "./values.ts";

/** Where included files and `$VARIABLES` come from. */
export interface ParseSources {
  readonly disk: Disk;
  readonly environment: (name: string) => string | undefined;
}

const NESTING_MAX = 500;
const INCLUDE_NESTING_MAX = 50;
const INT64_MAX = (1n << 63n) - 1n;
const INT64_MIN = -(1n << 63n);

const MULTIPLIERS: ReadonlyMap<string, bigint> = new Map(
  [..."kmgtpe"].flatMap((letter, index): [string, bigint][] => {
    const decimal = 1000n ** BigInt(index + 1);
    const binary = 1024n ** BigInt(index + 1);
    return [[letter, decimal], [`${letter}b`, binary], [`${letter}i`, binary], [`${letter}ib`, binary]];
  }),
);

/** Reads and parses a file. Throws `ConfigError` for whatever is wrong with it, an unreadable file included. */
export function parseConfigFile(path: string, sources: ParseSources): MapValue {
  return parseFile(path, sources, []);
}

/** Parses text as if it were the file `path`. */
export function parseConfigText(text: string, path: string, sources: ParseSources): MapValue {
  return new Parser(new TextEncoder().encode(text), path, sources, [path], []).parse();
}

function parseFile(path: string, sources: ParseSources, including: readonly string[]): MapValue {
  let bytes: Uint8Array;
  try {
    bytes = sources.disk.readFile(path);
  } catch (error) {
    if (error instanceof DiskError) throw new ConfigError(error.message);
    throw error;
  }
  return new Parser(bytes, path, sources, [...including, path], []).parse();
}

type Container = { readonly kind: "map"; readonly entries: Map<string, Node> };

class Parser {
  private readonly lexer: Lexer;
  /** Open maps, outermost first: the scopes of variables. */
  private readonly scopes: Map<string, Node>[] = [];
  private nesting = 0;

  constructor(
    bytes: Uint8Array,
    private readonly file: string,
    private readonly sources: ParseSources,
    private readonly including: readonly string[],
    private readonly resolving: readonly string[],
    /** Set for the text of an environment variable, whose values have no place of their own. */
    private readonly fixedPosition?: Position,
  ) {
    this.lexer = new Lexer(bytes, file);
  }

  parse(): MapValue {
    const root: Container = { kind: "map", entries: new Map() };
    this.scopes.push(root.entries);
    this.parseItems(root.entries);
    return root;
  }

  /** Top level: items, some of them perhaps within `{ }` (then the whole file is usually one JSON document). */
  private parseItems(entries: Map<string, Node>): void {
    const lexer = this.lexer;
    let wrapped = false;
    for (;;) {
      lexer.skipSpace();
      if (lexer.skipComment()) continue;
      if (lexer.atEnd()) {
        if (lexer.endsWithNul) throw lexer.error("Unexpected EOF.");
        return;
      }
      if (lexer.peek() === "{") {
        wrapped = true;
        lexer.offset++;
        continue;
      }
      if (wrapped && lexer.peek() === "}") {
        wrapped = false;
        lexer.offset++;
        continue;
      }
      const { key, position, include } = this.topKey();
      if (include) {
        this.include(entries);
      } else if (!this.topValue(entries, key, position)) {
        if (key === "}") return;
        throw lexer.invalid();
      }
      if (this.endOfTopValue(wrapped)) wrapped = false;
    }
  }

  private topKey(): { key: string; position: Position; include: boolean } {
    const lexer = this.lexer;
    const first = lexer.peek();
    if (first === "=" || first === ":") throw lexer.error(`Unexpected key separator '${first}'`);
    if (first === "'" || first === '"') return { ...lexer.quotedKey("Unexpected EOF."), include: false };
    if (first === "/") throw lexer.error("Unexpected EOF.");
    const { key, position } = lexer.bareKey();
    return { key, position, include: this.isInclude(key) };
  }

  private isInclude(key: string): boolean {
    return key.toLowerCase() === "include" && !this.lexer.atEnd() && this.lexer.peek() !== "=" && this.lexer.peek() !== ":";
  }

  /** The value of a top-level key; false when the input ends before there is one. */
  private topValue(entries: Map<string, Node>, key: string, position: Position): boolean {
    const lexer = this.lexer;
    lexer.skipSpace();
    if (lexer.atEnd()) return false;
    if (lexer.peek() === "=" || lexer.peek() === ":") {
      lexer.offset++;
      lexer.skipBlanks();
    }
    if (isLineEnd(lexer.peek())) throw lexer.errorGot(() => "Expected value but found new line");
    this.define(entries, key, position);
    return true;
  }

  /** True when the value was ended by `}`. */
  private endOfTopValue(wrapped: boolean): boolean {
    const lexer = this.lexer;
    lexer.skipBlanks();
    // A lone slash is passed over here, as it is after the values of maps and arrays, where it even separates.
    if (!lexer.skipComment() && lexer.peek() === "/") lexer.offset++;
    const next = lexer.peek();
    if (lexer.atEnd() && !wrapped) return false;
    if (!isLineEnd(next) && next !== "," && next !== ";" && next !== "}") {
      const level = wrapped ? "block-level" : "top-level";
      throw lexer.errorGot((got) => `Expected a ${level} value to end with a new line, comment or EOF, but got '${got}' instead.`);
    }
    lexer.offset++;
    return next === "}";
  }

  private define(entries: Map<string, Node>, key: string, position: Position): void {
    const value = this.value();
    if (value !== undefined) entries.set(key, { value, position: this.fixedPosition ?? position, used: false });
  }

  /** Any value; undefined for the one form that is dropped silently: a number with an unknown size suffix. */
  private value(): Value | undefined {
    const first = this.lexer.peek();
    if (first === "[" || first === "{") {
      if (++this.nesting > NESTING_MAX) throw this.lexer.error("Values are nested too deeply");
      const value = first === "[" ? this.array() : this.map();
      this.nesting--;
      return value;
    }
    const line = this.lexer.line();
    return this.scalarValue(this.lexer.scalar(), line);
  }

  private map(): Value {
    const lexer = this.lexer;
    const entries = new Map<string, Node>();
    this.scopes.push(entries);
    lexer.offset++;
    while (!this.endOfMap()) {
      const { key, position, include } = this.mapKey();
      if (include) {
        this.include(entries);
      } else {
        lexer.skipSpace();
        if (lexer.peek() === "=" || lexer.peek() === ":") lexer.offset++;
        lexer.skipSpace();
        if (lexer.peek() === ",") throw lexer.error('Unexpected map value terminator ",".');
        this.define(entries, key, position);
      }
      if (this.endOfMapValue()) break;
    }
    this.scopes.pop();
    return { kind: "map", entries };
  }

  /** Before a key: consumes `}`. */
  private endOfMap(): boolean {
    const lexer = this.lexer;
    for (;;) {
      lexer.skipSpace();
      if (lexer.skipComment()) continue;
      if (lexer.atEnd()) throw lexer.error("Unexpected EOF processing map.");
      const next = lexer.peek();
      if (next === "]") throw lexer.error("Unexpected array end ']' processing map.");
      if (next === "=" || next === ":") throw lexer.error(`Unexpected key separator '${next}'.`);
      if (next !== "}" && next !== "/") return false;
      lexer.offset++;
      if (next === "}") return true;
    }
  }

  private mapKey(): { key: string; position: Position; include: boolean } {
    const lexer = this.lexer;
    const first = lexer.peek();
    if (first === "'") return { ...lexer.quotedKey("Unexpected EOF processing quoted map key."), include: false };
    if (first === '"') return { ...lexer.quotedKey("Unexpected EOF processing double quoted map key."), include: false };
    const { key, position } = lexer.bareKey();
    if (lexer.atEnd()) throw lexer.error("Unexpected EOF processing map key.");
    return { key, position, include: this.isInclude(key) };
  }

  /** After a value: true when it was the last. */
  private endOfMapValue(): boolean {
    const lexer = this.lexer;
    lexer.skipBlanks();
    if (lexer.skipComment() && !lexer.atEnd()) return false;
    const next = lexer.peek();
    if (isLineEnd(next) || next === "," || next === ";" || next === "}" || next === "/") {
      lexer.offset++;
      return next === "}";
    }
    throw lexer.errorGot((got) => `Expected a map value terminator "," or a map terminator "}", but got '${got}' instead.`);
  }

  private array(): Value {
    const lexer = this.lexer;
    const items: Node[] = [];
    lexer.offset++;
    for (;;) {
      lexer.skipSpace();
      if (lexer.skipComment()) continue;
      const next = lexer.peek();
      if (next === "]") {
        lexer.offset++;
        return { kind: "array", items };
      }
      if (next === "," || next === "/") throw lexer.error("Unexpected array value terminator ','.");
      this.arrayItem(items);
      lexer.skipBlanks();
      if (lexer.skipComment() || lexer.peek() === "]") continue;
      if (!isLineEnd(lexer.peek()) && lexer.peek() !== "," && lexer.peek() !== "/") {
        throw lexer.errorGot((got) => `Expected an array value terminator "," or an array terminator "]", but got '${got}' instead.`);
      }
      lexer.offset++;
    }
  }

  private arrayItem(items: Node[]): void {
    const lexer = this.lexer;
    const quoted = lexer.peek() === "'" || lexer.peek() === '"';
    const start = lexer.position(lexer.offset + (quoted ? 1 : 0));
    const value = this.value();
    if (value === undefined) return;
    const closed = value.kind === "map" || value.kind === "array" ? lexer.position(lexer.offset) : start;
    items.push({ value, position: this.fixedPosition ?? closed, used: false });
  }

  private scalarValue(scalar: Scalar, line: number): Value | undefined {
    switch (scalar.kind) {
      case "string":
        return scalar;
      case "word":
        return this.wordValue(scalar.text, line);
      case "integer":
        return integerValue(scalar.text);
      case "float": {
        const float = Number(scalar.text);
        if (!Number.isFinite(float)) throw new ConfigError(`float '${scalar.text}' is out of the range`);
        return { kind: "float", float };
      }
      case "datetime":
        if (!isDatetime(scalar.text)) throw new ConfigError(`expected Zulu formatted DateTime, but got '${scalar.text}'`);
        return scalar;
    }
  }

  private wordValue(text: string, line: number): Value {
    const lower = text.toLowerCase();
    if (lower === "true" || lower === "yes" || lower === "on") return { kind: "boolean", boolean: true };
    if (lower === "false" || lower === "no" || lower === "off") return { kind: "boolean", boolean: false };
    // A bcrypt hash is taken as it stands; only this revision is, the others must be quoted.
    if (!text.startsWith("$") || text.startsWith("$2a$")) return { kind: "string", text };
    return this.variable(text.slice(1), line);
  }

  private variable(name: string, line: number): Value {
    for (let depth = this.scopes.length - 1; depth >= 0; depth--) {
      const node = this.scopes[depth].get(name);
      if (node === undefined) continue;
      node.used = true;
      return node.value;
    }
    const text = this.sources.environment(name);
    if (text === undefined) throw new ConfigError(`variable reference for '${name}' on line ${line} can not be found`);
    try {
      return this.environmentValue(name, text);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new ConfigError(`variable reference for '${name}' on line ${line} could not be parsed: ${error.message}`);
    }
  }

  private environmentValue(name: string, text: string): Value {
    if (this.resolving.includes(name)) throw new ConfigError(`variable reference cycle for '${name}'`);
    const position = this.fixedPosition ?? this.lexer.position();
    const bytes = new TextEncoder().encode(`pk=${text}`);
    const parser = new Parser(bytes, "", this.sources, this.including, [...this.resolving, name], position);
    const node = parser.parse().entries.get("pk");
    if (node === undefined) throw new ConfigError(`variable reference for '${name}' has no value`);
    return node.value;
  }

  private include(entries: Map<string, Node>): void {
    const written = this.lexer.includePath();
    const path = joinPath(directoryOf(this.file), written);
    try {
      if (this.including.length > INCLUDE_NESTING_MAX) throw new ConfigError("includes are nested too deeply");
      for (const [key, node] of parseFile(path, this.sources, this.including).entries) entries.set(key, node);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new ConfigError(`error parsing include file '${written}', ${error.message}`);
    }
  }
}

function integerValue(text: string): Value | undefined {
  const digits = /^-?\d+/.exec(text)?.[0] ?? "0";
  const integer = BigInt(digits);
  if (integer > INT64_MAX || integer < INT64_MIN) throw new ConfigError(`integer '${text}' is out of the range`);
  const suffix = text.slice(digits.length).toLowerCase();
  if (suffix === "") return { kind: "integer", integer };
  const multiplier = MULTIPLIERS.get(suffix);
  // Overflow of the product is not detected: it wraps, as everywhere this language is read.
  return multiplier === undefined ? undefined : { kind: "integer", integer: BigInt.asIntN(64, integer * multiplier) };
}

function isDatetime(text: string): boolean {
  const time = new Date(text);
  return !Number.isNaN(time.getTime()) && time.toISOString().replace(".000Z", "Z") === text;
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash + 1);
}

/** Joins and cleans: no `.`, no `a/..`, no doubled slash; the result of nothing is `.`. */
export function joinPath(directory: string, path: string): string {
  const whole = `${directory}/${path}`;
  const parts: string[] = [];
  for (const part of whole.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts[parts.length - 1] !== "..") parts.pop();
    else if (part !== ".." || !whole.startsWith("/")) parts.push(part);
  }
  const joined = parts.join("/");
  if (whole.startsWith("/")) return `/${joined}`;
  return joined === "" ? "." : joined;
}

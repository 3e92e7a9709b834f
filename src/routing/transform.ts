/**
 * Subject transforms: a source pattern and a destination whose tokens are literals, `$n`, or functions in double braces. Used by account mappings and, on
 * other floors, by streams and imports. Compiled once; applying one is a walk over the destination's tokens. Spec: client protocol, section 15.2.
 */
import { isValidConfiguredSubject, subjectMatches } from "./subject.ts";

/** The reasons users know; all but the last are followed by ` in <token>`. */
export type TransformFault =
  | "unknown function"
  | "wildcard index out of range"
  | "not enough arguments passed to the function"
  | "too many arguments passed to the function"
  | "function argument is invalid or in the wrong format"
  | "not using all of the token wildcard(s)"
  | "the only mapping function allowed for import transforms is {{Wildcard()}}"
  | "invalid transform";

/** A destination that cannot be used. `message` is the whole text that users see. */
export class TransformError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TransformError";
  }
}

export interface TransformRules {
  /** Import transforms: only `$n` and `wildcard`, and every wildcard must be used. */
  readonly strict: boolean;
}

/** Makes one token (which may hold dots) of the destination. `tokens` are those of the subject, `random` draws in [0, below). */
type Part = (tokens: readonly string[], subject: string, random: (below: number) => number) => string;

export class SubjectTransform {
  private constructor(
    readonly source: string,
    readonly destination: string,
    private readonly parts: readonly Part[],
    /** Index of the first token that the source's `>` stands for; -1 without one. */
    private readonly restAt: number,
  ) {}

  /** Compiles a transform. Throws `TransformError`. An empty source means `>`. */
  static compile(source: string, destination: string, rules: TransformRules = { strict: false }): SubjectTransform {
    const from = source === "" ? ">" : source;
    const sourceTokens = from.split(".");
    const endsOpen = sourceTokens.at(-1) === ">";
    const destinationTokens = splitDestination(destination);
    if (!isValidConfiguredSubject(from)) throw new TransformError("invalid subject");
    if (destinationTokens.some((token) => token === "*") || endsOpen !== (destinationTokens.at(-1) === ">")) throw new TransformError("invalid subject");
    const wildcards = sourceTokens.flatMap((token, index) => (token === "*" ? [index] : []));
    const used = new Set<number>();
    const parts = destinationTokens.filter((token, index) => !(token === ">" && index === destinationTokens.length - 1)).map((token) => compileToken(token, wildcards, endsOpen, rules, used));
    if (rules.strict && used.size < wildcards.length) throw fault("not using all of the token wildcard(s)", destination);
    return new SubjectTransform(from, destination, parts, endsOpen ? sourceTokens.length - 1 : -1);
  }

  /** The transform that changes nothing. */
  static identity(source: string): SubjectTransform {
    return new SubjectTransform(source, source, [(_tokens, subject) => subject], -1);
  }

  /** Whether the literal `subject` is one that this transform is for. */
  matches(subject: string): boolean {
    return subjectMatches(subject, this.source);
  }

  /** The destination for a subject that `matches`. */
  apply(subject: string, random: (below: number) => number): string {
    const tokens = subject.split(".");
    let result = "";
    for (const part of this.parts) result += (result === "" ? "" : ".") + part(tokens, subject, random);
    if (this.restAt >= 0) for (let i = this.restAt; i < tokens.length; i++) result += (result === "" ? "" : ".") + tokens[i];
    return result;
  }
}

/** Dots inside a function's braces do not separate tokens. */
function splitDestination(destination: string): string[] {
  const tokens: string[] = [];
  let token = "";
  let depth = 0;
  for (let i = 0; i < destination.length; i++) {
    if (destination.startsWith("{{", i)) depth++;
    else if (destination.startsWith("}}", i) && depth > 0) depth--;
    if (destination[i] === "." && depth === 0) {
      tokens.push(token);
      token = "";
    } else token += destination[i];
  }
  tokens.push(token);
  return tokens;
}

function fault(reason: TransformFault, token: string): TransformError {
  return new TransformError(`invalid mapping destination: ${reason}${reason === "invalid transform" ? "" : ` in ${token}`}`);
}

const FUNCTION = /^\{\{\s*([A-Za-z]+)\s*\(([^)]*)\)\s*\}\}$/;
const INT32_MAX = 2147483647;

function compileToken(token: string, wildcards: readonly number[], endsOpen: boolean, rules: TransformRules, used: Set<number>): Part {
  if (/^\$-?\d+$/.test(token)) {
    const at = wildcardAt(Number(token.slice(1)), token, wildcards, used);
    return (tokens) => tokens[at];
  }
  const call = FUNCTION.exec(token);
  if (call === null) {
    if (token.startsWith("{{") && token.endsWith("}}")) throw fault("unknown function", token);
    if (token === "" || token === ">" || /\s/.test(token)) throw fault("invalid transform", token);
    return () => token;
  }
  const name = call[1];
  const args = call[2].trim() === "" ? [] : call[2].split(",").map((arg) => arg.trim());
  const known = FUNCTIONS.get(functionKey(name));
  if (known === undefined) throw fault("unknown function", token);
  if (rules.strict && functionKey(name) !== "wildcard") throw fault("the only mapping function allowed for import transforms is {{Wildcard()}}", token);
  return known({ token, args, wildcards, endsOpen, used });
}

interface Call {
  readonly token: string;
  readonly args: readonly string[];
  readonly wildcards: readonly number[];
  readonly endsOpen: boolean;
  readonly used: Set<number>;
}

/** Only the first letter of each word may be in either case. */
function functionKey(name: string): string {
  const lower = name.toLowerCase();
  const words = WORDS.get(lower);
  if (words === undefined) return "";
  let at = 0;
  for (const word of words) {
    if (name.slice(at + 1, at + word.length) !== word.slice(1)) return "";
    at += word.length;
  }
  return lower;
}

const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["wildcard", ["wildcard"]],
  ["partition", ["partition"]],
  ["split", ["split"]],
  ["splitfromleft", ["split", "from", "left"]],
  ["splitfromright", ["split", "from", "right"]],
  ["slicefromleft", ["slice", "from", "left"]],
  ["slicefromright", ["slice", "from", "right"]],
  ["left", ["left"]],
  ["right", ["right"]],
  ["random", ["random"]],
]);

const FUNCTIONS: ReadonlyMap<string, (call: Call) => Part> = new Map<string, (call: Call) => Part>([
  ["wildcard", compileWildcard],
  ["partition", compilePartition],
  ["split", compileSplit],
  ["splitfromleft", (call) => compileLength(call, (text, n) => `${text.slice(0, n)}.${text.slice(n)}`)],
  ["splitfromright", (call) => compileLength(call, (text, n) => `${text.slice(0, text.length - n)}.${text.slice(text.length - n)}`)],
  ["slicefromleft", (call) => compileLength(call, (text, n) => slices(text, n, 0))],
  ["slicefromright", (call) => compileLength(call, (text, n) => slices(text, n, text.length % n))],
  ["left", (call) => compileLength(call, (text, n) => text.slice(0, n))],
  ["right", (call) => compileLength(call, (text, n) => text.slice(text.length - n))],
  ["random", compileRandom],
]);

function compileWildcard(call: Call): Part {
  if (call.args.length === 0) throw fault("not enough arguments passed to the function", call.token);
  if (call.args.length > 1) throw fault("too many arguments passed to the function", call.token);
  const at = wildcardAt(integerArgument(call, 0), call.token, call.wildcards, call.used);
  return (tokens) => tokens[at];
}

function compilePartition(call: Call): Part {
  if (call.args.length === 0) throw fault("function argument is invalid or in the wrong format", call.token);
  const buckets = integerArgument(call, 0);
  const indexes = call.args.slice(1).map((_, i) => integerArgument(call, i + 1));
  const literalSource = call.wildcards.length === 0 && !call.endsOpen;
  // Of a literal source the reference hashes nothing, whatever the arguments: the bucket is always the same.
  if (literalSource) return () => String(bucketOf("", buckets));
  if (indexes.length === 0) return (_tokens, subject) => String(bucketOf(subject, buckets));
  const places = indexes.map((index) => wildcardAt(index, call.token, call.wildcards, call.used));
  return (tokens) => String(bucketOf(places.map((at) => tokens[at]).join(""), buckets));
}

function compileSplit(call: Call): Part {
  twoArguments(call);
  const at = wildcardAt(integerArgument(call, 0), call.token, call.wildcards, call.used);
  const delimiter = call.args[1];
  if (/[ .]/.test(delimiter)) throw fault("function argument is invalid or in the wrong format", call.token);
  return (tokens) =>
    tokens[at]
      .split(delimiter)
      .filter((piece) => piece !== "")
      .join(".");
}

/** Functions of a token and a length; a length outside the token leaves it alone. */
function compileLength(call: Call, shape: (text: string, length: number) => string): Part {
  twoArguments(call);
  const index = integerArgument(call, 0);
  const length = integerArgument(call, 1);
  const at = wildcardAt(index, call.token, call.wildcards, call.used);
  return (tokens) => {
    const text = tokens[at];
    return length <= 0 || length >= text.length ? text : shape(text, length);
  };
}

function compileRandom(call: Call): Part {
  if (call.args.length === 0) throw fault("function argument is invalid or in the wrong format", call.token);
  if (call.args.length > 1) throw fault("not enough arguments passed to the function", call.token);
  const below = integerArgument(call, 0);
  if (below < 0) throw fault("function argument is invalid or in the wrong format", call.token);
  return (_tokens, _subject, random) => String(below === 0 ? 0 : random(below));
}

function twoArguments(call: Call): void {
  if (call.args.length < 2) throw fault("not enough arguments passed to the function", call.token);
  if (call.args.length > 2) throw fault("too many arguments passed to the function", call.token);
}

function integerArgument(call: Call, index: number): number {
  const text = call.args[index];
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || value > INT32_MAX || value < -INT32_MAX - 1) throw fault("function argument is invalid or in the wrong format", call.token);
  return value;
}

/** Place in the subject of the source's wildcard number `index`; 0 and below resolve to the first token, as in the reference. */
function wildcardAt(index: number, token: string, wildcards: readonly number[], used: Set<number>): number {
  if (wildcards.length === 0) throw fault("wildcard index out of range", token);
  if (index > wildcards.length) throw new TransformError(`invalid mapping destination: wildcard index out of range in ${token}: [${index}]`);
  if (index <= 0) return 0;
  used.add(index);
  return wildcards[index - 1];
}

function slices(text: string, length: number, first: number): string {
  const pieces: string[] = [];
  if (first > 0) pieces.push(text.slice(0, first));
  for (let i = first; i < text.length; i += length) pieces.push(text.slice(i, i + length));
  return pieces.join(".");
}

/** FNV-1a, 32 bit, modulo the number of buckets. */
function bucketOf(text: string, buckets: number): number {
  if (buckets <= 0) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % buckets;
}

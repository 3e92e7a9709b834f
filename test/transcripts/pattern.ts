/**
 * What "matches" means in a transcript: text with placeholders, and JSON as a subset.
 *
 * Text is literal except for `<any>`, `<num>`, `<word>`, `<json>`, `<key>` (a 56 character nkey), `<time>` (RFC 3339, UTC), `<id>` (22 letters and digits) and `<re:...>`; a
 * placeholder written `<num:name>` also keeps what it matched under that name for later steps (`${name}`).
 *
 * JSON is compared as a subset: keys that the pattern does not name may be anything, arrays must have the same length
 * unless their last element is "...", which allows further elements and any order. Strings are text patterns. Bare
 * words stand for kinds: `absent any string number boolean array object`, and `>=N` or `<=N` for a number.
 */

/** What placeholders captured so far, by name. */
export type Captures = Map<string, string>;

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const PLACEHOLDER = /<(any|num|word|json|key|time|id|re:((?:[^<>\\]|\\.|<[^>]*>)+?))(?::(\w+))?>/g;
const SOURCES: Readonly<Record<string, string>> = { any: '[^]*?', num: '-?\\d+(?:\\.\\d+)?', word: '\\S+', json: '[{[][^]*[}\\]]', key: '[A-Z2-7]{56}', time: '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,9})?Z', id: '[0-9A-Za-z]{22}' };
const KIND = '\u0001';

/** Whether `actual` is what `pattern` describes, from its first to its last character. Captures on success. */
export function matchesText(pattern: string, actual: string, captures: Captures): boolean {
  const names: string[] = [];
  let source = '';
  let end = 0;
  for (const match of pattern.matchAll(PLACEHOLDER)) {
    const [whole, kind = '', expression, name] = match;
    source += RegExp.escape(pattern.slice(end, match.index));
    const inner = expression ?? SOURCES[kind] ?? '';
    source += name === undefined ? `(?:${inner})` : `(?<${name}>${inner})`;
    if (name !== undefined) names.push(name);
    end = match.index + whole.length;
  }
  source += RegExp.escape(pattern.slice(end));
  const found = new RegExp(`^(?:${source})$`, 's').exec(actual);
  if (found === null) return false;
  for (const name of names) captures.set(name, found.groups?.[name] ?? '');
  return true;
}

/** Reads a JSON pattern: JSON, with bare words for kinds. Throws a SyntaxError on anything else. */
export function parseJsonPattern(text: string): Json {
  const quoted = text.replace(/"(?:[^"\\]|\\.)*"|[<>]=\s*-?[\d.]+|\b(?:absent|any|string|number|boolean|array|object)\b/g, (part) =>
    part.startsWith('"') ? part : JSON.stringify(KIND + part.replace(/\s/g, '')));
  return JSON.parse(quoted) as Json;
}

function isKind(kind: string, actual: Json | undefined): boolean {
  if (kind.startsWith('>=')) return typeof actual === 'number' && actual >= Number(kind.slice(2));
  if (kind.startsWith('<=')) return typeof actual === 'number' && actual <= Number(kind.slice(2));
  switch (kind) {
    case 'absent': return actual === undefined;
    case 'any': return actual !== undefined;
    case 'array': return Array.isArray(actual);
    case 'object': return typeof actual === 'object' && actual !== null && !Array.isArray(actual);
    default: return typeof actual === kind;
  }
}

function show(value: Json | undefined): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function arrayMismatch(expected: readonly Json[], actual: readonly Json[], path: string, captures: Captures): string | undefined {
  if (expected.at(-1) === '...') {
    for (const element of expected.slice(0, -1)) {
      if (!actual.some((candidate) => jsonMismatch(element, candidate, path, captures) === undefined)) return `${path} has no ${show(element)}: ${show(actual)}`;
    }
    return undefined;
  }
  if (expected.length !== actual.length) return `${path} should have ${expected.length} elements: ${show(actual)}`;
  for (const [index, element] of expected.entries()) {
    const mismatch = jsonMismatch(element, actual[index], `${path}[${index}]`, captures);
    if (mismatch !== undefined) return mismatch;
  }
  return undefined;
}

/** The first place where `actual` is not what `expected` describes, in words; undefined when it is. */
export function jsonMismatch(expected: Json, actual: Json | undefined, path: string, captures: Captures): string | undefined {
  const wrong = `${path} should be ${show(expected).replace('\\u0001', '')}, is ${show(actual)}`;
  if (typeof expected === 'string') {
    if (expected.startsWith(KIND)) return isKind(expected.slice(1), actual) ? undefined : wrong;
    return typeof actual === 'string' && matchesText(expected, actual, captures) ? undefined : wrong;
  }
  if (typeof expected !== 'object' || expected === null) return expected === actual ? undefined : wrong;
  if (Array.isArray(expected)) return Array.isArray(actual) ? arrayMismatch(expected as readonly Json[], actual as readonly Json[], path, captures) : wrong;
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return wrong;
  const fields = actual as { readonly [key: string]: Json | undefined };
  for (const [key, value] of Object.entries(expected as { readonly [key: string]: Json })) {
    const mismatch = jsonMismatch(value, fields[key], `${path}.${key}`, captures);
    if (mismatch !== undefined) return mismatch;
  }
  return undefined;
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' };

/** Source text as wire text, one character per byte: UTF-8 taken apart, `\r \n \t \0 \\ \xHH` resolved, other backslashes kept. */
export function unescapeBytes(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return bytes.replace(/\\(?:x([0-9a-fA-F]{2})|([rnt0\\]))/g, (_, hex: string | undefined, letter: string | undefined) =>
    hex !== undefined ? String.fromCharCode(Number.parseInt(hex, 16)) : (ESCAPES[letter ?? ''] ?? ''));
}

/**
 * JSON as the reference server writes it: inside strings `<`, `>`, `&` and the two Unicode line separators are escaped. It can be done on the finished text,
 * since none of them occurs outside a string.
 */
export function encodeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(ESCAPED, (c) => ESCAPES[c]);
}

const ESCAPED = /[<>&\u2028\u2029]/g;
const ESCAPES: Readonly<Record<string, string>> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029" };

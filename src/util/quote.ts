/**
 * Go's `%q`: a double-quoted, escaped string. Error texts and log lines that users and tools know are written with it, and JSON quoting differs
 * (non-printable characters, `\a`, `\v`, `\x00`).
 */

const SHORT: ReadonlyMap<string, string> = new Map([
  ["\u0007", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
  ['"', '\\"'],
  ["\\", "\\\\"],
]);

const PLAIN = /^[ !#-[\]-~]*$/;
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** `%q` of a string. A lone surrogate counts as the replacement character. */
export function goQuote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  let out = '"';
  for (const character of text) out += escapeCharacter(character);
  return `${out}"`;
}

/** The beginning of a text that is one character in UTF-8, of two to four bytes: no overlong forms, no surrogates, nothing past U+10FFFF. */
const UTF8_CHARACTER = /^(?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})/;

/** `%q` of a byte string, as text: what is no UTF-8 is shown byte for byte (`\xff`). */
export function goQuoteBytes(bytes: string): string {
  if (PLAIN.test(bytes)) return `"${bytes}"`;
  let out = '"';
  for (let at = 0; at < bytes.length; ) {
    const code = bytes.charCodeAt(at);
    const sequence = code < 0x80 ? bytes.charAt(at) : UTF8_CHARACTER.exec(bytes.slice(at, at + 4))?.[0];
    out += sequence === undefined ? `\\x${code.toString(16)}` : escapeCharacter(Buffer.from(sequence, "latin1").toString("utf8"));
    at += sequence?.length ?? 1;
  }
  return `${out}"`;
}

/** `%q` of a list of strings: `["a" "b"]`. */
export function goQuoteList(texts: readonly string[]): string {
  return `[${texts.map(goQuote).join(" ")}]`;
}

function escapeCharacter(character: string): string {
  const short = SHORT.get(character);
  if (short !== undefined) return short;
  if (PRINTABLE.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code >= 0xd800 && code <= 0xdfff) return "\ufffd";
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
}

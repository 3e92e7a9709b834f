/** Request targets: the path, decoded, and the parameters of the query, as Go's HTTP server reads them. RFC 9112, section 3.2. */
import { fromByteString } from "../../util/bytes.ts";

export interface RequestTarget {
  /** Percent-decoded; `*` for a request to the server as a whole. */
  readonly path: string;
  /** The first value of each parameter; a pair that cannot be decoded is left out. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads a target as sent (bytes); undefined when it is not one. */
export function parseTarget(target: string): RequestTarget | undefined {
  const local = target.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/, "");
  const question = local.indexOf("?");
  const rawPath = question === -1 ? local : local.slice(0, question);
  const path = percentDecode(rawPath);
  if (path === undefined || !(path.startsWith("/") || target === "*" || local === "" || local.startsWith("?"))) return undefined;
  return { path: path === "" ? "/" : path, parameters: parseQuery(question === -1 ? "" : local.slice(question + 1)) };
}

function parseQuery(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "" || pair.includes(";")) continue;
    const equals = pair.indexOf("=");
    const name = decodeWord(equals === -1 ? pair : pair.slice(0, equals));
    const value = decodeWord(equals === -1 ? "" : pair.slice(equals + 1));
    if (name !== undefined && value !== undefined && !parameters.has(name)) parameters.set(name, value);
  }
  return parameters;
}

function decodeWord(word: string): string | undefined {
  return percentDecode(word.replaceAll("+", " "));
}

/** Decodes `%XX` in a byte string and reads the outcome as UTF-8; undefined for a broken escape. */
function percentDecode(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  return fromByteString(text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))));
}

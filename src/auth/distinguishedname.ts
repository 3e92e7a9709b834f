/**
 * Distinguished names: those of certificates (DER) and those that users write as user names (RFC 4514 text), compared as the reference does.
 * Spec: accounts and authentication, section 1.9.
 */
import { objectIdentifier, readElements, stringValue } from "./der.ts";

export interface NameAttribute {
  /** Object identifier, dotted. */
  readonly type: string;
  readonly value: string;
}

/** One relative name: usually a single attribute. */
export type RelativeName = readonly NameAttribute[];

const TYPES: Readonly<Record<string, string>> = {
  CN: "2.5.4.3",
  SERIALNUMBER: "2.5.4.5",
  C: "2.5.4.6",
  L: "2.5.4.7",
  ST: "2.5.4.8",
  STREET: "2.5.4.9",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  POSTALCODE: "2.5.4.17",
  DC: "0.9.2342.19200300.100.1.25",
};
const DOMAIN_COMPONENT = TYPES.DC;
const KNOWN_TYPES = new Set(Object.values(TYPES));

/** Order in which the text form groups attributes, before it is reversed. */
const TEXT_ORDER = ["C", "O", "OU", "L", "ST", "STREET", "POSTALCODE", "CN", "SERIALNUMBER"] as const;

/** Relative names of a DER `Name`, in encoded order; undefined when malformed. */
export function parseDerName(content: Buffer): readonly RelativeName[] | undefined {
  const sets = readElements(content);
  if (sets === undefined) return undefined;
  const names: RelativeName[] = [];
  for (const set of sets) {
    const attributes: NameAttribute[] = [];
    for (const pair of readElements(set.content) ?? []) {
      const [type, value] = readElements(pair.content) ?? [];
      if (type === undefined || value === undefined) return undefined;
      attributes.push({ type: objectIdentifier(type.content), value: stringValue(value) });
    }
    names.push(attributes);
  }
  return names;
}

/** Relative names of an RFC 4514 text; undefined when it is not one. */
export function parseTextName(text: string): readonly RelativeName[] | undefined {
  const names: RelativeName[] = [];
  for (const relative of splitEscaped(text, ",")) {
    const attributes: NameAttribute[] = [];
    for (const pair of splitEscaped(relative, "+")) {
      const equals = pair.indexOf("=");
      if (equals <= 0) return undefined;
      const type = TYPES[pair.slice(0, equals).trim().toUpperCase()];
      const value = unescapeValue(pair.slice(equals + 1));
      if (type === undefined || value === undefined) return undefined;
      attributes.push({ type, value });
    }
    names.push(attributes);
  }
  return names.length === 0 ? undefined : names;
}

/** Whether every attribute of the name is of a type that user names can express. */
export function isExpressible(names: readonly RelativeName[]): boolean {
  return names.every((relative) => relative.every((attribute) => KNOWN_TYPES.has(attribute.type)));
}

/** Equal relative names at equal places. */
export function equalNames(a: readonly RelativeName[], b: readonly RelativeName[]): boolean {
  return a.length === b.length && a.every((relative, index) => equalRelative(relative, b[index]));
}

/** The same relative names in any order. */
export function samePartsOfNames(a: readonly RelativeName[], b: readonly RelativeName[]): boolean {
  if (a.length !== b.length) return false;
  const left = [...b];
  for (const relative of a) {
    const at = left.findIndex((other) => equalRelative(relative, other));
    if (at === -1) return false;
    left.splice(at, 1);
  }
  return true;
}

function equalRelative(a: RelativeName, b: RelativeName): boolean {
  return a.length === b.length && a.every((attribute) => b.some((other) => other.type === attribute.type && other.value === attribute.value));
}

/** RFC 2253 text of a certificate's name, re-grouped by type as the reference prints it: `CN=example.com,OU=NATS.io`. */
export function nameText(names: readonly RelativeName[]): string {
  const attributes = names.flat();
  const groups = TEXT_ORDER.flatMap((label) => {
    const values = attributes.filter((attribute) => attribute.type === TYPES[label]);
    return values.length === 0 ? [] : [values.map((attribute) => `${label}=${escapeValue(attribute.value)}`).join("+")];
  });
  return groups.reverse().join(",");
}

/** `DC=a,DC=b` in encoded order, or empty. */
export function domainComponents(names: readonly RelativeName[]): string {
  return names
    .flat()
    .filter((attribute) => attribute.type === DOMAIN_COMPONENT)
    .map((attribute) => `DC=${attribute.value}`)
    .join(",");
}

function escapeValue(value: string): string {
  return value.replace(/[,+"\\<>;]/g, "\\$&").replace(/^[# ]/, "\\$&").replace(/ $/, "\\ ");
}

function splitEscaped(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = "";
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\" && i + 1 < text.length) part += text[i] + text[++i];
    else if (text[i] === separator) {
      parts.push(part);
      part = "";
    } else part += text[i];
  }
  parts.push(part);
  return parts;
}

/** Undoes backslash escapes; unescaped blanks at either end do not count. Undefined for a malformed escape or a `#` value. */
function unescapeValue(text: string): string | undefined {
  const trimmed = text.replace(/^ +/, "").replace(/((?:^|[^\\])(?:\\\\)*) +$/, "$1");
  if (trimmed.startsWith("#")) return undefined;
  const bytes: number[] = [];
  for (let i = 0; i < trimmed.length; i++) {
    if (trimmed[i] !== "\\") {
      bytes.push(...Buffer.from(trimmed[i], "utf8"));
      continue;
    }
    const hex = /^[0-9a-fA-F]{2}/.exec(trimmed.slice(i + 1));
    if (hex !== null) {
      bytes.push(Number.parseInt(hex[0], 16));
      i += 2;
    } else if (i + 1 < trimmed.length) bytes.push(trimmed.charCodeAt(++i));
    else return undefined;
  }
  return Buffer.from(bytes).toString("utf8");
}

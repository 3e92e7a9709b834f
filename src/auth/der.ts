/**
 * The little DER that certificates need: nested tag-length-value elements. Bounds are checked at every step; malformed input is `undefined`, never an
 * exception.
 */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
}

/** The element at the start of `bytes` and what follows it. */
export function readElement(bytes: Buffer): { readonly element: DerElement; readonly rest: Buffer } | undefined {
  if (bytes.length < 2) return undefined;
  let length = bytes[1];
  let at = 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4 || bytes.length < 2 + count) return undefined;
    length = bytes.readUIntBE(2, count);
    at += count;
  }
  if (bytes.length < at + length) return undefined;
  return { element: { tag: bytes[0], content: bytes.subarray(at, at + length) }, rest: bytes.subarray(at + length) };
}

/** All elements of `content`, or undefined when it does not consist of whole elements. */
export function readElements(content: Buffer): readonly DerElement[] | undefined {
  const elements: DerElement[] = [];
  let rest = content;
  while (rest.length > 0) {
    const next = readElement(rest);
    if (next === undefined) return undefined;
    elements.push(next.element);
    rest = next.rest;
  }
  return elements;
}

/** Dotted text of an object identifier's content. */
export function objectIdentifier(content: Buffer): string {
  const numbers: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (numbers.length === 0) numbers.push(Math.min(2, Math.floor(value / 40)), value - 40 * Math.min(2, Math.floor(value / 40)));
    else numbers.push(value);
    value = 0;
  }
  return numbers.join(".");
}

const UTF16_STRING = 0x1e;
const LATIN1_STRING = 0x14;

/** Text of a string element of any of the kinds names are made of. */
export function stringValue(element: DerElement): string {
  if (element.tag === UTF16_STRING) return Buffer.from(element.content).swap16().toString("utf16le");
  return element.content.toString(element.tag === LATIN1_STRING ? "latin1" : "utf8");
}

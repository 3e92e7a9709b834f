/**
 * The tree that a configuration file becomes: values with the place they came from. Everything that reads options speaks of a `Node`, so that every
 * error can say where.
 */

export interface Position {
  readonly file: string;
  readonly line: number;
  /** Byte offset in the line; 0-based on the first line and 1-based on all others, as tools have come to expect. */
  readonly column: number;
}

export interface MapValue {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, Node>;
}

export interface ArrayValue {
  readonly kind: "array";
  readonly items: readonly Node[];
}

/** Integers are exact: a signed 64-bit range does not fit a JavaScript number. */
export type Value =
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "integer"; readonly integer: bigint }
  | { readonly kind: "float"; readonly float: number }
  | { readonly kind: "boolean"; readonly boolean: boolean }
  | { readonly kind: "datetime"; readonly text: string }
  | MapValue
  | ArrayValue;

export interface Node {
  readonly value: Value;
  /** Of the key for a map entry, of the element for an array. */
  readonly position: Position;
  /** True once some `$variable` has referred to this entry; it is then exempt from the unknown-field error. */
  used: boolean;
}

/** The file cannot be read as configuration at all. Its message is the whole text to show. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConfigError";
  }
}

export function formatPosition(position: Position): string {
  return `${position.file}:${position.line}:${position.column}`;
}

const TYPE_NAMES = {
  string: "string",
  integer: "int64",
  float: "float64",
  boolean: "bool",
  datetime: "time.Time",
  map: "map[string]interface {}",
  array: "[]interface {}",
} as const;

/** The type's name in error texts, for example `map[string]interface {}`. */
export function typeName(value: Value): string {
  return TYPE_NAMES[value.kind];
}

/** How Go's `%v` shows a plain value inside an error text. */
export function plainText(value: Value): string {
  switch (value.kind) {
    case "string":
    case "datetime":
      return value.text;
    case "integer":
      return value.integer.toString();
    case "float":
      return formatFloat(value.float);
    case "boolean":
      return String(value.boolean);
    case "array":
      return `[${value.items.map((item) => plainText(item.value)).join(" ")}]`;
    case "map":
      return `map[${[...value.entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, node]) => `${key}:${plainText(node.value)}`).join(" ")}]`;
  }
}

/** Go's shortest `%v` of a float: an exponent of at least two digits below 1e-4 and from 1e21. */
export function formatFloat(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e21)) {
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  return Object.is(value, -0) ? "-0" : String(value);
}

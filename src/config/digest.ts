/**
 * The fingerprint of a configuration: a hash of its parsed tree in one canonical JSON form, so that comments, order and spacing do not matter. It is
 * shown by `-t`, in the start lines and in `varz`, and operators compare it across servers; hence the byte-exact form.
 */
import { sha256Hex } from "../util/hash.ts";
import type { MapValue, Value } from "./values.ts";

/** `sha256:<hex>` of the canonical JSON of the tree and one line feed. */
export function configDigest(root: MapValue): string {
  return `sha256:${sha256Hex(`${canonicalJson(root)}\n`)}`;
}

/** Compact JSON, keys sorted by their bytes, `<`, `>`, `&` escaped. */
export function canonicalJson(value: Value): string {
  switch (value.kind) {
    case "string":
    case "datetime":
      return jsonString(value.text);
    case "integer":
      return value.integer.toString();
    case "float":
      return Object.is(value.float, -0) ? "-0" : String(value.float);
    case "boolean":
      return String(value.boolean);
    case "array":
      return `[${value.items.map((item) => canonicalJson(item.value)).join(",")}]`;
    case "map": {
      const keys = [...value.entries].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      return `{${keys.map(([key, node]) => `${jsonString(key)}:${canonicalJson(node.value)}`).join(",")}}`;
    }
  }
}

function jsonString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

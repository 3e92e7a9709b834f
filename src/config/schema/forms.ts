/** The forms that many options share: text, numbers, durations, addresses, lists. */
import { parseDuration } from "../../util/duration.ts";
import { goQuote } from "../../util/quote.ts";
import { plainText, typeName } from "../values.ts";
import { type Block, type BlockReading, type Entry, type Form, readBlock, type Reading, UNKNOWN_FIELD, type UnknownKeys, wrongType } from "./form.ts";

const SECOND_NS = 1_000_000_000n;

export const text: Form<string> = {
  label: "string",
  read({ node }) {
    if (node.value.kind !== "string") throw wrongType(node, "string");
    return node.value.text;
  },
};

export const flag: Form<boolean> = {
  label: "boolean",
  read({ node }) {
    if (node.value.kind !== "boolean") throw wrongType(node, "bool");
    return node.value.boolean;
  },
};

/** A whole number. Beyond 2^53 it is rounded: no option means anything exact up there. */
export const integer: Form<number> = {
  label: "integer",
  read({ node }) {
    if (node.value.kind !== "integer") throw wrongType(node, "int64");
    return Number(node.value.integer);
  },
};

/** As `integer`; a size such as `64MB` is a way to write an integer. */
export const size: Form<number> = { label: "integer (bytes, such as 64MB)", read: integer.read };

/** Any value, not looked at. */
export const anything: Form<true> = { label: "any", read: () => true };

/** Nanoseconds. A plain integer is seconds, with a warning. `field` is the name in texts, the option's own if absent. */
export function duration(field?: string): Form<bigint> {
  return {
    label: "duration (such as \"2m\")",
    read(entry, reading) {
      const { node, name } = entry;
      const shown = field ?? name;
      if (node.value.kind === "string") {
        return parsedDuration(entry, reading, node.value.text, (reason) => `error parsing ${shown}: ${reason}`);
      }
      reading.warn(node.position, shown, `${shown} should be converted to a duration`);
      if (node.value.kind !== "integer") throw wrongType(node, "int64");
      return BigInt.asIntN(64, node.value.integer * SECOND_NS);
    },
  };
}

/** Nanoseconds; a duration string and nothing else. */
export function durationString(error?: (name: string, reason: string, written: string) => string): Form<bigint> {
  const label = error ?? ((name: string, reason: string) => `error parsing ${name}: ${reason}`);
  return {
    label: "duration string",
    read(entry, reading) {
      const written = text.read(entry, reading) ?? "";
      return parsedDuration(entry, reading, written, (reason) => label(entry.name, reason, written));
    },
  };
}

function parsedDuration({ node }: Entry, reading: Reading, written: string, error: (reason: string) => string): bigint | undefined {
  const parsed = parseDuration(written);
  if (parsed.ok) return parsed.ns;
  reading.error(node.position, error(parsed.error));
  return undefined;
}

export interface Listen {
  /** Undefined when only a port was given. */
  readonly host?: string;
  readonly port: number;
}

/** A port, or `host:port`. */
export const listen: Form<Listen> = {
  label: "port or \"host:port\"",
  read({ node }, reading) {
    if (node.value.kind === "integer") return { port: Number(node.value.integer) };
    if (node.value.kind !== "string") {
      reading.error(node.position, `expected port or host:port, got ${typeName(node.value)}`);
      return undefined;
    }
    const written = node.value.text;
    const parts = splitHostPort(written);
    if (parts === undefined) {
      reading.error(node.position, `could not parse address string ${goQuote(written)}`);
      return undefined;
    }
    if (!/^[+-]?\d+$/.test(parts.port) || !Number.isSafeInteger(Number(parts.port))) {
      reading.error(node.position, `could not parse port ${goQuote(parts.port)}`);
      return undefined;
    }
    return { host: parts.host, port: Number(parts.port) };
  },
};

/** `host:port`, with an IPv6 host in brackets; undefined when it is not of that form. */
export function splitHostPort(address: string): { host: string; port: string } | undefined {
  const bracketed = /^\[([^\]]*)\]:([^:]*)$/.exec(address);
  if (bracketed !== null) return { host: bracketed[1], port: bracketed[2] };
  const plain = /^([^:[\]]*):([^:[\]]*)$/.exec(address);
  return plain === null ? undefined : { host: plain[1], port: plain[2] };
}

/** One string or an array of strings; `what` is the name in the error texts. */
export function strings(what: string): Form<readonly string[]> {
  return {
    label: "string or list of strings",
    read({ node }, reading) {
      if (node.value.kind === "string") return [node.value.text];
      if (node.value.kind !== "array") {
        reading.error(node.position, `error parsing ${what}: unsupported type ${typeName(node.value)}`);
        return undefined;
      }
      const list: string[] = [];
      for (const item of node.value.items) {
        if (item.value.kind === "string") list.push(item.value.text);
        else reading.error(item.position, `error parsing ${what}: unsupported type in array ${typeName(item.value)}`);
      }
      return list;
    },
  };
}

/** A nested block by its table. */
export function block<B extends Block, T>(
  table: B,
  notMap: ((type: string, value: string) => string) | "wrong type",
  build: (read: BlockReading<B>, entry: Entry, reading: Reading) => T | undefined,
  unknown: UnknownKeys = UNKNOWN_FIELD,
): Form<T> {
  return {
    label: "block",
    read(entry, reading) {
      const { node } = entry;
      if (node.value.kind !== "map") {
        if (notMap === "wrong type") throw wrongType(node, "map[string]interface {}");
        reading.error(node.position, notMap(typeName(node.value), plainText(node.value)));
        return undefined;
      }
      return build(readBlock(table, node.value, reading, unknown), entry, reading);
    },
  };
}

/** An array of blocks, each read by the same table. */
export function blockList<B extends Block, T>(
  table: B,
  texts: { readonly notArray: (type: string) => string; readonly notMap: (type: string, value: string) => string },
  build: (read: BlockReading<B>, entry: Entry, reading: Reading) => T | undefined,
  unknown: UnknownKeys = UNKNOWN_FIELD,
): Form<readonly T[]> {
  const item = block(table, texts.notMap, build, unknown);
  return {
    label: "list of blocks",
    read({ key, name, node }, reading) {
      if (node.value.kind !== "array") {
        reading.error(node.position, texts.notArray(typeName(node.value)));
        return undefined;
      }
      return node.value.items.flatMap((each) => item.read({ key, name, node: each }, reading) ?? []);
    },
  };
}

/** An array; anything else is the wrong type. The items are read by `item`. */
export function list<T>(item: Form<T>): Form<readonly T[]> {
  return {
    label: `list of ${item.label}`,
    read({ key, name, node }, reading) {
      if (node.value.kind !== "array") throw wrongType(node, "[]interface {}");
      return node.value.items.flatMap((each) => item.read({ key, name, node: each }, reading) ?? []);
    },
  };
}

/** Values of another form, turned into something else. */
export function mapped<A, B>(form: Form<A>, convert: (value: A, entry: Entry, reading: Reading) => B | undefined): Form<B> {
  return {
    label: form.label,
    read(entry, reading) {
      const value = form.read(entry, reading);
      return value === undefined ? undefined : convert(value, entry, reading);
    },
  };
}

/** One string of a fixed set, exactly as listed. */
export function oneOf<T extends string>(choices: readonly T[], error: string): Form<T> {
  return {
    label: choices.map((choice) => `\`${choice}\``).join(" or "),
    read(entry, reading) {
      const written = text.read(entry, reading);
      const choice = choices.find((each) => each === written);
      if (choice === undefined) reading.error(entry.node.position, error);
      return choice;
    },
  };
}

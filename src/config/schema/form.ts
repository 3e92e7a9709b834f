/**
 * What an option is. Every block of the configuration is a table of `Option`s, and this file gives the table its meaning: how a key finds its option
 * (any letter case, aliases), how a value is read by the option's `Form`, what is said about unknown keys and wrong types.
 *
 * A form reports what it does not like to the `Reading` and returns undefined, or throws `WrongType`, which ends the reading of its block: the rest of
 * such a block is not looked at, and the surrounding block goes on.
 */
import { goQuote } from "../../util/quote.ts";
import type { Disk } from "../../platform/index.ts";
import { formatPosition, type MapValue, type Node, type Position, typeName } from "../values.ts";

/** One reading of a configuration: what was found wrong, and what is needed to read files it names. */
export class Reading {
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  /** `<file>:<line>:<col>: <option>` of everything configured that this version does not have. */
  readonly unsupported: string[] = [];

  constructor(
    readonly disk: Disk,
    readonly environment: (name: string) => string | undefined,
  ) {}

  error(position: Position, text: string): void {
    this.errors.push(`${formatPosition(position)}: ${text}`);
  }

  warn(position: Position, field: string, text: string): void {
    this.warnings.push(`${formatPosition(position)}: invalid use of field ${goQuote(field)}: ${text}`);
  }

  notBuilt(position: Position, option: string): void {
    this.unsupported.push(`${formatPosition(position)}: ${option}`);
  }
}

/** A key of a block with its value. */
export interface Entry {
  /** As written. */
  readonly key: string;
  /** The option's first name. */
  readonly name: string;
  readonly node: Node;
}

export interface Form<T> {
  /** For the reference page: `string`, `duration`, ... */
  readonly label: string;
  /** The value, or undefined when an error was reported. */
  read(entry: Entry, reading: Reading): T | undefined;
}

/** What a changed option does at reload: refused under the field name that the error text shows, or applied. */
export type Reload = { readonly refusedAs: string } | "applied" | "with its block";

export interface Option<T> {
  readonly form: Form<T>;
  readonly help: string;
  readonly aliases: readonly string[];
  /** As the reference page shows it; the empty text means none. */
  readonly default: string;
  readonly reload: Reload;
  /** Present when this version lacks the feature: tells whether a value asks for it. */
  readonly notBuilt?: (value: T) => boolean;
}

interface OptionExtras<T> {
  readonly aliases?: readonly string[];
  readonly default?: string;
  readonly reload?: Reload;
  readonly notBuilt?: (value: T) => boolean;
}

export function option<T>(form: Form<T>, help: string, extras: OptionExtras<T> = {}): Option<T> {
  return { form, help, aliases: extras.aliases ?? [], default: extras.default ?? "", reload: extras.reload ?? "with its block", notBuilt: extras.notBuilt };
}

/** `Option<T>` of some T, as a table's row (a method's parameter keeps rows of different types assignable). */
export interface AnyOption {
  readonly form: Form<unknown>;
  readonly help: string;
  readonly aliases: readonly string[];
  readonly default: string;
  readonly reload: Reload;
  notBuilt?(value: unknown): boolean;
}

export type Block = Readonly<Record<string, AnyOption>>;

/** The values of a block's options that were configured. */
export type ValuesOf<B extends Block> = { readonly [K in keyof B]?: B[K]["form"] extends Form<infer T> ? T : never };

export interface BlockReading<B extends Block> {
  readonly values: ValuesOf<B>;
  /** The entry that gave an option its value. */
  readonly entries: ReadonlyMap<string, Entry>;
}

export interface UnknownKeys {
  /** The error text for an unknown key; undefined lets unknown keys pass. */
  readonly text: (key: string) => string | undefined;
  /** Whether a key that serves as a variable may be unknown. */
  readonly exceptUsed: boolean;
}

export const UNKNOWN_FIELD: UnknownKeys = { text: (key) => `unknown field ${goQuote(key)}`, exceptUsed: true };

/** A value of a type that the option cannot have. Ends the reading of the block it stands in. */
export class WrongType extends Error {
  constructor(
    readonly position: Position,
    text: string,
  ) {
    super(text);
    this.name = "WrongType";
  }
}

export function wrongType(node: Node, wanted: string): WrongType {
  return new WrongType(node.position, `interface conversion: interface {} is ${typeName(node.value)}, not ${wanted}`);
}

const indexes = new WeakMap<Block, ReadonlyMap<string, string>>();

/** Lower-case names and aliases of a block to the options' first names. */
function indexOf(block: Block): ReadonlyMap<string, string> {
  let index = indexes.get(block);
  if (index === undefined) {
    index = new Map(Object.entries(block).flatMap(([name, { aliases }]) => [name, ...aliases].map((each): [string, string] => [each, name])));
    indexes.set(block, index);
  }
  return index;
}

/** Reads every entry of a map by the block's table. Wrong types are reported at their own place, or at `wrongTypeAt`. */
export function readBlock<B extends Block>(block: B, map: MapValue, reading: Reading, unknown: UnknownKeys = UNKNOWN_FIELD, wrongTypeAt?: Position): BlockReading<B> {
  const values: Record<string, unknown> = {};
  const entries = new Map<string, Entry>();
  try {
    for (const [key, node] of map.entries) {
      const name = indexOf(block).get(key.toLowerCase());
      if (name === undefined) {
        const text = node.used && unknown.exceptUsed ? undefined : unknown.text(key);
        if (text !== undefined) reading.error(node.position, text);
        continue;
      }
      const entry: Entry = { key, name, node };
      const value = block[name].form.read(entry, reading);
      entries.set(name, entry);
      if (value === undefined) continue;
      values[name] = value;
      if (block[name].notBuilt?.(value) === true) reading.notBuilt(node.position, key);
    }
  } catch (error) {
    if (!(error instanceof WrongType)) throw error;
    reading.error(wrongTypeAt ?? error.position, error.message);
  }
  return { values: values as ValuesOf<B>, entries };
}

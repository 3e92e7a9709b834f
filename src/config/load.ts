/** One way from flags and file to `Options`, for start, `-t` and reload. */
import type { Disk } from "../platform/index.ts";
import { buildOptions, withDefaults } from "./build.ts";
import { configDigest } from "./digest.ts";
import { type Flags, flagsKeptAtReload, overlayFlags } from "./flags.ts";
import type { Options } from "./options.ts";
import { parseConfigFile } from "./parser.ts";
import { Reading } from "./schema/form.ts";
import { ConfigError, type MapValue } from "./values.ts";

export interface LoadInput {
  readonly flags: Flags;
  readonly disk: Disk;
  readonly environment: (name: string) => string | undefined;
  /** At reload fewer flags stay on top of the file. */
  readonly reload?: boolean;
}

export type LoadResult =
  | { readonly ok: true; readonly options: Options; readonly warnings: readonly string[] }
  /** Warnings and errors, warnings first, one per line. */
  | { readonly ok: false; readonly messages: string };

const EMPTY: MapValue = { kind: "map", entries: new Map() };

/** Reads the file the flags name, if any, and puts the flags on top. Nothing is kept of a reading that fails. */
export function loadOptions({ flags, disk, environment, reload = false }: LoadInput): LoadResult {
  const reading = new Reading(disk, environment);
  const path = flags.configFile ?? "";
  let root = EMPTY;
  try {
    if (path !== "") root = parseConfigFile(path, { disk, environment });
  } catch (error) {
    if (error instanceof ConfigError) return { ok: false, messages: error.message };
    throw error;
  }
  if (path !== "" && root.entries.size === 0) reading.warnings.push(`${path}: config has no values or is empty`);
  const options = buildOptions(root, { path, digest: path === "" ? "" : configDigest(root) }, reading);
  if (reading.errors.length > 0) return { ok: false, messages: [...reading.warnings, ...reading.errors].map((line) => `${line}\n`).join("") };

  const overlaid = overlayFlags(options, reload ? flagsKeptAtReload(flags) : flags, disk);
  if (!overlaid.ok) return { ok: false, messages: overlaid.message };
  return { ok: true, options: withDefaults(overlaid.options), warnings: reading.warnings };
}

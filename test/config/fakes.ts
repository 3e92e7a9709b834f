/** A disk of a few text files in memory, and what else a configuration is read with. */
import { type Disk, DiskError } from "../../src/platform/index.ts";
import { type LoadResult, loadOptions, NO_FLAGS } from "../../src/config/index.ts";
import type { Flags } from "../../src/config/index.ts";

export function fakeDisk(files: Readonly<Record<string, string>>): Disk {
  const refuse = (): never => {
    throw new Error("a configuration only reads files");
  };
  return {
    readFile(path) {
      if (path === ".") throw new DiskError("EISDIR", "read", path, "is a directory");
      const text = files[path];
      if (text === undefined) throw new DiskError("ENOENT", "open", path, "no such file or directory");
      return new TextEncoder().encode(text);
    },
    writeFile: refuse,
    openAppend: refuse,
    rename: refuse,
    remove: refuse,
    exists: (path) => files[path] !== undefined,
    list: () => [],
  };
}

export interface Situation {
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly flags?: Flags;
  readonly reload?: boolean;
}

/** Loads `text` as the file `c`. */
export function load(text: string, { files = {}, environment = {}, flags = NO_FLAGS, reload }: Situation = {}): LoadResult {
  return loadOptions({
    flags: { configFile: "c", ...flags },
    disk: fakeDisk({ ...files, c: text }),
    environment: (name) => environment[name],
    reload,
  });
}

/** What `-t` would say: `valid <digest>` or the messages. */
export function check(text: string, situation: Situation = {}): string {
  const result = load(text, situation);
  if (!result.ok) return result.messages.replace(/\n$/, "");
  return result.warnings.length > 0 ? result.warnings.join("\n") : `valid ${result.options.configDigest}`;
}

/**
 * Differential test: the reference server's `-t` and this one's say the same of every configuration of the corpus: same lines (in any order), same
 * verdict, same digest. Needs `NATS_REFERENCE_SERVER` to name its binary.
 */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "./fakes.ts";
import { CORPUS } from "./corpus.ts";

const RUNS_MAX = 12;

const reference = process.env.NATS_REFERENCE_SERVER ?? "";
if (reference === "") console.log("NATS_REFERENCE_SERVER is not set: configurations are not compared with the reference server");

/** Sorted lines; the reference's own crash text after a wrong type is not wanted here, and its order of lines is random. */
function normalized(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "" && !line.endsWith("runtime error: invalid memory address or nil pointer dereference"));
  return lines.sort().join("\n");
}

/** What the reference says of the file `c` in the folder. */
function verdict(folder: string): string {
  const run = Bun.spawnSync([reference, "-t", "-c", "c"], { cwd: folder, env: { PATH: "/bin" } });
  const said = run.stderr.toString().replace("nats-server: ", "");
  const digest = /is valid \((sha256:\w+)\)/.exec(said)?.[1];
  return digest === undefined ? said : `valid ${digest}`;
}

test.skipIf(reference === "")("the reference server says the same of every configuration", () => {
  const folder = mkdtempSync(join(tmpdir(), "nats-config-"));
  const differences: unknown[] = [];
  try {
    for (const [text] of CORPUS) {
      writeFileSync(join(folder, "c"), text);
      const got = check(text);
      let wanted = "";
      // The reference walks maps in random order, and which of two errors it reports can depend on that: one run that agrees is enough.
      for (let run = 0; run < RUNS_MAX && normalized(wanted) !== normalized(got); run++) wanted = verdict(folder);
      if (normalized(wanted) !== normalized(got)) differences.push({ text, wanted, got });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(differences).toEqual([]);
}, 60_000);

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

const reference = process.env.NATS_REFERENCE_SERVER ?? "";
if (reference === "") console.log("NATS_REFERENCE_SERVER is not set: configurations are not compared with the reference server");

/** Sorted lines; the reference's own crash text after a wrong type is not wanted here, and its order of lines is random. */
function normalized(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && !line.endsWith("runtime error: invalid memory address or nil pointer dereference")).sort();
}

test.skipIf(reference === "")("the reference server says the same of every configuration", () => {
  const folder = mkdtempSync(join(tmpdir(), "nats-config-"));
  const differences: unknown[] = [];
  try {
    for (const [text] of CORPUS) {
      writeFileSync(join(folder, "c"), text);
      const run = Bun.spawnSync([reference, "-t", "-c", "c"], { cwd: folder, env: { PATH: "/bin" } });
      const said = run.stderr.toString().replace("nats-server: ", "");
      const digest = /is valid \((sha256:\w+)\)/.exec(said)?.[1];
      const wanted = digest === undefined ? said : `valid ${digest}`;
      const got = check(text);
      if (normalized(wanted).join("\n") !== normalized(got).join("\n")) differences.push({ text, wanted, got });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(differences).toEqual([]);
}, 60_000);

/**
 * Everything that must hold before a change lands: the executable builds, the types check, the tests pass. Output streams as it comes; the last line is
 * always `N passed, N failed`, and the exit code is not 0 when anything failed. A build or a type check that fails counts as one failure, as does a test
 * process that ends without having said how many tests it ran.
 *
 * Arguments are handed to `bun test` (a path, `-t <name>`), and then the types are not checked.
 */
import { existsSync, readFileSync, readdirSync, rmSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");
const executable = join(root, "dist", "nats-server");

interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

/** The newest change under `path`, milliseconds since the epoch. */
function newest(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function isStale(): boolean {
  if (!existsSync(executable)) return true;
  const builtMs = statSync(executable).mtimeMs;
  return ["src", "package.json", "scripts/build.ts", "node_modules/.package-lock.json"].some((path) => existsSync(join(root, path)) && newest(join(root, path)) > builtMs);
}

/** Runs a command with its output on ours; resolves to its exit code, or 1 when a signal ended it. */
async function run(command: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<number> {
  const child = Bun.spawn([...command], { cwd: root, stdin: "ignore", stdout: "inherit", stderr: "inherit", env: { ...process.env, ...environment } });
  const exitCode = await child.exited;
  return child.signalCode === null ? exitCode : 1;
}

async function step(name: string, command: readonly string[]): Promise<Outcome> {
  console.log(`== ${name}`);
  const exitCode = await run(command);
  if (exitCode === 0) return { passed: 0, failed: 0 };
  console.log(`${name} failed (exit code ${exitCode})`);
  return { passed: 0, failed: 1 };
}

/** Sums of a JUnit report: the outermost element carries them. */
function readReport(path: string): Outcome | undefined {
  if (!existsSync(path)) return undefined;
  const head = /<testsuites\b[^>]*>/.exec(readFileSync(path, "utf8"))?.[0];
  if (head === undefined) return undefined;
  const count = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = count("failures") + count("errors");
  return { passed: count("tests") - failed - count("skipped"), failed };
}

/** One test at most. The setting of the same name in bunfig.toml has no effect in this version of Bun. */
const TEST_TIMEOUT_MS = 20_000;

/** Runs the test files, one process per processor, each file for itself: a crash is its file's failure alone. The report, not the output, is counted. */
async function tests(args: readonly string[]): Promise<Outcome> {
  console.log("== bun test");
  const folder = mkdtempSync(join(tmpdir(), "nats-bun-test-"));
  const report = join(folder, "report.xml");
  try {
    const exitCode = await run([process.execPath, "test", "--parallel", `--timeout=${TEST_TIMEOUT_MS}`, "--reporter=junit", `--reporter-outfile=${report}`, ...args], { NATS_SERVER: executable });
    const outcome = readReport(report);
    if (outcome === undefined) {
      console.log(`bun test ended without a report (exit code ${exitCode})`);
      return { passed: 0, failed: 1 };
    }
    // a file that does not load, or an error between tests, shows in the exit code alone
    if (exitCode !== 0 && outcome.failed === 0) return { passed: outcome.passed, failed: 1 };
    return outcome;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const args = process.argv.slice(2);
const outcomes: Outcome[] = [];
if (isStale()) outcomes.push(await step("build", [process.execPath, "scripts/build.ts"]));
if (args.length === 0) outcomes.push(await step("tsc", [join(root, "node_modules", ".bin", "tsc"), "--noEmit"]));
outcomes.push(await tests(args));

const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

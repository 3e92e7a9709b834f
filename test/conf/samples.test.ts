/**
 * Every sample of `conf/`: it is valid, a server starts with it, and does what the sample says. Each runs on our own executable (NATS_SERVER, or
 * dist/nats-server) and, where NATS_REFERENCE_SERVER names one, on the reference too. REQUIRE_REFERENCE=1 makes a missing reference an error.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { poll, within } from "../support/deadline.ts";
import { logText, runToEnd, ServerProcess } from "../support/server-process.ts";
import { CHECKS } from "./checks.ts";
import { serveTokens } from "./token-site.ts";
import { copySamples, ENVIRONMENT, type Running, sampleNames, startSample } from "./samples.ts";

// A server's end in lame duck mode takes seconds, and the machine may be busy.
setDefaultTimeout(30_000);

const own = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));
const reference = process.env["NATS_REFERENCE_SERVER"];
const binaries: [name: string, binary: string][] = [["nats-bun", own]];
if (reference !== undefined && existsSync(reference)) binaries.push(["reference", reference]);
else if (process.env["REQUIRE_REFERENCE"] === "1") {
  test("the reference server is there", () => {
    throw new Error("REQUIRE_REFERENCE=1, but NATS_REFERENCE_SERVER does not name a binary (scripts/reference-server prints one)");
  });
} else console.log("samples: NATS_REFERENCE_SERVER names no binary, so only our own server is tested");

const SYSLOG = "logging/syslog.conf";
/** Samples of options that came to NATS after 2.10: an older reference refuses them. */
const SINCE: Readonly<Record<string, number>> = {
  "basics/limits.conf": 14,
  "websocket/browser.conf": 11,
  "routing/mappings.conf": 12,
  "routing/tracing.conf": 11,
  "jetstream/limits.conf": 14,
  "proxy/proxy-protocol.conf": 14,
  "proxy/trusted-proxies.conf": 12,
  "operator/sentinel.conf": 11,
  "operator/callout.conf": 11,
};

async function minorVersion(binary: string): Promise<number> {
  const { stdout } = await runToEnd([binary, "--version"]);
  return Number(/v2\.(\d+)\./.exec(stdout)?.[1]);
}

test("every sample has a check, and every check a sample", () => {
  expect([...Object.keys(CHECKS), SYSLOG].sort()).toEqual(sampleNames().sort());
});

test("the samples name no port but those that the tests replace", () => {
  const ports = sampleNames().flatMap((name) => readFileSync(join(import.meta.dir, "../../conf", name), "utf8").match(/127\.0\.0\.1:\d+/g) ?? []);
  expect([...new Set(ports)].sort()).toEqual(["127.0.0.1:4222", "127.0.0.1:514", "127.0.0.1:8222", "127.0.0.1:9090", "127.0.0.1:9222"]);
});

describe.each(binaries)("%s", (name, binary) => {
  let folder = "";
  let minor = 0;
  let closeSites = (): void => undefined;
  beforeAll(async () => {
    [folder, minor] = await Promise.all([copySamples(), minorVersion(binary)]);
    closeSites = serveTokens(folder);
  });
  afterAll(() => closeSites());

  /** Whether the binary is too old for a sample; then it must say so. */
  const refusesAsTooOld = async (sample: string): Promise<boolean> => {
    if (minor >= (SINCE[sample] ?? 0)) return false;
    expect((await runToEnd([binary, "-c", sample, "-t"], { folder, environment: ENVIRONMENT })).code).toBe(1);
    return true;
  };

  test.each(sampleNames())("%s is valid", async (sample) => {
    if (await refusesAsTooOld(sample)) return;
    const { code, stderr } = await runToEnd([binary, "-c", sample, "-t"], { folder, environment: ENVIRONMENT });
    expect(stderr).toMatch(/configuration file .* is valid/);
    expect(code).toBe(0);
  });

  let running: Running | undefined;
  afterAll(async () => running?.server.stop());

  test.each(Object.keys(CHECKS))("%s does what it says", async (sample) => {
    if (await refusesAsTooOld(sample)) return;
    running = await startSample(binary, folder, sample, name === "nats-bun");
    try {
      if (sample !== "logging/file.conf") await running.server.waitForLog((line) => logText(line) === "[INF] Server is ready");
      await CHECKS[sample](running);
    } finally {
      running.closeClients();
      await running.server.stop();
    }
  });

  test(`${SYSLOG} does what it says`, async () => {
    const lines: string[] = [];
    const syslog = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0, socket: { data: (_, bytes) => void lines.push(bytes.toString()) } });
    const path = join(folder, SYSLOG);
    writeFileSync(path, readFileSync(path, "utf8").replace("127.0.0.1:514", `127.0.0.1:${syslog.port}`));
    let server: ServerProcess | undefined;
    try {
      server = await within(10_000, "start", ServerProcess.start({ binary, folder, bare: true, args: ["-c", SYSLOG] }));
      const line = await poll(5000, "the line in syslog", () => lines.find((each) => each.includes("Server is ready")));
      expect(line).toMatch(/^<5>.* nats-server\[\d+\]: Server is ready\n$/);
    } finally {
      await server?.stop();
      syslog.close();
    }
  });
});

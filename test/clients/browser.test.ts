/**
 * A real browser: a page that talks to our own executable (NATS_SERVER, or dist/nats-server) over the browser's WebSocket, with and without compression. The
 * browser is Chromium, found at CHROMIUM or in the usual places; REQUIRE_BROWSER=1 makes its absence an error, else it is told.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { ServerProcess } from "../support/server-process.ts";
import type { Outcome } from "./browser-page.ts";

setDefaultTimeout(90_000);

const binary = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));
const executable = [process.env["CHROMIUM"] ?? "", "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path !== "" && existsSync(path));
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** Longest WebSocket message that the server sends to a browser uncompressed. */
const BROWSER_MESSAGE_BYTES = 4096;

if (executable === undefined) {
  test("a browser is there, or is not required", () => {
    console.warn("no Chromium: the browser tests did not run");
    expect(process.env["REQUIRE_BROWSER"]).not.toBe("1");
  });
} else {
  describe("Chromium", () => {
    let browser: Browser;
    let pages: ReturnType<typeof Bun.serve>;

    beforeAll(async () => {
      const bundle = await Bun.build({ entrypoints: [join(import.meta.dir, "browser-page.ts")], target: "browser" });
      const script = await bundle.outputs[0].text();
      pages = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: (request) =>
          request.url.endsWith("/page.js")
            ? new Response(script, { headers: { "Content-Type": "text/javascript" } })
            : new Response('<!doctype html><script type="module" src="/page.js"></script>', { headers: { "Content-Type": "text/html" } }),
      });
      browser = await chromium.launch({ executablePath: executable, args: FLAGS });
    });

    afterAll(async () => {
      await browser.close();
      await pages.stop(true);
    });

    for (const compression of [false, true]) {
      test(`publishes, requests and moves a megabyte ${compression ? "with" : "without"} compression`, async () => {
        const origin = `http://127.0.0.1:${pages.port}`;
        const server = await ServerProcess.start({ binary, config: `websocket { listen: "127.0.0.1:-1", no_tls: true, compression: ${compression}, allowed_origins: ["${origin}"] }` });
        const page = await browser.newPage();
        const faults: string[] = [];
        page.on("pageerror", (error) => faults.push(error.message));
        await page.goto(origin);
        await page.waitForFunction("globalThis.run !== undefined");
        const outcome = (await page.evaluate(`globalThis.run("ws://127.0.0.1:${server.ports.websocket?.port}")`)) as Outcome;
        expect(faults).toEqual([]);
        expect(outcome.ordered).toBe(true);
        expect(outcome.answers).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
        expect(outcome.megabyteIntact).toBe(true);
        expect(outcome.extensions.includes("permessage-deflate")).toBe(compression);
        if (compression) expect(outcome.longest).toBeGreaterThan(BROWSER_MESSAGE_BYTES);
        else {
          expect(outcome.longest).toBe(BROWSER_MESSAGE_BYTES);
          expect(outcome.messages).toBeGreaterThan(1_000_000 / BROWSER_MESSAGE_BYTES);
        }
        await page.close();
        await server.stop();
      });
    }

    test("a page of another origin is not let in", async () => {
      const server = await ServerProcess.start({ binary, config: 'websocket { listen: "127.0.0.1:-1", no_tls: true, same_origin: true }' });
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${pages.port}`);
      const opened = await page.evaluate(`new Promise((resolve) => {
        const socket = new WebSocket("ws://127.0.0.1:${server.ports.websocket?.port}");
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("refused");
      })`);
      expect(opened).toBe("refused");
      await server.waitForLog((line) => line.includes("websocket handshake error: origin not allowed: not same origin"));
      await page.close();
      await server.stop();
    });
  });
}

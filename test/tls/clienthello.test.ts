/** What is read from a client's first TLS message, from real ones (of this runtime's own TLS client) and from broken ones. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect, type ConnectionOptions } from "node:tls";
import fc from "fast-check";
import { beginsTls, parseClientHello } from "../../src/links/clienthello.ts";
import { within } from "../support/deadline.ts";

let waiting: ((hello: Buffer) => void) | undefined;
let port = 0;
let stop = (): void => undefined;

beforeAll(() => {
  const listener = Bun.listen<{ bytes: Buffer }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { bytes: Buffer.alloc(0) };
      },
      data(socket, bytes) {
        socket.data.bytes = Buffer.concat([socket.data.bytes, bytes]);
        if (parseClientHello(socket.data.bytes) === undefined) return;
        waiting?.(socket.data.bytes);
        socket.terminate();
      },
    },
  });
  port = listener.port;
  stop = () => listener.stop(true);
});

afterAll(() => stop());

async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  waiting = resolve;
  const socket = connect({ host: "127.0.0.1", port, ...options });
  socket.on("error", () => undefined);
  const hello = await within(3000, "ClientHello", promise);
  socket.destroy();
  return hello;
}

test("the name that is asked for, in lower case", async () => {
  expect(parseClientHello(await helloOf({ servername: "Example.COM" }))?.serverName).toBe("example.com");
  expect(parseClientHello(await helloOf({ servername: "a".repeat(60) }))?.serverName).toBe("a".repeat(60));
});

test("no name", async () => {
  expect(parseClientHello(await helloOf({ servername: "" }))?.serverName).toBe("");
});

test("versions, from the extension or from the old field", async () => {
  expect(parseClientHello(await helloOf({ minVersion: "TLSv1.3" }))?.versions).toContain(0x0304);
  expect(parseClientHello(await helloOf({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }))?.versions).toEqual([0x0303, 0x0302, 0x0301]);
});

test("suites in the client's order", async () => {
  const hello = parseClientHello(await helloOf({ maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256" }));
  expect(hello?.cipherSuites).toEqual([0xc02f, 0xc02b]);
});

test("cut anywhere, it is waited for; with bytes behind it, it is the same", async () => {
  const bytes = await helloOf({ servername: "cut.test" });
  const whole = parseClientHello(bytes);
  for (let end = 0; end < bytes.length; end++) expect(parseClientHello(bytes.subarray(0, end))).toBeUndefined();
  expect(parseClientHello(Buffer.concat([bytes, Buffer.from([0x14, 3, 3])]))).toEqual(whole);
});

test("damaged in any byte, it is read without harm", async () => {
  const bytes = await helloOf({ servername: "damaged.test" });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 5, max: bytes.length - 1 }), fc.nat(255)), { minLength: 1, maxLength: 8 }), (changes) => {
      const damaged = Buffer.from(bytes);
      for (const [at, value] of changes) damaged[at] = value;
      const hello = parseClientHello(damaged);
      expect(typeof hello?.serverName).toBe("string");
    }),
    { numRuns: 2000 },
  );
});

test("a record that is no handshake, or longer than records are, tells nothing at once", () => {
  const nothing = { serverName: "", versions: [], cipherSuites: [] };
  expect(parseClientHello(Buffer.from("GET / HTTP"))).toEqual(nothing);
  expect(parseClientHello(Buffer.from([0x16, 3, 1, 0xff, 0xff]))).toEqual(nothing);
  expect(parseClientHello(Buffer.from([0x16, 3, 1, 0, 1, 1]))).toEqual(nothing);
});

test("TLS begins with a handshake record", () => {
  expect(beginsTls(Buffer.from([0x16]))).toBe(true);
  expect(beginsTls(Buffer.from("P"))).toBe(false);
  expect(beginsTls(Buffer.alloc(0))).toBe(false);
});

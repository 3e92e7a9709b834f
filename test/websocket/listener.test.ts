/** The WebSocket listener of the executable: HTTP edge cases, what the transcripts cannot time or weigh, and bytes that must arrive whatever the peer does. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { connect as connectTls } from "node:tls";
import { certificateFolder } from "../support/certificates.ts";
import { poll } from "../support/deadline.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { ServerProcess } from "../support/server-process.ts";
import { WebSocketClient } from "../support/websocket-client.ts";

setDefaultTimeout(60_000);

const BINARY = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));
const HELLO = 'CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n';
const UPGRADE = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

const servers = new Map<string, Promise<ServerProcess>>();

function server(websocket = "", top = ""): Promise<ServerProcess> {
  const config = `${top}\nwebsocket { listen: "127.0.0.1:-1", no_tls: true\n${websocket}\n}\n`;
  const running = servers.get(config) ?? ServerProcess.start({ binary: BINARY, config, args: ["-D"] });
  servers.set(config, running);
  return running;
}

afterAll(async () => {
  for (const running of servers.values()) await (await running).stop();
});

const wsPort = (running: ServerProcess): number => running.ports.websocket?.port ?? 0;
const natsPort = (running: ServerProcess): number => running.ports.nats?.port ?? 0;

async function websocket(running: ServerProcess, headers: Readonly<Record<string, string>> = {}): Promise<WebSocketClient> {
  const { client } = await WebSocketClient.upgrade(await RawSocket.open("127.0.0.1", wsPort(running)), "/", headers);
  await client.data.readLine(2000);
  return client;
}

async function loggedIn(running: ServerProcess, headers: Readonly<Record<string, string>> = {}): Promise<WebSocketClient> {
  const client = await websocket(running, headers);
  client.send({ payload: Buffer.from(HELLO) });
  expect(await client.data.readLine(2000)).toBe("PONG");
  return client;
}

async function tcp(running: ServerProcess): Promise<RawSocket> {
  const socket = await RawSocket.open("127.0.0.1", natsPort(running));
  await socket.received.readLine(2000);
  socket.send(Buffer.from(HELLO));
  expect(await socket.received.readLine(2000)).toBe("PONG");
  return socket;
}

function rssKb(running: ServerProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${running.pid}/status`, "utf8"))?.[1]);
}

describe("HTTP", () => {
  /** Sends `bytes`; the status lines and the rest of each answer until `count` of them are here. */
  async function statuses(bytes: string, count: number): Promise<string[]> {
    const socket = await RawSocket.open("127.0.0.1", wsPort(await server()));
    socket.send(Buffer.from(bytes, "latin1"));
    const found: string[] = [];
    while (found.length < count) {
      const line = await socket.received.readLine(2000);
      const at = line.indexOf("HTTP/1.");
      if (at !== -1) found.push(line.slice(at));
    }
    socket.destroy();
    return found;
  }
  const request = (method: string, extra = ""): string => `${UPGRADE.replace("GET", method)}${extra}\r\n`;

  test("a refused request's body is skipped, then the next one is served", async () => {
    expect(await statuses(`${request("POST", "Content-Length: 5\r\n")}hello${request("GET")}`, 2)).toEqual(["HTTP/1.1 405 Method Not Allowed", "HTTP/1.1 101 Switching Protocols"]);
    expect(await statuses(`${request("POST", "Transfer-Encoding: chunked\r\n")}5\r\nhello\r\n0\r\n\r\n${request("GET")}`, 2)).toEqual(["HTTP/1.1 405 Method Not Allowed", "HTTP/1.1 101 Switching Protocols"]);
  });

  const broken: readonly (readonly [string, string, string])[] = [
    ["another version", request("GET").replace("HTTP/1.1", "HTTP/2.0"), "505 HTTP Version Not Supported: unsupported protocol version"],
    ["two hosts", request("GET", "Host: b\r\n"), "400 Bad Request"],
    ["a malformed host", request("GET").replace("localhost", "a b"), "400 Bad Request: malformed Host header"],
    ["a malformed name", request("GET", "bad header: x\r\n"), "400 Bad Request: invalid header name"],
    ["a control character", request("GET", "X: a\0b\r\n"), "400 Bad Request"],
    ["an unknown transfer coding", request("GET", "Transfer-Encoding: gzip\r\n"), "501 Not Implemented"],
    ["a length that is none", request("GET", "Content-Length: x\r\n"), "400 Bad Request"],
    ["a target that is none", request("GET").replace("GET /", "GET foo"), "400 Bad Request"],
    ["a broken escape", request("GET").replace("GET /", "GET /%zz"), "400 Bad Request"],
  ];
  for (const [name, bytes, status] of broken) {
    test(`${name} is refused and ends the connection`, async () => {
      const socket = await RawSocket.open("127.0.0.1", wsPort(await server()));
      socket.send(Buffer.from(bytes, "latin1"));
      expect(await socket.received.readLine(2000)).toBe(`HTTP/1.1 ${status}`);
      await poll(2000, "end of the connection", () => (socket.received.ended ? true : undefined));
      socket.destroy();
    });
  }

  test("a head of one byte at a time, and one whose lines end in LF alone", async () => {
    const socket = await RawSocket.open("127.0.0.1", wsPort(await server()));
    await socket.drip(Buffer.from(`${UPGRADE}\r\n`));
    expect(await socket.received.readLine(2000)).toBe("HTTP/1.1 101 Switching Protocols");
    socket.destroy();
    expect(await statuses(`${UPGRADE}\r\n`.replaceAll("\r\n", "\n"), 1)).toEqual(["HTTP/1.1 101 Switching Protocols"]);
  });

  test("a head beyond 1 MiB is refused, without costing time by the square", async () => {
    const socket = await RawSocket.open("127.0.0.1", wsPort(await server()));
    socket.send(Buffer.from(UPGRADE));
    const line = Buffer.from("X: y\r\n".repeat(100));
    const startMs = performance.now();
    for (let sent = 0; sent < 1_200_000 && !socket.received.ended; sent += line.length) socket.send(line);
    expect(await socket.received.readLine(5000)).toBe("HTTP/1.1 431 Request Header Fields Too Large");
    expect(performance.now() - startMs).toBeLessThan(4000);
    socket.destroy();
  });

  test("handshake_timeout holds for the upgrade, not for what comes after", async () => {
    const running = await server("handshake_timeout: '200ms'");
    const silent = await RawSocket.open("127.0.0.1", wsPort(running));
    const client = await loggedIn(running);
    await silent.received.readEnd(2000);
    client.send({ payload: Buffer.from("PING\r\n") });
    expect(await client.data.readLine(2000)).toBe("PONG");
    client.socket.destroy();
  });

  test("plain HTTP to a TLS listener is told so; silence ends after handshake_timeout", async () => {
    const folder = certificateFolder();
    const config = `websocket { listen: "127.0.0.1:-1", handshake_timeout: 1, tls { cert_file: "${folder}/server.pem", key_file: "${folder}/server-key.pem" } }`;
    const running = await ServerProcess.start({ binary: BINARY, config });
    const plain = await RawSocket.open("127.0.0.1", wsPort(running));
    const silent = await RawSocket.open("127.0.0.1", wsPort(running));
    plain.send(Buffer.from(`${UPGRADE}\r\n`));
    expect((await plain.received.readBytes(76, 2000)).toString()).toBe("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    await plain.received.readEnd(2000);
    await running.waitForLog((line) => /\[ERR\] websocket: TLS handshake error from 127\.0\.0\.1:\d+: client sent an HTTP request to an HTTPS server$/.test(line));
    await silent.received.readEnd(3000);
    await running.waitForLog((line) => /\[ERR\] websocket: TLS handshake error from 127\.0\.0\.1:\d+: read tcp .*: i\/o timeout$/.test(line));
    await running.stop();
  });
});

describe("labels", () => {
  test("a forwarding header is shown in front of the address", async () => {
    const running = await server();
    (await websocket(running, { "X-Forwarded-For": "2001:db8::1" })).socket.destroy();
    await running.waitForLog((line) => /\[DBG\] \[2001:db8::1\]\/127\.0\.0\.1:\d+ - wid:\d+ - Client connection created$/.test(line));
  });
});

describe("the end of a connection", () => {
  test("unanswered pings close with 1001, at the listener's own interval", async () => {
    const running = await server('ping_interval: "100ms"', "ping_max: 1");
    const client = await loggedIn(running);
    const close = await client.nextControlFrame(5000);
    expect(close.payload.toString("latin1")).toBe("\x03\xe9Stale Connection");
    expect(client.data.pending.toString()).toContain("PING\r\n");
    client.socket.destroy();
  });

  test("a connection too many: INFO, the error, then 1008", async () => {
    const running = await server("", "max_connections: 1");
    const first = await loggedIn(running);
    const second = await websocket(running);
    expect(await second.data.readLine(2000)).toBe("-ERR 'maximum connections exceeded'");
    expect((await second.nextControlFrame()).payload.toString("latin1")).toBe("\x03\xf0Maximum Connections Exceeded");
    first.socket.destroy();
    second.socket.destroy();
  });

  test("a slow consumer is cut without a close frame", async () => {
    const running = await server("", "max_payload: 200000\nmax_pending: 300000\nwrite_deadline: 10s");
    const client = await loggedIn(running);
    client.send({ payload: Buffer.from("SUB big 1\r\nPING\r\n") });
    expect(await client.data.readLine(2000)).toBe("PONG");
    client.socket.pause();
    const publisher = await tcp(running);
    const message = Buffer.concat([Buffer.from("PUB big 100000\r\n"), Buffer.alloc(100_000, 97), Buffer.from("\r\n")]);
    for (let i = 0; i < 300; i++) publisher.send(message);
    await running.waitForLog((line) => /wid:\d+ .*Slow Consumer Detected: MaxPending of 300000 Exceeded/.test(line), 0, 10_000);
    expect(client.controlFrames.length).toBe(0);
    publisher.destroy();
    client.socket.destroy();
  });
});

describe("large and slow", () => {
  const SIZE = 900_000;
  /** Twice what the kernels hold between the two, also when it is compressed. */
  const COUNT = 30;

  for (const [name, block, headers] of [
    ["plain", "", {}],
    ["to a browser", "", { "User-Agent": "Mozilla/5.0" }],
    ["compressed", "compression: true", { "Sec-WebSocket-Extensions": "permessage-deflate" }],
    ["compressed, to a browser", "compression: true", { "Sec-WebSocket-Extensions": "permessage-deflate", "User-Agent": "Mozilla/5.0" }],
  ] as const) {
    test(`${name}: a client that stops reading for a while misses nothing and gets nothing twice`, async () => {
      const running = await server(block);
      const client = await loggedIn(running, headers);
      client.send({ payload: Buffer.from("SUB big 1\r\nPING\r\n") });
      expect(await client.data.readLine(2000)).toBe("PONG");
      const payload = randomBytes(SIZE / 2).toString("hex");
      const publisher = await tcp(running);
      client.socket.pause();
      for (let i = 0; i < COUNT; i++) publisher.send(Buffer.from(`PUB big ${SIZE}\r\n${payload}\r\n`));
      publisher.send(Buffer.from("PING\r\n"));
      expect(await publisher.received.readLine(20_000)).toBe("PONG");
      client.socket.resume();
      const expected = createHash("sha256").update(payload).digest("hex");
      for (let i = 0; i < COUNT; i++) {
        expect(await client.data.readLine(20_000)).toBe(`MSG big 1 ${SIZE}`);
        const body = await client.data.readBytes(SIZE + 2, 20_000);
        expect(createHash("sha256").update(body.subarray(0, SIZE)).digest("hex")).toBe(expected);
      }
      publisher.destroy();
      client.socket.destroy();
    });
  }

  test("a publisher over TLS that outruns its consumer is held back, and nothing is lost", async () => {
    const folder = certificateFolder();
    const running = await ServerProcess.start({ binary: BINARY, config: `allow_non_tls: true\nmax_pending: 32MB\ntls { cert_file: "${folder}/server.pem", key_file: "${folder}/server-key.pem" }` });
    const consumer = await RawSocket.open("127.0.0.1", natsPort(running));
    await consumer.received.readLine(2000);
    consumer.send(Buffer.from(`${HELLO}SUB big 1\r\nPING\r\n`));
    for (let i = 0; i < 2; i++) expect(await consumer.received.readLine(5000)).toBe("PONG");
    const clear = await RawSocket.open("127.0.0.1", natsPort(running));
    await clear.received.readLine(2000);
    await clear.startTls({ certificates: folder });
    clear.send(Buffer.from(HELLO));
    expect(await clear.received.readLine(2000)).toBe("PONG");
    const before = rssKb(running);
    const body = randomBytes(500_000).toString("hex");
    const message = Buffer.from(`PUB big ${body.length}\r\n${body}\r\n`);
    for (let i = 0; i < 60; i++) clear.send(message);
    for (let i = 0; i < 60; i++) {
      expect(await consumer.received.readLine(20_000)).toBe(`MSG big 1 ${body.length}`);
      expect((await consumer.received.readBytes(body.length + 2, 20_000)).toString("latin1") === `${body}\r\n`).toBe(true);
    }
    expect(rssKb(running) - before).toBeLessThan(200_000);
    clear.destroy();
    consumer.destroy();
    await running.stop();
  });
});

describe("memory", () => {
  test("bombs and endless fragments cost a bounded amount", async () => {
    const running = await server("compression: true");
    const offer = { "Sec-WebSocket-Extensions": "permessage-deflate" };
    const bomb = WebSocketClient.deflate(Buffer.alloc(500_000_000));
    const before = rssKb(running);
    for (let i = 0; i < 5; i++) {
      const client = await websocket(running, offer);
      client.send({ payload: bomb, rsv1: true });
      await poll(5000, "end of the connection", () => (client.data.ended ? true : undefined));
      client.socket.destroy();
    }
    // One byte a frame: what is kept must be bytes, not frames.
    const client = await websocket(running, { ...offer, "Nats-No-Masking": "true" });
    const frames = Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from([0, 1, 65])));
    client.socket.send(Buffer.from([0x42, 1, 65]));
    for (let i = 0; i < 25; i++) client.socket.send(frames);
    client.socket.send(Buffer.from([0x89, 0]));
    expect((await client.nextControlFrame(10_000)).opcode).toBe(10);
    // Far below one bomb (500 MB) and far above what a heap takes before it is collected.
    expect(rssKb(running) - before).toBeLessThan(200_000);
    client.socket.destroy();
  });
});

test("over TLS, from the upgrade to a message", async () => {
  const folder = certificateFolder();
  const running = await ServerProcess.start({ binary: BINARY, config: `websocket { listen: "127.0.0.1:-1", tls { cert_file: "${folder}/server.pem", key_file: "${folder}/server-key.pem", ca_file: "${folder}/ca.pem", verify: true } }` });
  const none = connectTls({ host: "127.0.0.1", port: wsPort(running), ca: readFileSync(`${folder}/ca.pem`), servername: "localhost" });
  const { promise, resolve: refused } = Promise.withResolvers<string>();
  none.on("error", (error: Error & { readonly code?: string }) => refused(error.code ?? error.message));
  expect(await promise).toBe("ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED");
  await running.waitForLog((line) => line.includes("websocket: TLS handshake error from ") && line.endsWith(": tls: client didn't provide a certificate"));
  const { client } = await WebSocketClient.upgrade(await RawSocket.openTls("127.0.0.1", wsPort(running), { certificates: folder, certificate: "client" }), "/", {});
  expect(JSON.parse((await client.data.readLine(2000)).slice(5))).toMatchObject({ tls_required: true, tls_available: true, port: wsPort(running) });
  client.send({ payload: Buffer.from(`${HELLO}SUB a 1\r\nPUB a 2\r\nhi\r\n`) });
  expect(await client.data.readLine(2000)).toBe("PONG");
  expect(await client.data.readLine(2000)).toBe("MSG a 1 2");
  client.socket.destroy();
  await running.stop();
});

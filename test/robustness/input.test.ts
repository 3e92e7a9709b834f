/** Broken bytes at every port and in configuration files: never a crash, a hang or growing memory, and the next client is served. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SeededRandom } from "../sim/random.ts";
import { within } from "../support/deadline.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { runToEnd, type ServerProcess } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { mutate, randomBytes } from "./mutate.ts";
import { BINARY, expectService, expectSoundLog, natsPort, port, residentMiB, startServer, waitForCounts } from "./robust.ts";

const TIMEOUT_MS = 60_000;
const CONNECTIONS = 1200;
const AT_ONCE = 40;
/** What a few thousand connections may leave behind in pools and in the heap before it is collected, MiB. */
const GROWTH_MIB = 80;

const CONNECT = 'CONNECT {"verbose":true,"pedantic":true,"headers":true,"no_responders":true,"lang":"x","name":"n","protocol":1}\r\n';
const SESSIONS = [
  `${CONNECT}PING\r\nSUB a.b.* 1\r\nSUB a.> group 2\r\nPUB a.b.c reply 5\r\nhello\r\nUNSUB 1 3\r\nUNSUB 2\r\nPONG\r\n`,
  `${CONNECT}SUB > 1\r\nHPUB h.x 22 27\r\nNATS/1.0\r\nBar: Baz\r\n\r\nhello\r\nHPUB h.y r 12 12\r\nNATS/1.0\r\n\r\n\r\n`,
  `${CONNECT}PUB a 100\r\n${"y".repeat(100)}\r\n+OK\r\n-ERR 'x'\r\nINFO {"a":1}\r\npub b 0\r\n\r\n`,
].map((text) => Buffer.from(text, "latin1"));
const UPGRADE = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n";
const HTTP = ["/varz", "/connz?subs=1&limit=5&offset=1", "/subsz?test=a.b", "/healthz?js-enabled-only=1", "/"].map((path) =>
  Buffer.from(`GET ${path} HTTP/1.1\r\nHost: h\r\nUser-Agent: t\r\nAccept-Encoding: gzip\r\nContent-Length: 0\r\n\r\n`, "latin1"),
);

let server: ServerProcess;

beforeAll(async () => {
  server = await startServer({ config: 'websocket { port: -1, host: "127.0.0.1", no_tls: true, compression: true }\nmax_payload: 64KB' });
});

afterAll(async () => {
  await server.stop();
});

/** One connection that sends `bytes` in a few pieces and leaves; resolves when it is gone, by whoever's hand. */
async function throwAt(target: number, random: SeededRandom, bytes: Buffer): Promise<void> {
  const socket = await RawSocket.open("127.0.0.1", target, 10_000);
  let at = 0;
  while (at < bytes.length && !socket.received.ended) {
    const piece = 1 + random.integer(bytes.length);
    socket.send(bytes.subarray(at, at + piece));
    at += piece;
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (random.chance(0.5)) socket.destroy();
  else socket.close();
}

/** Throws `CONNECTIONS` inputs at a port, a few at once, and holds the server's memory against what it was after a first tenth of them. */
async function bombard(target: number, seed: number, input: (random: SeededRandom) => Buffer): Promise<void> {
  const random = new SeededRandom(seed);
  const volley = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += AT_ONCE) {
      await within(20_000, "a volley", Promise.all(Array.from({ length: AT_ONCE }, () => throwAt(target, random, input(random)))));
    }
  };
  await volley(CONNECTIONS / 10);
  const before = residentMiB(server.pid);
  await volley(CONNECTIONS);
  await waitForCounts(server, 0, 0);
  await expectService(server);
  expectSoundLog(server);
  expect(residentMiB(server.pid) - before).toBeLessThan(GROWTH_MIB);
}

/** A masked frame of any opcode with any flags. */
function frame(random: SeededRandom, payload: Buffer): Buffer {
  const first = random.chance(0.7) ? 0x82 : random.integer(256);
  const mask = randomBytes(random, 4);
  const head = payload.length < 126 ? Buffer.from([first, 0x80 | payload.length]) : Buffer.from([first, 0x80 | 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, mask, Buffer.from(payload.map((byte, index) => byte ^ mask[index & 3]))]);
}

test("random bytes at the client port", () => bombard(natsPort(server), 1, (random) => randomBytes(random, 1 + random.integer(3000))), TIMEOUT_MS);

test("mutated sessions at the client port", () => bombard(natsPort(server), 2, (random) => mutate(random, random.pick(SESSIONS))), TIMEOUT_MS);

test("mutated upgrades at the WebSocket port", () => bombard(port(server.ports.websocket, "websocket"), 3, (random) => mutate(random, Buffer.from(UPGRADE))), TIMEOUT_MS);

test("mutated frames after a good upgrade", () => {
  const input = (random: SeededRandom): Buffer => {
    const session = random.pick(SESSIONS).subarray(0, 1 + random.integer(300));
    const good = Buffer.concat([frame(random, Buffer.from(CONNECT)), frame(random, session)]);
    return Buffer.concat([Buffer.from(UPGRADE), random.chance(0.5) ? mutate(random, good) : good, random.chance(0.3) ? randomBytes(random, 200) : Buffer.alloc(0)]);
  };
  return bombard(port(server.ports.websocket, "websocket"), 4, input);
}, TIMEOUT_MS);

test("random bytes and mutated requests at the monitoring port", () => {
  const input = (random: SeededRandom): Buffer => (random.chance(0.2) ? randomBytes(random, 500) : mutate(random, random.pick(HTTP)));
  return bombard(port(server.ports.monitoring, "monitoring"), 5, input);
}, TIMEOUT_MS);

test("mutated configuration files are valid or refused, in bounded time", async () => {
  const valid = Buffer.from(`# a configuration
listen: "127.0.0.1:4222"
max_payload: 64KB, ping_interval: "1m"
authorization { users: [ { user: a, password: "b", permissions: { publish: { allow: ["x.>", "y"] }, subscribe: "z.*", allow_responses: true } } ] }
accounts { A { users: [ { user: c, password: d } ], exports: [ { stream: "s.>" } ] }, B: { imports: [ { stream: { account: A, subject: "s.>" } } ] } }
mappings { "m.*": [ { destination: "n.$1", weight: 50% } ] }
websocket { port: -1, no_tls: true }
LIMIT = 5
max_connections: $LIMIT
text (
multi
)
`);
  const random = new SeededRandom(6);
  const folder = temporaryFolder("configs");
  for (let round = 0; round < 30; round++) {
    const paths = [0, 1].map((side) => join(folder, `${round}-${side}.conf`));
    const outcomes = paths.map((path) => {
      writeFileSync(path, random.chance(0.15) ? randomBytes(random, random.integer(2000)) : mutate(random, valid));
      return runToEnd([BINARY, "-t", "-c", path], { milliseconds: 10_000 });
    });
    for (const [side, { code, stderr }] of (await Promise.all(outcomes)).entries()) {
      expect([0, 1], `${paths[side]}: ${stderr}`).toContain(code ?? -1);
      expect(stderr).toStartWith("nats-server: ");
      expect(stderr).not.toMatch(/\bat .*:\d+:\d+\)|Internal error/);
    }
  }
}, TIMEOUT_MS);

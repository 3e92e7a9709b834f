/** The HTTP connection server, on a simulated network: framing, order, limits and time. */
import { describe, expect, test } from "bun:test";
import { bodyFraming, BodySkipper } from "../../src/links/http/body.ts";
import { HttpConnection, type HttpRequest } from "../../src/links/http/index.ts";
import { parseRequestHead, type RequestHead } from "../../src/links/http/head.ts";
import { parseTarget } from "../../src/links/http/target.ts";
import type { StreamHandler } from "../../src/platform/index.ts";
import { VirtualClock } from "../sim/clock.ts";
import { type Conditions, MemoryNetwork, type MemoryStream } from "../sim/network.ts";
import { SeededRandom } from "../sim/random.ts";

/** A peer that says what it is told to and keeps what it hears. */
class Peer implements StreamHandler {
  heard = "";
  closed = false;

  constructor(readonly stream: MemoryStream) {
    stream.handler = this;
  }

  say(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    expect(this.stream.write(bytes, 0, bytes.length)).toBe(bytes.length);
  }

  onData(bytes: Buffer): void {
    this.heard += bytes.toString("latin1");
  }

  onDrain(): void {}

  onClose(): void {
    this.closed = true;
  }

  /** Status lines of the answers heard so far. */
  get statuses(): string[] {
    return [...this.heard.matchAll(/HTTP\/1\.[01] (\d+)/g)].map((match) => match[1]);
  }
}

class World {
  readonly random: SeededRandom;
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly requests: HttpRequest[] = [];
  readonly connections = new Set<HttpConnection>();
  body = "hello";
  readonly #port: number;

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
    this.clock = new VirtualClock(this.random);
    this.network = new MemoryNetwork(this.clock, this.random);
    const settings = {
      clock: this.clock,
      tls: () => undefined,
      handle: (request: HttpRequest) => {
        this.requests.push(request);
        return { status: 200, headers: { "Content-Type": "text/plain" }, body: this.body };
      },
      onTlsError: () => undefined,
      onClosed: (connection: HttpConnection) => void this.connections.delete(connection),
    };
    this.#port = this.network.listen("127.0.0.1", 0, (stream) => this.connections.add(new HttpConnection(stream, settings))).port;
  }

  connect(conditions?: Conditions): Peer {
    const stream = this.network.connect(this.#port, conditions);
    if (stream === undefined) throw new Error("connection refused");
    return new Peer(stream);
  }
}

const GET = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n";

describe("requests", () => {
  test("an answer has its length and its date, and the connection stays", async () => {
    const world = new World();
    const peer = world.connect();
    peer.say(GET);
    await world.clock.settle();
    expect(peer.heard).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain\r\nDate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\nContent-Length: 5\r\n\r\nhello$/);
    expect(world.requests.map(({ method, path, parameters }) => [method, path, [...parameters]])).toEqual([["GET", "/a", [["b", "c"]]]]);
    expect(peer.closed).toBe(false);
  });

  test("however the bytes are cut, pipelined requests are answered in order, bodies skipped", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const world = new World(seed);
      const peer = world.connect({ bufferBytes: 64 * 1024, delayMaxMs: 1, pieceMax: 9 });
      peer.say("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nGET /no HTTP");
      peer.say("POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n");
      peer.say("HEAD /3 HTTP/1.1\r\nHost: x\r\n\r\nGET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      await world.clock.settle();
      expect(world.requests.map((request) => request.path)).toEqual(["/1", "/2", "/3", "/4"]);
      expect(peer.statuses).toEqual(["200", "200", "200", "200"]);
      expect(peer.heard.match(/hello/g)).toHaveLength(3);
      expect(peer.closed).toBe(true);
      expect(world.connections.size).toBe(0);
    }
  });

  test("a peer that does not read is held back, not buffered for", async () => {
    const world = new World();
    world.body = "x".repeat(100_000);
    const peer = world.connect({ bufferBytes: 4096, delayMaxMs: 0, pieceMax: 0 });
    peer.stream.pause();
    for (let i = 0; i < 10; i++) peer.say(GET);
    await world.clock.settle();
    expect(world.requests).toHaveLength(1);
    peer.stream.resume();
    await world.clock.settle();
    expect(world.requests).toHaveLength(10);
    expect(peer.statuses).toHaveLength(10);
  });

  test("HTTP/1.0 ends after the answer unless it asks otherwise", async () => {
    const world = new World();
    const brief = world.connect();
    brief.say("GET / HTTP/1.0\r\n\r\n");
    const keeping = world.connect();
    keeping.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    await world.clock.settle();
    expect(brief.heard).toStartWith("HTTP/1.0 200 OK");
    expect([brief.closed, keeping.closed]).toEqual([true, false]);
    expect(keeping.heard).toContain("Connection: keep-alive");
  });
});

describe("refusals, in the words of the reference", () => {
  const cases: readonly (readonly [name: string, request: string, line: string])[] = [
    ["not HTTP", "HELLO\r\n\r\n", "400 Bad Request"],
    ["a NATS client", 'CONNECT {"verbose":false}\r\nPING\r\n', "400 Bad Request"],
    ["no host", "GET / HTTP/1.1\r\n\r\n", "400 Bad Request: missing required Host header"],
    ["two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request"],
    ["a field without a colon", "GET / HTTP/1.1\r\nHost: a\r\nBad Field\r\n\r\n", "400 Bad Request"],
    ["another version", "GET / HTTP/2.5\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported: unsupported protocol version"],
    ["a relative target", "GET varz HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"],
    ["a broken escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"],
    ["a length that is none", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400 Bad Request"],
    ["lengths that differ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 Bad Request"],
  ];
  for (const [name, request, line] of cases) {
    test(name, async () => {
      const world = new World();
      const peer = world.connect();
      peer.say(request);
      await world.clock.settle();
      expect(peer.heard).toBe(`HTTP/1.1 ${line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${line}`);
      expect(peer.closed).toBe(true);
      expect(world.requests).toHaveLength(0);
    });
  }

  test("an unknown transfer encoding", async () => {
    const world = new World();
    const peer = world.connect();
    peer.say("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n");
    await world.clock.settle();
    expect(peer.heard).toBe("HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nUnsupported transfer encoding");
  });

  test("a body beyond the bound closes the connection after the answer", async () => {
    const world = new World();
    const peer = world.connect();
    peer.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nxyz");
    await world.clock.settle();
    expect(peer.statuses).toEqual(["200"]);
    expect(peer.closed).toBe(true);
  });

  test("a head that never ends", async () => {
    const world = new World();
    const peer = world.connect({ bufferBytes: 4 * 1024 * 1024, delayMaxMs: 0, pieceMax: 0 });
    peer.say(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(1_200_000)}`);
    await world.clock.settle();
    expect(peer.statuses).toEqual(["431"]);
    expect(peer.closed).toBe(true);
  });
});

describe("time", () => {
  test("a head that is not complete after five seconds", async () => {
    const world = new World();
    const silent = world.connect();
    const slow = world.connect();
    slow.say("GET / HTTP/1.1\r\n");
    await world.clock.advance(4900);
    expect([silent.closed, slow.closed]).toEqual([false, false]);
    await world.clock.advance(200);
    expect([silent.closed, slow.closed]).toEqual([true, true]);
    expect(world.connections.size).toBe(0);
  });

  test("between requests there is more time", async () => {
    const world = new World();
    const peer = world.connect();
    peer.say(GET);
    await world.clock.advance(60_000);
    peer.say(GET);
    await world.clock.settle();
    expect(peer.statuses).toEqual(["200", "200"]);
    await world.clock.advance(10 * 60_000);
    expect(peer.closed).toBe(true);
  });

  test("a peer that takes nothing of its answer is given up", async () => {
    const world = new World();
    world.body = "x".repeat(100_000);
    const peer = world.connect({ bufferBytes: 1024, delayMaxMs: 0, pieceMax: 0 });
    peer.stream.pause();
    peer.say(GET);
    await world.clock.advance(61_000);
    expect(world.connections.size).toBe(0);
  });
});

describe("targets", () => {
  test("paths and parameters are decoded; the first of a repeated parameter counts", () => {
    const target = parseTarget("/he%61lthz?a=1%20+2&a=3&b&c=%zz&d;e=1&f=%C3%A9");
    expect(target?.path).toBe("/healthz");
    expect([...(target?.parameters ?? [])]).toEqual([["a", "1  2"], ["b", ""], ["f", "é"]]);
  });

  test("absolute forms lose their host", () => {
    expect(parseTarget("http://host:1/varz?x=1")?.path).toBe("/varz");
    expect(parseTarget("http://host")?.path).toBe("/");
    expect(parseTarget("*")?.path).toBe("*");
    expect(parseTarget("varz")).toBeUndefined();
  });
});

describe("bodies", () => {
  const head = (fields: string): RequestHead => {
    const verdict = parseRequestHead(Buffer.from(`POST / HTTP/1.1\r\n${fields}\r\n\r\n`));
    if (verdict.kind !== "head") throw new Error(verdict.kind);
    return verdict.head;
  };

  test("how they are framed", () => {
    expect(bodyFraming(head("Host: a"))).toEqual({ kind: "none" });
    expect(bodyFraming(head("Content-Length: 0"))).toEqual({ kind: "none" });
    expect(bodyFraming(head("Content-Length: 7"))).toEqual({ kind: "length", bytes: 7 });
    expect(bodyFraming(head("Transfer-Encoding: Chunked\r\nContent-Length: 7"))).toEqual({ kind: "chunked" });
    expect(bodyFraming(head("Transfer-Encoding: gzip, chunked"))).toEqual({ kind: "invalid", status: 501 });
    expect(bodyFraming(head("Content-Length: -1"))).toEqual({ kind: "invalid", status: 400 });
  });

  test("a malformed chunk is hopeless", () => {
    for (const body of ["zz\r\n", "2\r\nabc\r\n", "fffffff0\r\n", "y".repeat(5000)]) {
      const skipper = new BodySkipper({ kind: "chunked" });
      skipper.skip(Buffer.from(body));
      expect(skipper.hopeless).toBe(true);
    }
  });
});

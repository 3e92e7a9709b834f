/**
 * The JavaScript clients over everything that is not plain TCP: TLS in both orders, client certificates, and WebSocket with and without TLS and compression;
 * against our own executable (NATS_SERVER, or dist/nats-server).
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join, resolve } from "node:path";
import { type ConnectionOptions, headers, type NatsConnection, wsconnect } from "@nats-io/nats-core";
import * as v3 from "@nats-io/transport-node";
import * as v2 from "nats";
import { certificateFolder } from "../support/certificates.ts";
import { within } from "../support/deadline.ts";
import { ServerProcess } from "../support/server-process.ts";

setDefaultTimeout(30_000);

const binary = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));
const folder = certificateFolder();
const PAIR = `cert_file: "${folder}/server.pem"\n key_file: "${folder}/server-key.pem"`;
/** Both clients read these from files. */
const CA = { caFile: `${folder}/ca.pem` };
const IDENTITY = { ...CA, certFile: `${folder}/client.pem`, keyFile: `${folder}/client-key.pem` };

type Connect = (options: ConnectionOptions) => Promise<NatsConnection>;
type Scheme = "nats" | "ws" | "wss";

interface Transport {
  readonly name: string;
  readonly scheme: Scheme;
  readonly config: string;
  readonly options?: ConnectionOptions;
}

// Version 2 declares types of its own, which are those of version 3 in all that is used here.
const overTcp: readonly (readonly [string, Connect])[] = [["nats", v2.connect as unknown as Connect], ["@nats-io/transport-node", v3.connect]];
const ofTls: readonly Transport[] = [
  { name: "TLS after INFO", scheme: "nats", config: `tls {\n ${PAIR}\n}`, options: { tls: CA } },
  { name: "TLS first", scheme: "nats", config: `tls {\n ${PAIR}\n handshake_first: true\n}`, options: { tls: { ...CA, handshakeFirst: true } } },
  { name: "TLS after INFO where TLS first is possible", scheme: "nats", config: `tls {\n ${PAIR}\n handshake_first: auto\n}`, options: { tls: CA } },
  { name: "TLS with a client certificate", scheme: "nats", config: `tls {\n ${PAIR}\n ca_file: "${folder}/ca.pem"\n verify: true\n}`, options: { tls: IDENTITY } },
];
const ofWebsocket: readonly Transport[] = [
  { name: "WebSocket", scheme: "ws", config: 'websocket { listen: "127.0.0.1:-1", no_tls: true }' },
  { name: "WebSocket with compression", scheme: "ws", config: 'websocket { listen: "127.0.0.1:-1", no_tls: true, compression: true }' },
  { name: "WebSocket over TLS", scheme: "wss", config: `websocket { listen: "127.0.0.1:-1"\n tls {\n ${PAIR}\n} }` },
];

/** Opens a WebSocket that trusts the tests' authority; the client asks for one by URL. */
function trustingWebsocket(url: string): Promise<{ socket: WebSocket; encrypted: boolean }> {
  const socket = new WebSocket(url, { tls: { ca: Bun.file(`${folder}/ca.pem`) } } as unknown as string[]);
  return Promise.resolve({ socket, encrypted: url.startsWith("wss:") });
}

const cases: readonly { readonly name: string; readonly connect: Connect; readonly transport: Transport }[] = [
  ...overTcp.flatMap(([library, connect]) => ofTls.map((transport) => ({ name: `${library}: ${transport.name}`, connect, transport }))),
  ...ofWebsocket.map((transport) => ({ name: `@nats-io/nats-core: ${transport.name}`, connect: wsconnect as Connect, transport })),
];

describe.each(cases)("$name", ({ connect, transport }) => {
  let server: ServerProcess;
  const connections: NatsConnection[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start({ binary, config: transport.config });
  });

  afterAll(async () => {
    for (const connection of connections.splice(0)) await connection.close();
    await server.stop();
  });

  const open = async (options: ConnectionOptions = {}): Promise<NatsConnection> => {
    const { scheme } = transport;
    const servers = scheme === "nats" ? `localhost:${server.ports.nats?.port}` : `${scheme}://localhost:${server.ports.websocket?.port}`;
    const factory = scheme === "wss" ? { wsFactory: trustingWebsocket } : {};
    const connection = await within(5000, "connection", connect({ servers, reconnect: false, ...transport.options, ...factory, ...options }));
    connections.push(connection);
    return connection;
  };

  test("publishes and subscribes in order", async () => {
    const [publisher, subscriber] = [await open(), await open()];
    const received: string[] = [];
    const all = Promise.withResolvers<void>();
    subscriber.subscribe("numbers.*", {
      callback: (_, message) => {
        if (received.push(message.string()) === 2000) all.resolve();
      },
    });
    await subscriber.flush();
    for (let number = 0; number < 2000; number++) publisher.publish(`numbers.${number % 7}`, String(number));
    await within(10_000, "all messages", all.promise);
    expect(received).toEqual(Array.from({ length: 2000 }, (_, number) => String(number)));
  });

  test("requests, replies, headers, and no responders", async () => {
    const [asker, answerer] = [await open(), await open()];
    answerer.subscribe("echo", { callback: (_, message) => void message.respond(message.data, { headers: message.headers }) });
    await answerer.flush();
    const own = headers();
    own.set("X-Own", "value");
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => asker.request("echo", String(i), { headers: own, timeout: 5000 })));
    expect(answers.map((answer) => answer.string())).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
    expect(answers[0].headers?.get("X-Own")).toBe("value");
    await expect(asker.request("nobody", "", { timeout: 5000 })).rejects.toThrow(/no responders|503/i);
  });

  test("carries a megabyte there and back, byte for byte", async () => {
    const connection = await open();
    const other = await open();
    other.subscribe("echo.large", { callback: (_, message) => void message.respond(message.data) });
    await other.flush();
    // A little less than max_payload: a compressed message may not inflate beyond it, protocol text included.
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);
    const answer = await connection.request("echo.large", bytes, { timeout: 10_000 });
    expect(Buffer.compare(Buffer.from(answer.data), Buffer.from(bytes))).toBe(0);
  });
});

describe("what is refused", () => {
  test("a client that does not trust the server, and one whose certificate nobody knows", async () => {
    const server = await ServerProcess.start({ binary, config: ofTls[3].config });
    const servers = `localhost:${server.ports.nats?.port}`;
    for (const [, connect] of overTcp) {
      const stranger = { ...CA, certFile: `${folder}/stranger.pem`, keyFile: `${folder}/stranger-key.pem` };
      for (const tls of [{}, CA, stranger]) {
        const outcome = connect({ servers, reconnect: false, timeout: 3000, tls }).then(
          async (connection) => {
            await connection.close();
            return "connected";
          },
          () => "refused",
        );
        expect(await within(8000, "an answer", outcome)).toBe("refused");
      }
    }
    await server.stop();
  });
});

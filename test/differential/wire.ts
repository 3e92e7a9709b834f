/**
 * The ways to a server: plain TCP, TLS after INFO, and WebSocket frames of random shape, all seen as the NATS bytes that they carry.
 */
import type { ByteStream } from "../support/byte-stream.ts";
import { ByteStream as Bytes } from "../support/byte-stream.ts";
import { certificateFolder } from "../support/certificates.ts";
import { RawSocket } from "../support/raw-socket.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { WebSocketClient } from "../support/websocket-client.ts";
import { Prng } from "./prng.ts";
import type { Transport } from "./session.ts";

export interface Wire {
  readonly received: ByteStream;
  readonly localPort: number;
  send(bytes: Buffer): void;
  close(): void;
  destroy(): void;
}

/** Connects. `seed` decides the shape of WebSocket frames. */
export async function dial(server: ServerProcess, transport: Transport, seed: number): Promise<Wire> {
  if (transport === "ws" || transport === "ws-deflate") return dialWebSocket(server, transport === "ws-deflate", new Prng(seed));
  const socket = await RawSocket.open("127.0.0.1", server.ports.nats?.port ?? 0);
  if (transport === "tls") return startTls(socket);
  return { received: socket.received, localPort: socket.localPort, send: (bytes) => socket.send(bytes), close: () => socket.close(), destroy: () => socket.destroy() };
}

async function startTls(socket: RawSocket): Promise<Wire> {
  const received = new Bytes();
  const { localPort } = socket;
  received.push(Buffer.from(`${await socket.received.readLine(2000)}\r\n`, "latin1"));
  await socket.startTls({ certificates: certificateFolder() });
  void pump(socket.received, received);
  return { received, localPort, send: (bytes) => socket.send(bytes), close: () => socket.close(), destroy: () => socket.destroy() };
}

async function pump(from: ByteStream, to: ByteStream): Promise<void> {
  try {
    for (;;) to.push(Buffer.concat([await from.readBytes(1, 600_000), await from.readBytes(from.pending.length, 600_000)]));
  } catch {
    to.end();
  }
}

async function dialWebSocket(server: ServerProcess, compressed: boolean, random: Prng): Promise<Wire> {
  const socket = await RawSocket.open("127.0.0.1", server.ports.websocket?.port ?? 0);
  const { client } = await WebSocketClient.upgrade(socket, "/", compressed ? { "Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover; client_no_context_takeover" } : {});
  const send = (bytes: Buffer): void => {
    const deflated = compressed && random.chance(0.6);
    const data = deflated ? WebSocketClient.deflate(bytes) : bytes;
    let from = 0;
    do {
      const to = random.chance(0.5) ? data.length : Math.min(data.length, from + 1 + random.below(8));
      client.send({ payload: data.subarray(from, to), opcode: from === 0 ? 2 : 0, fin: to === data.length, rsv1: deflated && from === 0 });
      from = to;
      if (random.chance(0.2)) client.send({ payload: Buffer.from("ping"), opcode: 9 });
    } while (from < data.length);
  };
  return { received: client.data, localPort: socket.localPort, send, close: () => client.send({ payload: Buffer.from([3, 232]), opcode: 8 }), destroy: () => socket.destroy() };
}

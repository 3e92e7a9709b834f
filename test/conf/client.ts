/**
 * A client for the tests of the samples: it logs in and talks in protocol lines. `exchange` sends lines and collects everything up to the PONG behind them,
 * so that a check can say what a server answers without waiting for time to pass.
 */
import { type ByteStream, EndOfStream } from "../support/byte-stream.ts";
import { RawSocket } from "../support/raw-socket.ts";
import type { Address } from "../support/server-process.ts";
import { WebSocketClient } from "../support/websocket-client.ts";

/** Fields of INFO that checks look at. */
export interface Info {
  readonly server_name?: string;
  readonly max_payload?: number;
  readonly nonce?: string;
  readonly client_ip?: string;
  readonly remote_account?: string;
  readonly acc_is_sys?: boolean;
  readonly tls_required?: boolean;
  readonly tls_available?: boolean;
  readonly ldm?: boolean;
}

const PATIENCE_MS = 3000;

/** What carries the protocol: a socket, or a WebSocket on one. */
interface Wire {
  readonly received: ByteStream;
  send(bytes: Buffer): void;
}

export class Client {
  /** The last INFO. */
  info: Info = {};

  private constructor(
    readonly socket: RawSocket,
    private readonly wire: Wire,
  ) {}

  /** Connects over TCP; with `tls` (a folder of certificates, and perhaps a name in it) the handshake follows INFO, or with `first` precedes it. */
  static async open(address: Address | undefined, tls?: { readonly certificates: string; readonly certificate?: string; readonly first?: boolean }): Promise<Client> {
    const socket = await Client.dial(address);
    if (tls?.first === true) await socket.startTls(tls);
    const client = new Client(socket, socket);
    await client.readInfo();
    if (tls !== undefined && tls.first !== true) await socket.startTls(tls);
    return client;
  }

  /** Connects over WebSocket; resolves to the client and the headers of the server's answer. */
  static async upgrade(socket: RawSocket, headers: Readonly<Record<string, string>>): Promise<{ readonly client: Client; readonly headers: ReadonlyMap<string, string> }> {
    const { client: websocket, answer } = await WebSocketClient.upgrade(socket, "/", headers);
    const client = new Client(socket, { received: websocket.data, send: (payload) => websocket.send({ payload }) });
    await client.readInfo();
    return { client, headers: answer.headers };
  }

  /** A bare connection. */
  static dial(address: Address | undefined): Promise<RawSocket> {
    if (address === undefined) throw new Error("the server does not listen there");
    return RawSocket.open(address.host, address.port);
  }

  async readInfo(): Promise<Info> {
    const line = await this.wire.received.readLine(PATIENCE_MS);
    if (!line.startsWith("INFO ")) throw new Error(`expected INFO, got ${line}`);
    this.info = JSON.parse(line.slice(5)) as Info;
    return this.info;
  }

  /** Sends CONNECT with these fields; the answer to the PING behind it: `PONG`, or an error. */
  async login(fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
    this.send(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, ...fields })}\r\nPING\r\n`);
    return this.line();
  }

  send(text: string): void {
    this.wire.send(Buffer.from(text));
  }

  /** The next line that is not INFO; INFO is kept in `info`. */
  async line(): Promise<string> {
    for (;;) {
      const line = await this.wire.received.readLine(PATIENCE_MS);
      if (!line.startsWith("INFO ")) return line;
      this.info = JSON.parse(line.slice(5)) as Info;
    }
  }

  /** Sends these lines and a PING; what the server said before the PONG. */
  async exchange(...lines: readonly string[]): Promise<string[]> {
    this.send([...lines, "PING", ""].join("\r\n"));
    const answers: string[] = [];
    for (let line = await this.line(); line !== "PONG"; line = await this.line()) answers.push(line);
    return answers;
  }

  /** Subjects that a message published to `subject` arrives on, for a client that sees everything. */
  async subjectsOf(subject: string): Promise<string[]> {
    const lines = await this.exchange("SUB > all", `PUB ${subject} 2`, "hi", "UNSUB all");
    return lines.filter((line) => line.startsWith("MSG ")).map((line) => line.split(" ")[1]);
  }

  /** Waits until the server has closed the connection; the lines that came before. */
  async ended(): Promise<string[]> {
    const lines: string[] = [];
    const { received } = this.wire;
    for (;;) {
      try {
        lines.push(await received.readLine(PATIENCE_MS));
      } catch (error) {
        if (error instanceof EndOfStream) return lines;
        throw error;
      }
    }
  }

  close(): void {
    this.socket.destroy();
  }
}

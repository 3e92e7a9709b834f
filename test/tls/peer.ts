/**
 * A TLS peer for tests on top of node:tls: it may say something in clear first, presents any certificate, and tells everything it saw, also how the
 * connection ended (which alert, or none).
 */
import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { join, resolve } from "node:path";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { ByteStream } from "../support/byte-stream.ts";
import { certificateFolder } from "../support/certificates.ts";
import { within } from "../support/deadline.ts";

/** Our executable. */
export const BINARY = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));
export const HELLO = 'CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n';
const PATIENCE_MS = 3000;

export function pem(name: string): string {
  return readFileSync(join(certificateFolder(), `${name}.pem`), "utf8");
}

/** A `tls {}` block with the server's certificate and these further lines. */
export function tlsBlock(...lines: readonly string[]): string {
  const folder = certificateFolder();
  return `tls {\n cert_file: "${folder}/server.pem"\n key_file: "${folder}/server-key.pem"\n ca_file: "${folder}/ca.pem"\n timeout: 1\n ${lines.join("\n ")}\n}\n`;
}

export interface TlsPeerOptions {
  /** Sent in clear before anything else. */
  readonly before?: string;
  /** Waits for INFO in clear; default true. */
  readonly infoFirst?: boolean;
  /** Name of the certificate to present. */
  readonly certificate?: string;
  readonly tls?: ConnectionOptions;
}

export class TlsPeer {
  /** What came inside TLS. */
  readonly received = new ByteStream();
  /** The line in clear, if one was awaited. */
  clear = "";
  /** Code of the error that ended the connection: which alert, if any. */
  error: string | undefined = undefined;

  private constructor(readonly socket: TLSSocket) {
    socket.on("data", (bytes: Buffer) => this.received.push(bytes));
    socket.on("error", (error: Error & { readonly code?: string }) => {
      this.error = error.code ?? error.message;
      this.received.end();
    });
    socket.on("end", () => this.received.end());
    socket.on("close", () => this.received.end());
  }

  /** Connects and starts TLS; does not wait for the handshake. */
  static async open(port: number, options: TlsPeerOptions = {}): Promise<TlsPeer> {
    const plain = connectTcp({ host: "127.0.0.1", port, noDelay: true });
    await within(PATIENCE_MS, "connection", new Promise<void>((done, failed) => plain.once("connect", done).once("error", failed)));
    if (options.before !== undefined) plain.write(options.before);
    const clear = options.infoFirst === false ? "" : await firstLine(plain);
    plain.removeAllListeners();
    const { certificate } = options;
    const identity = certificate === undefined ? {} : { cert: pem(certificate), key: pem(`${certificate}-key`) };
    const peer = new TlsPeer(connectTls({ socket: plain, ca: pem("ca"), servername: "localhost", ...identity, ...options.tls }));
    peer.clear = clear;
    return peer;
  }

  /** Resolves when the handshake is done on this side (with TLS 1.3 the server may still refuse); rejects when it fails. */
  async secured(): Promise<this> {
    if (this.socket.getProtocol() === null || !this.socket.authorized) {
      await within(PATIENCE_MS, "TLS handshake", new Promise<void>((done, failed) => {
        this.socket.once("secureConnect", done);
        this.socket.once("error", failed);
        this.socket.once("close", () => failed(new Error("closed during the handshake")));
      }));
    }
    return this;
  }

  /** Logs in and waits for PONG. */
  async login(): Promise<this> {
    this.socket.write(HELLO);
    while ((await this.received.readLine(PATIENCE_MS)) !== "PONG");
    return this;
  }

  /** Waits for the end; what was the reason on our side: an alert, or nothing. */
  async ended(): Promise<string | undefined> {
    while (!this.received.ended) {
      await this.received.readBytes(this.received.pending.length + 1, PATIENCE_MS).catch((error: unknown) => {
        if (!this.received.ended) throw error;
      });
    }
    return this.error;
  }

  get subject(): string {
    return String(this.socket.getPeerCertificate().subject.CN);
  }

  close(): void {
    this.socket.destroy();
  }
}

async function firstLine(socket: Socket): Promise<string> {
  const stream = new ByteStream();
  socket.on("data", (bytes: Buffer) => stream.push(bytes));
  socket.on("close", () => stream.end());
  return stream.readLine(PATIENCE_MS);
}

/**
 * A raw client connection for tests: sends exactly the bytes it is given and hands out what arrives, line by line or
 * byte by byte. It speaks no protocol, so nothing is hidden from the test. It can start TLS at any moment, as a NATS
 * client does after INFO.
 */

import { connect, type Socket } from 'node:net';
import { connect as tlsConnect, type SecureVersion, type TLSSocket } from 'node:tls';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ByteStream } from './byte-stream.ts';
import { within } from './deadline.ts';

/** How to start TLS. Names are those of the pairs in the certificate folder. */
export interface TlsSetup {
  readonly certificates: string;
  /** Client certificate to present, if any. */
  readonly certificate?: string;
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
}

export class RawSocket {
  /** What the peer sent. */
  readonly received = new ByteStream();
  #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  /** Connects over TCP. Rejects when the connection is refused. */
  static async open(host: string, port: number, milliseconds = 2000): Promise<RawSocket> {
    const socket = connect({ host, port, noDelay: true });
    await within(milliseconds, `connection to ${host}:${port}`, new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    }));
    return new RawSocket(socket);
  }

  /** Connects and starts TLS at once. */
  static async openTls(host: string, port: number, setup: TlsSetup, milliseconds = 2000): Promise<RawSocket> {
    const socket = await RawSocket.open(host, port, milliseconds);
    await socket.startTls(setup, milliseconds);
    return socket;
  }

  /** The local port of this connection. */
  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  /** The TLS version agreed on (`TLSv1.3`), if TLS was started. */
  get tlsVersion(): string | undefined {
    return 'getProtocol' in this.#socket ? ((this.#socket as TLSSocket).getProtocol() ?? undefined) : undefined;
  }

  /** The server certificate's subject common name, if TLS was started. */
  get peerName(): string | undefined {
    if (!('getPeerCertificate' in this.#socket)) return undefined;
    const name: unknown = (this.#socket as TLSSocket).getPeerCertificate().subject.CN;
    return typeof name === 'string' ? name : undefined;
  }

  /** Sends bytes. Errors of a connection that the peer has closed are not reported here: the reading side sees its end. */
  send(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Sends the bytes one by one, each in its own write, with a turn of the event loop in between. */
  async drip(bytes: Uint8Array): Promise<void> {
    for (let index = 0; index < bytes.length; index++) {
      this.send(bytes.subarray(index, index + 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Makes the client's part of a TLS handshake on this connection. Rejects when the handshake fails. */
  async startTls(setup: TlsSetup, milliseconds = 2000): Promise<void> {
    const file = (name: string): Buffer => readFileSync(join(setup.certificates, name));
    const plain = this.#socket;
    plain.removeAllListeners();
    const secure = tlsConnect({
      socket: plain,
      ca: file('ca.pem'),
      servername: 'localhost',
      ...(setup.certificate === undefined ? {} : { cert: file(`${setup.certificate}.pem`), key: file(`${setup.certificate}-key.pem`) }),
      ...(setup.minVersion === undefined ? {} : { minVersion: setup.minVersion }),
      ...(setup.maxVersion === undefined ? {} : { maxVersion: setup.maxVersion }),
    });
    this.#socket = secure;
    this.#listen(secure);
    await within(milliseconds, 'TLS handshake', new Promise<void>((resolve, reject) => {
      secure.once('secureConnect', resolve);
      secure.once('error', reject);
      secure.once('close', () => reject(new Error('connection closed during the TLS handshake')));
    }));
  }

  /** Stops reading: what the peer sends from now on fills the buffers of the system, then the peer's. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads again after {@link pause}. */
  resume(): void {
    this.#socket.resume();
  }

  /** Ends the sending side; the peer sees the end of the connection. */
  close(): void {
    this.#socket.end();
  }

  /** Drops the connection and everything not yet sent. */
  destroy(): void {
    this.#socket.destroy();
  }

  #listen(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => this.received.push(bytes));
    socket.on('end', () => this.received.end());
    socket.on('error', () => this.received.end());
    socket.on('close', () => this.received.end());
  }
}

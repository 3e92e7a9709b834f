/**
 * A transcript's named connection: a raw socket, or a WebSocket over one, with what was said on it so far.
 */

import type { SecureVersion } from 'node:tls';
import { certificateFolder } from '../support/certificates.ts';
import { readable, type ByteStream } from '../support/byte-stream.ts';
import { RawSocket, type TlsSetup } from '../support/raw-socket.ts';
import type { Ports } from '../support/server-process.ts';
import { WebSocketClient, type Upgrade } from '../support/websocket-client.ts';
import { unescapeBytes, type Json } from './pattern.ts';

/** `certificate=NAME min=1.2 max=1.3` as the options of a TLS client. */
export function tlsSetupOf(words: readonly string[]): TlsSetup {
  const setup: { certificate?: string; minVersion?: SecureVersion; maxVersion?: SecureVersion } = {};
  for (const word of words) {
    const [key = '', value = ''] = word.split('=');
    if (key === 'certificate') setup.certificate = value;
    else if (key === 'min') setup.minVersion = `TLSv${value}` as SecureVersion;
    else if (key === 'max') setup.maxVersion = `TLSv${value}` as SecureVersion;
    else throw new Error(`unknown TLS option ${word}`);
  }
  return { certificates: certificateFolder(), ...setup };
}

const CLOSE = 8;

export class Peer {
  readonly socket: RawSocket;
  readonly websocket: WebSocketClient | undefined;
  readonly upgrade: Upgrade | undefined;
  /** What was sent (`>`) and received (`<`), for reports. */
  readonly conversation: string[] = [];
  /** The last INFO received. */
  info: { readonly [key: string]: Json } | undefined;

  private constructor(socket: RawSocket, websocket?: WebSocketClient, upgrade?: Upgrade) {
    this.socket = socket;
    this.websocket = websocket;
    this.upgrade = upgrade;
  }

  /** Opens `[tcp|websocket|tls|ws|wss] [/path] [options]` against a server's ports; `block` holds upgrade headers. */
  static async open(ports: Ports, argument: string, block: string): Promise<Peer> {
    const [kind = 'tcp', ...words] = argument.split(/\s+/).filter((word) => word !== '');
    const overWebsocket = kind === 'ws' || kind === 'wss' || kind === 'websocket';
    const address = overWebsocket ? ports.websocket : ports.nats;
    if (address === undefined) throw new Error(`this server has no ${overWebsocket ? 'websocket' : 'client'} port`);
    const path = words.find((word) => word.startsWith('/')) ?? '/';
    const options = words.filter((word) => !word.startsWith('/'));
    const secure = kind === 'tls' || kind === 'wss';
    const socket = secure ? await RawSocket.openTls(address.host, address.port, tlsSetupOf(options)) : await RawSocket.open(address.host, address.port);
    if (kind !== 'ws' && kind !== 'wss') return new Peer(socket);
    const headers = Object.fromEntries(block.split('\n').filter((line) => line.includes(':')).map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    }));
    const { client, answer } = await WebSocketClient.upgrade(socket, path, headers);
    return new Peer(socket, client, answer);
  }

  /** What the peer said that is NATS protocol. */
  get stream(): ByteStream {
    return this.websocket?.data ?? this.socket.received;
  }

  /** The nonce of the last INFO that had one. */
  nonce: string | undefined;

  /** Inboxes used so far; requests get one each, under one subscription. */
  #requests = 0;

  /** Publishes, with header lines if there are any. `wantsAnswer` gives it a reply subject, which is returned. */
  publish(subject: string, headers: string, payload: string, wantsAnswer: boolean): string {
    const inbox = wantsAnswer ? `_INBOX.${this.socket.localPort}.${++this.#requests}` : '';
    if (this.#requests === 1 && wantsAnswer) this.send(`SUB _INBOX.${this.socket.localPort}.* 9009\r\n`);
    const block = headers === '' ? '' : `NATS/1.0\r\n${headers}\r\n\r\n`;
    const sizes = block === '' ? `${payload.length}` : `${block.length} ${block.length + payload.length}`;
    this.send(`${block === '' ? 'PUB' : 'HPUB'} ${subject} ${inbox === '' ? '' : `${inbox} `}${sizes}\r\n${block}${payload}\r\n`);
    return inbox;
  }

  send(text: string): void {
    this.conversation.push(`> ${readable(Buffer.from(text, 'latin1'), 200)}`);
    const bytes = Buffer.from(text, 'latin1');
    if (this.websocket) this.websocket.send({ payload: bytes });
    else this.socket.send(bytes);
  }

  async drip(text: string): Promise<void> {
    this.conversation.push(`> (byte by byte) ${readable(Buffer.from(text, 'latin1'), 200)}`);
    await this.socket.drip(Buffer.from(text, 'latin1'));
  }

  async readLine(milliseconds: number): Promise<string> {
    const line = await this.stream.readLine(milliseconds);
    this.conversation.push(`< ${line.length > 300 ? `${line.slice(0, 300)}…` : line}`);
    if (line.startsWith('INFO {')) {
      this.info = JSON.parse(line.slice(5)) as { readonly [key: string]: Json };
      const { nonce } = this.info;
      if (typeof nonce === 'string') this.nonce = nonce;
    }
    return line;
  }

  /** Sends one WebSocket frame described by `op=N fin=0 rsv1 rsv2 rsv3 masked|unmasked deflate | payload`. */
  sendFrame(description: string): void {
    if (!this.websocket) throw new Error('not a WebSocket connection');
    const bar = description.indexOf('|');
    const words = (bar < 0 ? description : description.slice(0, bar)).split(/\s+/);
    const bytes = Buffer.from(bar < 0 ? '' : unescapeBytes(description.slice(bar + 1).replace(/^ /, '')), 'latin1');
    const has = (word: string): boolean => words.includes(word);
    const opcode = Number(words.find((word) => word.startsWith('op='))?.slice(3) ?? 2);
    this.conversation.push(`> (frame) ${description.slice(0, 200)}`);
    this.websocket.send({
      opcode,
      fin: !has('fin=0'),
      rsv1: has('rsv1'),
      rsv2: has('rsv2'),
      rsv3: has('rsv3'),
      payload: has('deflate') ? WebSocketClient.deflate(bytes) : bytes,
      ...(has('masked') || has('unmasked') ? { masked: has('masked') } : {}),
    });
  }

  /** The next frame of that sort, as JSON for matching. */
  async frame(sort: 'data' | 'control', milliseconds: number): Promise<Json> {
    if (!this.websocket) throw new Error('not a WebSocket connection');
    const frame = await (sort === 'data' ? this.websocket.nextDataFrame(milliseconds) : this.websocket.nextControlFrame(milliseconds));
    const { fin, rsv1, opcode, masked, payload } = frame;
    const closing: { readonly [key: string]: Json } = opcode === CLOSE && payload.length >= 2 ? { code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) } : {};
    return { fin, rsv1, opcode, masked, length: payload.length, payload: payload.toString('latin1'), ...closing };
  }

  /** What is known about the connection itself, as JSON for matching. */
  get description(): Json {
    return {
      ...(this.socket.tlsVersion === undefined ? {} : { tls: this.socket.tlsVersion }),
      ...(this.socket.peerName === undefined ? {} : { peer: this.socket.peerName }),
      ...(this.upgrade === undefined ? {} : { headers: Object.fromEntries(this.upgrade.headers) }),
    };
  }
}

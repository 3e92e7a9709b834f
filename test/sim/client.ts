/**
 * A client on the simulated network: sends the bytes it is told to, and takes what arrives apart into operations. An operation reads as its line; a
 * message's payload follows its line after ` | `.
 */
import type { StreamError, StreamHandler } from "../../src/platform/index.ts";
import type { ServerInfo } from "../../src/protocol/info.ts";
import type { MemoryStream } from "./network.ts";

export class SimClient implements StreamHandler {
  /** Every INFO, oldest first; `operations` leaves them out. */
  readonly infos: ServerInfo[] = [];
  /** Whether it answers PING. Answers are not shown in `operations`, nor are the PINGs. */
  answersPings = true;
  /** Set when the connection is gone: how it ended. */
  end: { readonly error: StreamError | undefined } | undefined = undefined;
  #operations: string[] = [];
  #rest = "";
  #unsent: Buffer[] = [];

  constructor(readonly stream: MemoryStream) {
    stream.handler = this;
  }

  /** Queues bytes; they leave as the connection takes them. */
  send(bytes: string | Buffer): void {
    this.#unsent.push(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    this.#write();
  }

  publish(subject: string, payload: string, reply = ""): void {
    this.send(`PUB ${subject} ${reply === "" ? "" : `${reply} `}${payload.length}\r\n${payload}\r\n`);
  }

  /** Bytes of `send` that the connection has not taken yet. */
  get unsentBytes(): number {
    return this.#unsent.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** What arrived since the last call, without INFO. */
  operations(): string[] {
    const all = this.#operations;
    this.#operations = [];
    return all;
  }

  /** Number of operations that `operations` would give. */
  get operationCount(): number {
    return this.#operations.length;
  }

  get isClosed(): boolean {
    return this.end !== undefined;
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  /** Closes in order, as soon as everything queued is out. */
  close(): void {
    this.#closing = true;
    this.#write();
  }
  #closing = false;

  onData(bytes: Buffer): void {
    this.#rest += bytes.latin1Slice();
    for (let taken = this.#next(); taken > 0; taken = this.#next()) this.#rest = this.#rest.slice(taken);
  }

  onDrain(): void {
    this.#write();
  }

  onClose(error: StreamError | undefined): void {
    if (this.end !== undefined) throw new Error("a stream closes once");
    this.end = { error };
  }

  #write(): void {
    while (this.#unsent.length > 0) {
      const [bytes] = this.#unsent;
      const taken = this.stream.write(bytes, 0, bytes.length);
      if (taken === bytes.length) {
        this.#unsent.shift();
        continue;
      }
      this.#unsent[0] = bytes.subarray(taken);
      return;
    }
    if (this.#closing) this.stream.end();
  }

  /** Takes one operation off `#rest`; returns its length, or 0 when it is not whole. */
  #next(): number {
    const lineEnd = this.#rest.indexOf("\r\n");
    if (lineEnd === -1) return 0;
    const line = this.#rest.slice(0, lineEnd);
    const after = lineEnd + 2;
    const words = line.split(" ");
    switch (words[0]) {
      case "MSG":
      case "HMSG": {
        const size = Number(words.at(-1));
        if (this.#rest.length < after + size + 2) return 0;
        if (this.#rest.slice(after + size, after + size + 2) !== "\r\n") throw new Error(`no line end behind the payload of ${line}`);
        this.#operations.push(`${line} | ${this.#rest.slice(after, after + size)}`);
        return after + size + 2;
      }
      case "INFO":
        this.infos.push(JSON.parse(line.slice(5)) as ServerInfo);
        return after;
      case "PING":
        if (this.answersPings) this.send("PONG\r\n");
        else this.#operations.push(line);
        return after;
      case "PONG":
      case "+OK":
      case "-ERR":
        this.#operations.push(line);
        return after;
      default:
        throw new Error(`the server sent ${JSON.stringify(line)}`);
    }
  }
}

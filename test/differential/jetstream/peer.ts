/**
 * A NATS client as small as these tests need it: publishes with exactly the headers it is given, requests that gather every message of the answer, subscriptions
 * that keep what came. Bytes are latin1 texts on the way in (so that any bytes can be compared), UTF-8 on the way out.
 */
import { EndOfStream } from "../../support/byte-stream.ts";
import { deadlineIn } from "../../support/deadline.ts";
import { RawSocket } from "../../support/raw-socket.ts";
import type { ServerProcess } from "../../support/server-process.ts";

export interface Delivered {
  readonly subject: string;
  readonly reply: string;
  /** The whole block, with `NATS/1.0` and the empty line; empty without headers. */
  readonly header: string;
  readonly payload: string;
}

export interface Publication {
  readonly subject: string;
  /** Text is sent as UTF-8. */
  readonly payload?: string | Uint8Array;
  readonly reply?: string;
  /** Lines of a header block, without line ends. */
  readonly headers?: readonly string[];
}

/** Says after each message of an answer whether it was the last. */
export type IsLast = (message: Delivered) => boolean;

const FOREVER_MS = 3_600_000;

/** A subscription and what it was delivered. */
export class Inbox {
  readonly messages: Delivered[] = [];
  #wake: (() => void) | undefined;

  take(message: Delivered): void {
    this.messages.push(message);
    this.#wake?.();
  }

  /** True once `isDone`, false after `milliseconds`. */
  async until(isDone: () => boolean, milliseconds: number): Promise<boolean> {
    const end = deadlineIn(milliseconds);
    while (!isDone()) {
      const left = end - performance.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }
}

export class Peer {
  readonly #inboxes = new Map<string, Inbox>();
  readonly #pongs: (() => void)[] = [];
  #lastSid = 0;
  #lastReply = 0;
  /** What the server said besides messages, and why the connection ended. */
  readonly complaints: string[] = [];
  isClosed = false;

  private constructor(readonly socket: RawSocket) {
    void this.#read();
  }

  static async connect(server: ServerProcess, user: string): Promise<Peer> {
    const socket = await RawSocket.open("127.0.0.1", server.ports.nats?.port ?? 0);
    await socket.received.readLine(2000);
    const peer = new Peer(socket);
    peer.#send(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, headers: true, no_responders: true, lang: "differential", user, pass: user })}\r\n`);
    await peer.sync();
    return peer;
  }

  #send(text: string): void {
    this.socket.send(Buffer.from(text, "latin1"));
  }

  async #read(): Promise<void> {
    const stream = this.socket.received;
    try {
      for (;;) {
        const line = await stream.readLine(FOREVER_MS);
        const [verb, subject = "", sid = "", ...rest] = line.split(" ");
        if (verb === "PING") this.#send("PONG\r\n");
        else if (verb === "PONG") this.#pongs.shift()?.();
        else if (verb === "MSG" || verb === "HMSG") {
          const size = Number(rest.pop());
          const headerSize = verb === "HMSG" ? Number(rest.pop()) : 0;
          const body = (await stream.readBytes(size + 2, FOREVER_MS)).toString("latin1");
          const message = { subject, reply: rest[0] ?? "", header: body.slice(0, headerSize), payload: body.slice(headerSize, -2) };
          this.#inboxes.get(sid)?.take(message);
        } else if (verb !== "INFO") this.complaints.push(line);
      }
    } catch (error) {
      if (!(error instanceof EndOfStream)) throw error;
      this.isClosed = true;
      for (const pong of this.#pongs.splice(0)) pong();
    }
  }

  publish({ subject, payload = "", reply = "", headers }: Publication): void {
    const body = typeof payload === "string" ? Buffer.from(payload, "utf8") : Buffer.from(payload);
    const to = Buffer.from(reply === "" ? subject : `${subject} ${reply}`, "utf8").toString("latin1");
    const header = headers === undefined ? undefined : Buffer.from(`NATS/1.0\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`, "utf8").toString("latin1");
    const sizes = header === undefined ? `${body.length}` : `${header.length} ${header.length + body.length}`;
    this.#send(`${header === undefined ? "PUB" : "HPUB"} ${to} ${sizes}\r\n${header ?? ""}${body.toString("latin1")}\r\n`);
  }

  /** The messages of the answer, none when there was silence for `silenceMs`. Each has a subscription of its own: what a consumer delivers keeps its subject. */
  async request(publication: Publication, silenceMs: number, isLast: IsLast = () => true): Promise<readonly Delivered[]> {
    const reply = this.newReply();
    const { sid, inbox } = this.subscribe(reply);
    this.publish({ ...publication, reply });
    await inbox.until(() => {
      const last = inbox.messages.at(-1);
      return last !== undefined && isLast(last);
    }, silenceMs);
    this.unsubscribe(sid);
    return inbox.messages;
  }

  /** A reply subject of the same length on every side: where it is stored, sizes stay comparable. */
  newReply(): string {
    return `_R.${String(++this.#lastReply).padStart(8, "0")}`;
  }

  subscribe(subject: string, queue = ""): { readonly sid: string; readonly inbox: Inbox } {
    const sid = String(++this.#lastSid);
    const inbox = new Inbox();
    this.#inboxes.set(sid, inbox);
    this.#send(`SUB ${subject}${queue === "" ? "" : ` ${queue}`} ${sid}\r\n`);
    return { sid, inbox };
  }

  unsubscribe(sid: string): void {
    this.#inboxes.delete(sid);
    this.#send(`UNSUB ${sid}\r\n`);
  }

  /** Waits until the server has read all that was sent. */
  async sync(): Promise<void> {
    if (this.isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pongs.push(resolve);
    this.#send("PING\r\n");
    await promise;
  }

  close(): void {
    this.socket.destroy();
  }
}

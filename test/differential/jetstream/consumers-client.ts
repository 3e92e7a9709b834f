/**
 * A client for differential sessions: one connection that remembers, per subscription, every frame that it was sent. Subscriptions have names, and frames are
 * kept under the name, since the messages of a consumer carry the subject under which they were stored, not that of the inbox.
 */
import { connect, type Socket } from "node:net";

/** A message as it was sent, byte strings. */
export interface Frame {
  readonly subject: string;
  readonly reply: string;
  /** Whole block; empty without headers. */
  readonly header: string;
  readonly payload: string;
}

export class SessionClient {
  /** Frames by the name of their subscription, in the order of arrival. */
  readonly frames = new Map<string, Frame[]>();
  /** How many frames came in all. */
  count = 0;
  readonly #names = new Map<string, string>();
  readonly #sids = new Map<string, string>();
  #nextSid = 1;
  #held: Buffer = Buffer.alloc(0);
  #pongs = 0;
  #pings = 0;
  #ended = false;
  #wakers: (() => void)[] = [];

  private constructor(readonly socket: Socket) {
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", () => this.#end());
    socket.on("close", () => this.#end());
  }

  static async open(port: number, user: string): Promise<SessionClient> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    const client = new SessionClient(socket);
    client.send(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, headers: true, no_responders: true, user, pass: "p", lang: "t", version: "1", protocol: 1 })}\r\n`);
    await client.sync();
    return client;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  send(text: string): void {
    if (!this.#ended) this.socket.write(Buffer.from(text, "latin1"));
  }

  /** Subscribes; `name` is where its frames are kept. */
  subscribe(name: string, subject: string, group = ""): void {
    const sid = String(this.#nextSid++);
    this.#names.set(sid, name);
    this.#sids.set(name, sid);
    this.send(`SUB ${subject} ${group === "" ? "" : `${group} `}${sid}\r\n`);
  }

  /** Ends the subscription of that name, after `max` messages in all where that is not 0. */
  unsubscribe(name: string, max = 0): void {
    const sid = this.#sids.get(name);
    if (sid !== undefined) this.send(`UNSUB ${sid}${max > 0 ? ` ${max}` : ""}\r\n`);
  }

  /** Byte strings; `header` is the lines, without the first and the empty last one. */
  publish(subject: string, reply: string, header: string, payload: string): void {
    const to = `${subject}${reply === "" ? "" : ` ${reply}`}`;
    if (header === "") return this.send(`PUB ${to} ${payload.length}\r\n${payload}\r\n`);
    const block = `NATS/1.0\r\n${header}\r\n`;
    this.send(`HPUB ${to} ${block.length} ${block.length + payload.length}\r\n${block}${payload}\r\n`);
  }

  /** Returns when the server has worked off what it was sent. Rejects when the connection has ended. */
  async sync(): Promise<void> {
    const wanted = ++this.#pings;
    this.send("PING\r\n");
    await this.until(() => this.#pongs >= wanted, 5000);
    if (this.#pongs < wanted) throw new Error("no PONG");
  }

  /** Waits until `holds`, the end of the connection or the deadline; whether it holds. */
  async until(holds: () => boolean, milliseconds: number): Promise<boolean> {
    const end = performance.now() + milliseconds;
    while (!holds()) {
      const left = end - performance.now();
      if (left <= 0 || this.#ended) return holds();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wakers.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return true;
  }

  /** The answer of a request that is no part of the session. */
  async ask(subject: string, payload: string): Promise<string> {
    const name = `ask ${this.#nextSid}`;
    const inbox = `_ASK.${this.#nextSid}`;
    this.subscribe(name, inbox);
    this.unsubscribe(name, 1);
    this.publish(subject, inbox, "", payload);
    await this.until(() => this.frames.has(name), 5000);
    const answer = this.frames.get(name)?.[0];
    this.frames.delete(name);
    this.count--;
    if (answer === undefined) throw new Error(`no answer on ${subject}`);
    return answer.payload;
  }

  close(): void {
    this.socket.destroy();
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  #take(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    for (;;) {
      const end = this.#held.indexOf("\r\n");
      if (end < 0) break;
      const line = this.#held.toString("latin1", 0, end);
      const isMessage = line.startsWith("MSG ") || line.startsWith("HMSG ");
      if (!isMessage) {
        this.#held = this.#held.subarray(end + 2);
        if (line === "PONG") this.#pongs++;
        else if (line === "PING") this.send("PONG\r\n");
        else if (line.startsWith("-ERR")) this.#keep("errors", { subject: line, reply: "", header: "", payload: "" });
        continue;
      }
      const tokens = line.split(" ");
      const total = Number(tokens.at(-1));
      if (this.#held.length < end + 2 + total + 2) break;
      const headerLength = tokens[0] === "HMSG" ? Number(tokens.at(-2)) : 0;
      const head = tokens.slice(1, tokens[0] === "HMSG" ? -2 : -1);
      const [subject = "", sid = "", reply = ""] = head;
      const body = this.#held.toString("latin1", end + 2, end + 2 + total);
      this.#held = this.#held.subarray(end + 2 + total + 2);
      this.#keep(this.#names.get(sid) ?? `sid ${sid}`, { subject, reply, header: body.slice(0, headerLength), payload: body.slice(headerLength) });
    }
    this.#wake();
  }

  #keep(name: string, frame: Frame): void {
    const kept = this.frames.get(name);
    if (kept === undefined) this.frames.set(name, [frame]);
    else kept.push(frame);
    this.count++;
  }
}

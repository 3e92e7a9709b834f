/**
 * The other end of a feed, for tests on virtual time: an account whose `$JS.API.CONSUMER.` requests are remembered and answered by the test, which then delivers
 * messages, heartbeats and flow control as an origin's consumer would.
 */
import { Account } from "../../../src/accounts/index.ts";
import { InternalLink } from "../../../src/links/internal/index.ts";
import type { EndOfTurn, JetStreamContext } from "../../../src/jetstream/context.ts";
import type { AssetAccount } from "../../../src/jetstream/seams.ts";
import { openMemoryStore } from "../../../src/jetstream/store/index.ts";
import type { Message } from "../../../src/routing/index.ts";
import { Nuid } from "../../../src/util/nuid.ts";
import { VirtualClock } from "../../sim/clock.ts";
import { SeededRandom } from "../../sim/random.ts";

export interface Request {
  readonly atMs: number;
  readonly subject: string;
  readonly reply: string;
  readonly header: string;
  readonly body: string;
}

export interface CreateBody {
  readonly stream_name: string;
  readonly config: {
    readonly name: string;
    readonly deliver_policy: string;
    readonly opt_start_seq?: number;
    readonly opt_start_time?: string;
    readonly filter_subject?: string;
    readonly filter_subjects?: readonly string[];
    readonly deliver_subject: string;
    readonly sourcing?: boolean;
  };
}

/** Header block and payload of a message, as byte strings. */
export function partsOf({ buffer, bodyStart, headerLength, bodyEnd }: Message): { readonly header: string; readonly body: string } {
  return { header: buffer.latin1Slice(bodyStart, bodyStart + headerLength), body: buffer.latin1Slice(bodyStart + headerLength, bodyEnd) };
}

export class Origin {
  readonly random = new SeededRandom(1);
  readonly clock = new VirtualClock(this.random);
  readonly link: InternalLink;
  readonly account: AssetAccount;
  readonly requests: Request[] = [];
  readonly store = openMemoryStore({ events: { onCommitted: () => {}, onFailed: () => {} }, firstSeq: 1 });

  constructor(domain = "") {
    const account = new Account("$G", false);
    const { clock, random } = this;
    const nuid = new Nuid((below) => random.integer(below));
    const context = {
      clock,
      random,
      settings: { domain },
      log: { info: () => {}, warn: () => {} },
      nuid: () => nuid.next(),
      atEndOfTurn: (item: EndOfTurn) => clock.endOfTurn(() => item.flush()),
      afterTurn: (item: EndOfTurn) => clock.endOfTurn(() => item.flush()),
    } as unknown as JetStreamContext;
    this.link = new InternalLink(account, 5, "TEST");
    this.account = { name: "$G", context, link: this.link } as unknown as AssetAccount;
    this.link.subscribe("$JS.API.CONSUMER.>", (message, subject) => {
      this.requests.push({ atMs: clock.monotonicMs(), subject, reply: message.reply(), ...partsOf(message) });
      return true;
    });
  }

  get last(): Request {
    const last = this.requests.at(-1);
    if (last === undefined) throw new Error("nothing was asked for");
    return last;
  }

  get lastBody(): CreateBody {
    return JSON.parse(this.last.body) as CreateBody;
  }

  /** Time passes until the next request comes, at most so long; says how long it took. */
  async nextRequest(withinMs: number): Promise<number> {
    const before = this.requests.length;
    const startMs = this.clock.monotonicMs();
    while (this.requests.length === before) {
      if (this.clock.monotonicMs() - startMs >= withinMs) throw new Error(`no request within ${withinMs} ms`);
      await this.clock.advance(1);
    }
    return this.clock.monotonicMs() - startMs;
  }

  answer(body: unknown, header = ""): void {
    this.link.publish(this.last.reply, "", header, JSON.stringify(body));
  }

  /** Answers that the consumer was made, which has delivered up to `seq` already. */
  accept({ seq = 0, identity = "" } = {}): void {
    const { name, deliver_subject } = this.lastBody.config;
    this.answer(
      { name, config: { name, deliver_subject, ack_policy: "none" }, delivered: { consumer_seq: 0, stream_seq: seq }, num_pending: 0 },
      identity === "" ? "" : `NATS/1.0\r\nNats-Stream-Identity: ${identity}\r\n\r\n`,
    );
  }

  refuse(code: number, errCode: number, description: string): void {
    this.answer({ error: { code, err_code: errCode, description } });
  }

  /** A message of the last consumer, on its original subject. */
  deliver(seq: number, consumerSeq: number, { subject = "o", deliveries = 1, pending = 0, consumer = "" } = {}): void {
    const { config, stream_name } = this.lastBody;
    this.send(config.deliver_subject, subject, `$JS.ACK.${stream_name}.${consumer === "" ? config.name : consumer}.${deliveries}.${seq}.${consumerSeq}.1700000000000000007.${pending}`, "", `m${seq}`);
  }

  send(to: string, subject: string, reply: string, header: string, payload: string): void {
    const bytes = Buffer.from(header + payload, "latin1");
    this.link.forward(this.link.account.interest.findSubject(to), subject, reply, "", bytes, 0, header.length, bytes.length);
  }

  heartbeat(lastConsumer: number, stalled = ""): void {
    const { deliver_subject: to } = this.lastBody.config;
    const extra = stalled === "" ? "" : `Nats-Consumer-Stalled: ${stalled}\r\n`;
    this.send(to, to, "", `NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: ${lastConsumer}\r\nNats-Last-Stream: 0\r\n${extra}\r\n`, "");
  }

  flowControl(reply: string): void {
    const { deliver_subject: to } = this.lastBody.config;
    this.send(to, to, reply, "NATS/1.0 100 FlowControl Request\r\n\r\n", "");
  }

  /** Heartbeats every second while time passes. */
  async quietly(ms: number, lastConsumer: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      this.heartbeat(lastConsumer);
      await this.clock.advance(1000);
    }
  }

  /** Everything published on a subject from now on. */
  listen(subject: string): { readonly header: string; readonly body: string }[] {
    const heard: { readonly header: string; readonly body: string }[] = [];
    this.link.subscribe(subject, (message) => {
      heard.push(partsOf(message));
      return true;
    });
    return heard;
  }
}

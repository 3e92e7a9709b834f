/** A crowd of simulated clients that do random things, and the record of what they did for the model. */
import type { SimClient } from "./client.ts";
import { type Delivered, faults, type ModelSubscription, type Published } from "./model.ts";
import type { Conditions } from "./network.ts";
import type { SeededRandom } from "./random.ts";
import type { SimServer, Simulation } from "./simulation.ts";

const TOKENS = ["a", "b", "cc"];
const PATTERNS = ["a", "a.b", "*.b", "a.*", "a.>", ">", "*", "b.cc", "b.*.a", "*.cc.>"];
const QUEUES = ["", "", "", "red", "blue"];

interface Member {
  readonly number: number;
  readonly client: SimClient;
  readonly echo: boolean;
  readonly subscriptions: ModelSubscription[];
  /** It left or broke off in the present round. */
  gone: boolean;
}

export class Crowd {
  #members: Member[] = [];
  #nextNumber = 0;
  #nextSid = 1;
  #sequence = 0;
  /** Of the present round; subscriptions that went in it included. */
  #subscriptions: ModelSubscription[] = [];
  #published: Published[] = [];

  constructor(
    private readonly simulation: Simulation,
    private readonly server: SimServer,
  ) {}

  get random(): SeededRandom {
    return this.simulation.random;
  }

  get size(): number {
    return this.#members.length;
  }

  async join(): Promise<void> {
    const { random } = this;
    const conditions: Conditions = {
      bufferBytes: random.pick([200, 2000, 20_000, 256_000]),
      delayMaxMs: random.pick([0, 0.1, 2]),
      pieceMax: random.pick([0, 20, 200, 2000]),
    };
    const echo = random.chance(0.8);
    const client = await this.server.client({ echo, verbose: false, headers: random.chance(0.5) }, conditions);
    this.#members.push({ number: this.#nextNumber++, client, echo, subscriptions: [], gone: false });
  }

  /** One member does something that changes interest. `flying`: while messages fly, so that its effect on them is uncertain. */
  changeInterest(flying: boolean): void {
    const member = this.#someone();
    if (member === undefined) return;
    if (member.subscriptions.length > 0 && this.random.chance(0.4)) return this.#unsubscribe(member, flying);
    const queue = this.random.pick(QUEUES);
    const subscription: ModelSubscription = {
      client: member.number, sid: String(this.#nextSid++), subject: this.random.pick(PATTERNS), queue, echo: member.echo, left: undefined, uncertain: flying,
    };
    member.subscriptions.push(subscription);
    this.#subscriptions.push(subscription);
    member.client.send(`SUB ${subscription.subject} ${queue === "" ? "" : `${queue} `}${subscription.sid}\r\n`);
    // Among flying messages some could be delivered before the maximum arrives.
    if (queue !== "" || flying || !this.random.chance(0.3)) return;
    subscription.left = 1 + this.random.integer(5);
    member.client.send(`UNSUB ${subscription.sid} ${subscription.left}\r\n`);
  }

  #unsubscribe(member: Member, flying: boolean): void {
    const [subscription] = member.subscriptions.splice(this.random.integer(member.subscriptions.length), 1);
    member.client.send(`UNSUB ${subscription.sid}\r\n`);
    subscription.uncertain = true;
    if (!flying) this.#subscriptions = this.#subscriptions.filter((each) => each !== subscription);
  }

  /** One member publishes a few messages. */
  publish(): void {
    const member = this.#someone();
    if (member === undefined) return;
    let text = "";
    for (let count = 1 + this.random.integer(6); count > 0; count--) {
      const subject = Array.from({ length: 1 + this.random.integer(3) }, () => this.random.pick(TOKENS)).join(".");
      const sequence = this.#sequence++;
      this.#published.push({ publisher: member.number, sequence, subject, uncertain: false });
      const payload = `${member.number}.${sequence}.${"x".repeat(this.random.chance(0.05) ? this.random.integer(9000) : this.random.integer(30))}`;
      text += `PUB ${subject} ${payload.length}\r\n${payload}\r\n`;
    }
    member.client.send(text);
  }

  /** One member stops reading; `wakeAll` ends that. */
  doze(): void {
    this.#someone()?.client.pause();
  }

  wakeAll(): void {
    for (const member of this.#members) member.client.resume();
  }

  /** One member leaves, or its connection breaks. What it sent and was sent in this round is uncertain from now on. */
  depart(): void {
    const member = this.#someone();
    if (member === undefined) return;
    member.gone = true;
    for (const subscription of member.subscriptions) subscription.uncertain = true;
    for (const message of this.#published) if (message.publisher === member.number) message.uncertain = true;
    const way = this.random.integer(3);
    if (way === 0) member.client.close();
    else if (way === 1) member.client.stream.break();
    else member.client.stream.terminate();
  }

  /** Waits until everything has arrived, and holds the round against the model. */
  async endRound(): Promise<string[]> {
    this.wakeAll();
    // Producers that are held back, and PONGs that prove that everything before them was handled.
    for (const member of this.#members) if (!member.gone) member.client.send("PING\r\n");
    await this.simulation.settle();
    await this.simulation.advance(20);
    await this.simulation.settle();
    const delivered: Delivered[] = [];
    const found: string[] = [];
    for (const member of this.#members) {
      const operations = member.client.operations();
      if (!member.gone && operations.filter((operation) => operation === "PONG").length !== 1) found.push(`client ${member.number} got no PONG`);
      for (const operation of operations) {
        if (operation.startsWith("-ERR")) found.push(`client ${member.number} got ${operation}`);
        const match = /^MSG (\S+) (\d+) \d+ \| (\d+)\.(\d+)\./.exec(operation);
        if (match !== null) delivered.push({ client: member.number, subject: match[1], sid: match[2], publisher: Number(match[3]), sequence: Number(match[4]) });
      }
    }
    found.push(...faults(this.#subscriptions, this.#published, delivered));
    this.#startRound();
    return found;
  }

  #startRound(): void {
    this.#members = this.#members.filter((member) => !member.gone);
    this.#published = [];
    this.#subscriptions = [];
    for (const member of this.#members) {
      for (let at = member.subscriptions.length - 1; at >= 0; at--) {
        if (member.subscriptions[at].left === 0) member.subscriptions.splice(at, 1);
      }
      for (const subscription of member.subscriptions) subscription.uncertain = false;
      this.#subscriptions.push(...member.subscriptions);
    }
  }

  /** Subscriptions that the server should have. */
  get subscriptionCount(): number {
    return this.#members.reduce((sum, member) => sum + member.subscriptions.length, 0);
  }

  #someone(): Member | undefined {
    const here = this.#members.filter((member) => !member.gone);
    return here.length === 0 ? undefined : this.random.pick(here);
  }
}

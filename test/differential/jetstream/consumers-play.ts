/**
 * One server on its way through a session about consumers: sends a step, says when its answer is there, and tells what can be seen: frames per inbox since the
 * step before, consumers, and what the stream holds.
 */
import { poll } from "../../support/deadline.ts";
import type { ServerProcess } from "../../support/server-process.ts";
import { type Frame, SessionClient } from "./consumers-client.ts";
import { Names } from "./consumers-mask.ts";
import { type Op, type Session, STREAM } from "./consumers-session.ts";

/** How long something may take that ends by itself. */
const END_MS = 1500;
/** How long an answer may take before it counts as none. */
const ANSWER_MS = 250;

/** What servers are started with, by name. */
export const VARIANTS = {
  plain: "",
  domain: "domain: D",
  lenient: "strict: false",
  limited: "limits { max_ack_pending: 4, max_request_batch: 3 }",
} as const;
export type Variant = keyof typeof VARIANTS;

/** Each lane is an account. */
export function configOf(variant: Variant): string {
  const limits = variant === "limited" ? "{ max_mem: 64M, max_file: 64M, max_consumers: 3, max_ack_pending: 3 }" : "enabled";
  const lanes = [0, 1, 2, 3].map((lane) => `L${lane} { jetstream: ${limits}, users: [ { user: u${lane}, password: p } ] }`).join("\n");
  return `server_name: pair
listen: "127.0.0.1:-1"
http: "127.0.0.1:-1"
max_payload: 2MB
jetstream { store_dir: "\${dir}/js", ${VARIANTS[variant]} }
${variant === "domain" ? "feature_flags { js_ack_fc_v2: true }" : ""}
accounts {
${lanes}
}
`;
}

/** What can be seen after a step: texts by place. */
export type Seen = Readonly<Record<string, readonly string[]>>;

export class Player {
  readonly #names = new Names();
  readonly #seenCounts = new Map<string, number>();
  readonly #pulls: string[] = [];
  readonly #streamRequests = new Set<string>();
  #hasGroups = false;
  #isPublishing = false;
  #isPassing = false;
  #ops = 0;
  #generated = "none";

  private constructor(readonly client: SessionClient) {}

  static async start(server: ServerProcess, lane: number, session: Session): Promise<Player> {
    const client = await SessionClient.open(server.ports.nats?.port ?? 0, `u${lane}`);
    const player = new Player(client);
    await player.clean();
    await client.ask("$JS.API.STREAM.CREATE.CLOCK", '{"name":"CLOCK","subjects":["clock"],"storage":"memory"}');
    await client.ask("$JS.API.CONSUMER.DURABLE.CREATE.CLOCK.C", '{"stream_name":"CLOCK","config":{"durable_name":"C","ack_policy":"explicit"}}');
    await poll(2000, "a stream", async () => {
      const answer = await client.ask(`$JS.API.STREAM.CREATE.${STREAM}`, JSON.stringify(session.stream));
      // The folder of the session before may not be gone yet.
      if (answer.includes('"err_code":10049')) return undefined;
      if (answer.includes('"error"')) throw new Error(answer);
      return true;
    });
    client.subscribe("advisories", "$JS.EVENT.ADVISORY.CONSUMER.>");
    client.subscribe("metrics", "$JS.EVENT.METRIC.>");
    client.subscribe("audit", "$JS.EVENT.ADVISORY.API");
    await client.sync();
    return player;
  }

  async clean(): Promise<void> {
    await this.client.ask(`$JS.API.STREAM.DELETE.${STREAM}`, "");
    await this.client.ask("$JS.API.STREAM.DELETE.CLOCK", "");
  }

  async stop(): Promise<void> {
    try {
      if (!this.client.isEnded) await this.clean();
    } finally {
      this.client.close();
    }
  }

  #deliveries(): Frame[] {
    const known = [...this.client.frames.entries()].flatMap(([place, frames]) => frames.map((frame) => ({ frame, key: `${this.#names.masked(frame.reply)} ${this.#hasGroups && place.startsWith("sub ") ? "" : place}` })));
    return known.filter(({ frame }) => frame.reply.startsWith("$JS.ACK.")).sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ frame }) => frame);
  }

  #filled(text: string, now: string): string {
    return text.replaceAll("{name}", this.#generated).replaceAll("{pin}", this.#names.pin === "" ? "none" : this.#names.pin).replaceAll("{now}", now);
  }

  /** Sends the step, and waits for its answer or end if it should have one. */
  async send(op: Op, now: string): Promise<void> {
    const { client } = this;
    this.#isPublishing = op.kind === "publish";
    this.#isPassing = op.kind === "pass";
    const place = `${String(++this.#ops).padStart(3, "0")} ${op.kind}`;
    const inbox = `_I.${this.#ops}`;
    const frames = (at: string): readonly Frame[] => client.frames.get(at) ?? [];
    switch (op.kind) {
      case "request": {
        if (op.subject.startsWith("$JS.API.STREAM.")) this.#streamRequests.add(place);
        client.subscribe(place, inbox);
        client.publish(this.#filled(op.subject, now), inbox, op.header, this.#filled(op.body, now));
        await client.until(() => frames(place).length > 0, ANSWER_MS);
        this.#learn(frames(place)[0]?.payload ?? "");
        return;
      }
      case "publish": {
        client.subscribe(place, inbox);
        // One by one: what a stream of limits removes, and when, is another's concern.
        for (const [index, message] of op.messages.entries()) {
          client.publish(message.subject, inbox, message.header, message.payload);
          await client.until(() => frames(place).length > index, ANSWER_MS);
        }
        return;
      }
      case "pull": {
        client.subscribe(place, inbox);
        if (op.max > 0) client.unsubscribe(place, op.max);
        this.#pulls.push(place);
        client.publish(`$JS.API.CONSUMER.MSG.NEXT.${STREAM}.${this.#filled(op.consumer, now)}`, inbox, op.header, this.#filled(op.body, now));
        if (!op.ends) return client.sync();
        await client.until(() => frames(place).some(({ header, payload }) => payload === "" && /^NATS\/1\.0 [45]/.test(header)) || frames(place).filter(({ reply }) => reply !== "").length >= wanted(op.body), END_MS);
        return;
      }
      case "ack": {
        const deliveries = this.#deliveries();
        const target = deliveries[op.pick % Math.max(1, deliveries.length)];
        if (target === undefined) return;
        client.subscribe(place, inbox);
        const tokens = target.reply.split(".");
        // In the longer form of these subjects domain and account stand in front.
        const shift = tokens.length >= 11 ? 2 : 0;
        if (op.edit !== undefined) tokens[op.edit[0] + shift] = op.edit[1];
        client.publish(tokens.join("."), op.replies ? inbox : "", op.header, op.payload);
        await client.sync();
        if (op.replies && op.edit === undefined && !op.payload.startsWith("+NXT")) await client.until(() => frames(place).length > 0, 20);
        return;
      }
      case "raw":
        client.subscribe(place, inbox);
        client.publish(op.subject, inbox, "", op.payload);
        return client.sync();
      case "subscribe":
        client.unsubscribe(op.name);
        client.subscribe(op.name, op.subject, op.group);
        if (op.group !== "") this.#hasGroups = true;
        return client.sync();
      case "unsubscribe":
        client.unsubscribe(op.name);
        return client.sync();
      case "abandon": {
        const pull = this.#pulls.at(-1 - op.pick);
        if (pull !== undefined) client.unsubscribe(pull);
        return client.sync();
      }
      case "flow": {
        const questions = [...client.frames].filter(([at]) => at.startsWith("sub ")).flatMap(([, list]) => list.filter(({ reply }) => reply.startsWith("$JS.FC.")));
        const question = questions.at(-1);
        if (question !== undefined) client.publish(question.reply, "", op.header, "");
        return client.sync();
      }
      case "pass":
        client.subscribe(place, inbox);
        client.publish("$JS.API.CONSUMER.MSG.NEXT.CLOCK.C", inbox, "", `{"expires":${op.milliseconds * 1e6}}`);
        await client.until(() => frames(place).length > 0, op.milliseconds + END_MS);
    }
  }

  /** Remembers names that the server made up. */
  #learn(answer: string): void {
    const match = /consumer_create_response","stream_name":"[^"]*","name":"([^"]*)".*"config":\{(.*)/.exec(answer);
    if (match === null) return;
    const [, name = "", config = ""] = match;
    const isOwn = config.includes(`"name":"${name}"`) && !/-[0-9A-Za-z]{8}$/.test(name);
    if (isOwn) return;
    this.#generated = name;
    this.#names.learn(name, `<name ${this.#ops}>`);
  }

  /** What can be seen since the last call of `next`. */
  async look(): Promise<Seen> {
    const { client } = this;
    await client.sync();
    const list = await client.ask(`$JS.API.CONSUMER.LIST.${STREAM}`, "");
    const { state } = JSON.parse(await client.ask(`$JS.API.STREAM.INFO.${STREAM}`, "")) as { readonly state?: Readonly<Record<string, unknown>> };
    const seen: Record<string, readonly string[]> = {};
    const perConsumer: Record<string, string[]> = {};
    for (const [place, all] of client.frames) {
      const since = all.slice(this.#seenCounts.get(place) ?? 0);
      let fresh = since.map((frame) => this.#names.frame(frame)).filter((text) => text !== undefined);
      // While nothing else happens, all heartbeats are alike.
      if (this.#isPassing) fresh.push(...new Set(since.map((frame) => this.#names.heartbeat(frame)).filter((text) => text !== undefined)));
      // How many messages wait when one is delivered depends on who is quicker.
      if (place.startsWith("sub ") || this.#isPublishing) fresh = fresh.map((text) => text.replace(/(<ts>\.)\d+/, "$1<pending>"));
      if (fresh.length === 0) continue;
      // Answers about streams are compared elsewhere; those of different places come in any order.
      if (place.startsWith("sub ") && !this.#hasGroups) {
        // Consumers that push to the same subject do not wait for each other.
        for (const text of fresh) (perConsumer[`${place} ${/ reply \$JS\.(?:ACK|FC)\.((?:[^.]+\.){2})/.exec(text)?.[1] ?? ""}`] ??= []).push(text);
        continue;
      }
      // Who of a queue group gets a message is chance.
      if (place.startsWith("sub ") && this.#hasGroups) seen["subs"] = [...(seen["subs"] ?? []), ...fresh].sort();
      else seen[place] = this.#streamRequests.has(place) ? ["answered"] : ["advisories", "metrics", "audit"].includes(place) || place.endsWith("publish") ? fresh.sort() : fresh;
    }
    Object.assign(seen, perConsumer);
    seen["consumers"] = this.#names.masked(Buffer.from(list, "latin1").toString("utf8")).split(/(?<=\}),(?=\{"stream_name)|(?<="consumers":\[)|(?=\]\}$)/).sort();
    seen["stream"] = [["messages", "first_seq", "last_seq", "num_deleted", "consumer_count"].map((field) => `${field} ${String(state?.[field])}`).join(" ")];
    return seen;
  }

  /** The step is over: what was seen of it is not shown again. */
  next(): void {
    for (const [place, all] of this.client.frames) this.#seenCounts.set(place, all.length);
  }
}

function wanted(body: string): number {
  return Number((JSON.parse(body) as { readonly batch?: number }).batch ?? 1);
}

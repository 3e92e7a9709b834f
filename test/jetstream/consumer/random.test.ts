/** Random lives of a consumer, on the whole server in virtual time: each delivery and each figure must be that of the plain model. */
import { expect, test } from "bun:test";
import { SeededRandom } from "../../sim/random.ts";
import { StreamWorld } from "../stream/world.ts";
import { ConsumerModel, type ModelConfig, type ModelDelivery, type ModelFigures } from "./model.ts";

const SUBJECTS = ["s.1", "s.2", "s.3"];
const ACK_WAIT_MS = 30_000;
/** After this long what happened is written down. Written times of deliveries are those of the write: so far apart they keep their order. */
const WRITE_MS = 150;
/** After this long a restarted consumer has looked for what is overdue. */
const CHECKED_MS = 2000;
const STEPS = 60;
const ACK_FORMS = ["", "+ACK", "+OK"];

function randomConfig(random: SeededRandom): ModelConfig {
  return {
    policy: random.pick(["none", "all", "explicit", "explicit", "explicit"]),
    filters: random.pick([[], [], ["s.1"], ["s.1", "s.3"]]),
    maxAckPending: random.pick([-1, 3, 10]),
    maxDeliver: random.pick([-1, -1, 1, 3]),
  };
}

class Life {
  readonly random: SeededRandom;
  readonly model: ConsumerModel;
  readonly seen: ModelDelivery[] = [];
  readonly story: string[] = [];
  #pulls = 0;

  constructor(
    readonly world: StreamWorld,
    seed: number,
  ) {
    this.random = new SeededRandom(seed);
    this.model = new ConsumerModel(randomConfig(this.random));
  }

  async begin(): Promise<void> {
    const { policy, filters, maxAckPending, maxDeliver } = this.model.config;
    await this.world.api("STREAM.CREATE.S", { name: "S", subjects: ["s.*"] });
    for (let i = this.random.integer(4); i > 0; i--) await this.publish();
    const config = {
      durable_name: "C",
      ack_policy: policy,
      filter_subjects: filters,
      max_deliver: maxDeliver,
      ...(policy === "none" ? {} : { ack_wait: ACK_WAIT_MS * 1e6, max_ack_pending: maxAckPending }),
    };
    expect(await this.world.api("CONSUMER.CREATE.S.C", { stream_name: "S", config })).not.toHaveProperty("error");
  }

  async publish(): Promise<void> {
    const subject = this.random.pick(SUBJECTS);
    this.model.publish(subject);
    await this.world.request(subject, "x");
  }

  async step(): Promise<void> {
    const { random, model, world } = this;
    const known = this.seen.length > 0 ? random.pick(this.seen) : undefined;
    const choice = random.integer(100);
    this.story.push(String(choice));
    if (choice < 30) await this.publish();
    else if (choice < 60) await this.pull(1 + random.integer(4));
    else if (choice < 75 && known !== undefined) {
      model.acknowledge(known.seq, known.delivery);
      await this.answer(known, random.pick(ACK_FORMS));
    } else if (choice < 80 && known !== undefined) {
      model.acknowledge(known.seq, known.delivery);
      await this.answer(known, "+TERM");
    } else if (choice < 85 && known !== undefined) {
      model.refuse(known.seq, known.delivery);
      await this.answer(known, "-NAK");
    } else if (choice < 87 && known !== undefined) {
      model.progress(known.seq);
      await this.answer(known, "+WPI");
      await world.simulation.advance(WRITE_MS);
    } else if (choice < 90) await this.expire();
    else if (choice < 93) await this.deleteMessage();
    else if (choice < 95) await this.purge();
    else if (choice < 97) {
      await world.restart();
      await world.simulation.advance(CHECKED_MS);
      model.restart();
    }
    expect(await this.figures(), `figures after ${this.story.join(" ")}`).toEqual(model.figures);
  }

  async pull(batch: number): Promise<void> {
    const expected = this.model.pull(batch);
    const inbox = `in.pull.${++this.#pulls}`;
    this.world.client.send(`SUB ${inbox} ${100 + this.#pulls}\r\n`);
    this.world.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", JSON.stringify({ batch, expires: 5_000_000 }), {}, inbox);
    await this.world.simulation.advance(WRITE_MS);
    const got = this.world.client
      .operations()
      .filter((operation) => operation.startsWith("MSG s.") && operation.includes(` ${100 + this.#pulls} `))
      .map(readDelivery);
    expect(got, `deliveries after ${this.story.join(" ")}`).toEqual(expected);
    if (this.model.config.policy !== "none") this.seen.push(...got);
  }

  async answer({ seq, delivery, count }: ModelDelivery, payload: string): Promise<void> {
    await this.world.request(`$JS.ACK.S.C.${count}.${seq}.${delivery}.0.0`, payload);
  }

  async expire(): Promise<void> {
    this.model.expire();
    await this.world.simulation.advance(ACK_WAIT_MS + 2 * WRITE_MS);
  }

  async deleteMessage(): Promise<void> {
    if (this.model.messages.length === 0) return;
    const { seq } = this.random.pick(this.model.messages);
    this.model.deleteMessage(seq);
    await this.world.api("STREAM.MSG.DELETE.S", { seq });
  }

  async purge(): Promise<void> {
    const filter = this.random.chance(0.5) ? this.random.pick(SUBJECTS) : undefined;
    const upTo = filter === undefined && this.random.chance(0.5) ? 1 + this.random.integer(this.model.last + 1) : Number.POSITIVE_INFINITY;
    this.model.purge(filter, upTo);
    await this.world.api("STREAM.PURGE.S", { ...(filter === undefined ? {} : { filter }), ...(Number.isFinite(upTo) ? { seq: upTo } : {}) });
  }

  async figures(): Promise<ModelFigures> {
    const info = (await this.world.api("CONSUMER.INFO.S.C")) as Readonly<Record<string, number>> & {
      readonly delivered: { readonly consumer_seq: number; readonly stream_seq: number };
      readonly ack_floor: { readonly consumer_seq: number; readonly stream_seq: number };
    };
    return {
      delivered: [info.delivered.consumer_seq, info.delivered.stream_seq],
      floor: [info.ack_floor.consumer_seq, info.ack_floor.stream_seq],
      ackPending: info.num_ack_pending,
      redelivered: info.num_redelivered,
      pending: info.num_pending,
    };
  }
}

/** `MSG s.1 5 $JS.ACK.S.C.<count>.<seq>.<delivery>.<time>.<pending> ...`. */
function readDelivery(operation: string): ModelDelivery {
  const numbers = /\$JS\.ACK\.S\.C\.(\d+)\.(\d+)\.(\d+)\.\d+\.(\d+)/.exec(operation);
  if (numbers === null) throw new Error(`no delivery: ${operation}`);
  const [count, seq, delivery, pending] = numbers.slice(1).map(Number);
  return { seq, count, delivery, pending };
}

for (let seed = 1; seed <= 100; seed++) {
  test(`a consumer lives as the model says, seed ${seed}`, async () => {
    const life = new Life(await StreamWorld.start(seed), seed);
    await life.begin();
    for (let step = 0; step < STEPS; step++) await life.step();
  });
}

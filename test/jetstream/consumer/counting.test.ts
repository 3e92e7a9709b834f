/**
 * Large streams: what waits for a consumer is counted, and what it begins with is listed, in steps, while messages come and go; the outcome is the same as if it had
 * been counted at one moment.
 */
import { expect, test } from "bun:test";
import { SeededRandom } from "../../sim/random.ts";
import { StoredMessage } from "../../../src/jetstream/store/index.ts";
import { ConsumerWorld } from "./double.ts";

/** More than twice of what is counted at once. */
const MESSAGES = 250_000;
const MIDDLE = 125_000;
const view = new StoredMessage();

/** A stream of many subjects, and a clock that gives every slice of work one step. */
class World {
  readonly double = new ConsumerWorld();
  readonly random: SeededRandom;
  /** Subjects by sequence, as far as they are there. */
  readonly model = new Map<number, string>();
  #ms = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    Object.assign(this.double.world.clock, { monotonicMs: () => (this.#ms += 10) });
  }

  fill(count: number, subjects: number): void {
    for (let i = 0; i < count; i++) this.publish(`a.${this.random.integer(4)}.${this.random.integer(subjects)}`);
  }

  publish(subject: string): void {
    this.model.set(this.double.publish(subject), subject);
  }

  remove(seq: number): void {
    this.model.delete(seq);
    this.double.remove(seq);
  }

  /** Some messages come, some go. */
  change(subjects: number): void {
    const { lastSeq } = this.double.store.state;
    for (let i = 0; i < 20; i++) {
      this.publish(`a.${this.random.integer(4)}.${this.random.integer(subjects)}`);
      this.remove(1 + this.random.integer(lastSeq));
    }
  }

  matching(test: (subject: string) => boolean, from: number): number {
    let sum = 0;
    for (const [seq, subject] of this.model) if (seq >= from && test(subject)) sum++;
    return sum;
  }
}

const SECOND = (subject: string): boolean => subject.split(".")[1] === "2";
const ENDS_IN_1 = (subject: string): boolean => subject.endsWith(".1");

for (const [name, subjects, filters, matches] of [
  ["wildcards", 20_000, ["a.2.*"], SECOND],
  ["several that overlap", 20_000, ["a.2.*", "a.*.1"], (subject: string) => SECOND(subject) || ENDS_IN_1(subject)],
  ["few subjects", 1000, ["a.2.1", "a.2.2"], (subject: string) => subject === "a.2.1" || subject === "a.2.2"],
] as const) {
  test(`what waits is counted in steps: ${name}`, async () => {
    const world = new World(7);
    const { double } = world;
    world.fill(MESSAGES, subjects);
    const consumer = double.create("c", { filter_subjects: [...filters], deliver_policy: "by_start_sequence", opt_start_seq: MIDDLE });
    expect(consumer.isCounting).toBe(true);
    let turns = 0;
    while (consumer.isCounting) {
      world.change(subjects);
      await double.turns(1);
      turns++;
    }
    expect(turns).toBeGreaterThan(2);
    expect(consumer.numPending).toBe(world.matching(matches, MIDDLE));
    world.change(subjects);
    expect(consumer.numPending).toBe(world.matching(matches, MIDDLE));
  });
}

test("a count that begins anew replaces the one under way", async () => {
  const world = new World(8);
  const { double } = world;
  world.fill(MESSAGES, 20_000);
  const consumer = double.create("c", { filter_subject: "a.2.*", deliver_policy: "by_start_sequence", opt_start_seq: MIDDLE });
  await double.turns(3);
  const counted = consumer.counted;
  consumer.recount();
  world.change(20_000);
  await Promise.all([counted, double.turns(1000)]);
  expect(consumer.isCounting).toBe(false);
  expect(consumer.numPending).toBe(world.matching(SECOND, MIDDLE));
});

test("the last message of each subject is listed in steps", async () => {
  const world = new World(9);
  const { double } = world;
  world.fill(MESSAGES, 20_000);
  const { lastSeq: end } = double.store.state;
  let isMade = false;
  const making = double.createListed("c", { filter_subject: "a.>", deliver_policy: "last_per_subject" }).finally(() => (isMade = true));
  let turns = 0;
  for (; !isMade; turns++) {
    world.change(20_000);
    await double.turns(1);
  }
  expect(turns).toBeGreaterThan(5);
  const consumer = await making;
  while (consumer.isCounting) await double.turns(1);
  // What is there now, and was the last of its subject at the end of the stream of then, or came later.
  const lasts = new Map<string, number>();
  for (const [seq, subject] of world.model) if (seq <= end) lasts.set(subject, Math.max(seq, lasts.get(subject) ?? 0));
  const later = world.matching(() => true, end + 1);
  // A message that became the last one of its subject only meanwhile is listed if the list was not past it yet.
  expect(consumer.numPending - later).toBeLessThanOrEqual(lasts.size);
  expect(consumer.numPending - later).toBeGreaterThan(lasts.size - 20 * turns);
  // And all that is told to wait is delivered, nothing twice, what lasts in order.
  const delivered: number[] = [];
  const told = consumer.numPending;
  for (let seq = consumer.walk.look(view); seq > 0; seq = consumer.walk.look(view)) {
    delivered.push(seq);
    double.deliver(consumer, seq);
  }
  expect(delivered.length).toBe(told);
  expect(delivered).toEqual([...new Set(delivered)].sort((a, b) => a - b));
  const unlisted = delivered.filter((seq) => seq <= end && lasts.get(world.model.get(seq) ?? "") !== seq);
  expect(unlisted).toEqual([]);
});

test("a purge while the list is made has it made anew", async () => {
  const world = new World(10);
  const { double } = world;
  world.fill(MESSAGES, 20_000);
  const making = double.createListed("c", { filter_subject: "a.>", deliver_policy: "last_per_subject" });
  await double.turns(4);
  double.store.compact(200_001);
  for (const _ of double.consumers.purged({ below: 200_001, filter: undefined })) continue;
  await double.turns(1000);
  const consumer = await making;
  const lasts = new Map([...world.model].filter(([seq]) => seq > 200_000).map(([seq, subject]) => [subject, seq]));
  expect(consumer.numPending).toBe(lasts.size);
  expect(consumer.state.next).toBe(Math.min(...lasts.values()));
});

test("nothing is delivered while it is counted, and a request that does not wait is not told that there is nothing", async () => {
  const world = new World(11);
  const { double } = world;
  world.fill(MESSAGES, 20_000);
  const answers: string[] = [];
  double.link.subscribe("answers", (_message, subject) => answers.push(subject) > 0);
  const consumer = double.create("c", { filter_subjects: ["a.2.*", "a.*.1"], deliver_policy: "by_start_sequence", opt_start_seq: MIDDLE });
  consumer.pull?.request('{"batch":1,"no_wait":true}', "answers", undefined);
  while (consumer.isCounting) {
    expect(answers).toEqual([]);
    await double.turns(1);
  }
  await double.turns(10);
  const [first] = [...world.model].filter(([seq, subject]) => seq >= MIDDLE && (SECOND(subject) || ENDS_IN_1(subject))).map(([, subject]) => subject);
  expect(answers).toEqual([first]);
});

test("what is far away is looked for in steps, and those that do not wait are not told before it is found", async () => {
  const world = new World(12);
  const { double } = world;
  world.fill(MESSAGES, 20_000);
  // More than a few subjects, so that messages are looked at one by one.
  for (let i = 0; i < 100; i++) world.publish(`far.away.${i}`);
  const answers: string[] = [];
  double.link.subscribe("answers", (_message, subject) => answers.push(subject) > 0);
  const consumer = double.create("c", { filter_subject: "far.away.*" });
  expect(consumer.numPending).toBe(100);
  consumer.pull?.request('{"batch":2,"no_wait":true}', "answers", undefined);
  let turns = 0;
  for (; answers.length === 0 && turns < 1000; turns++) await double.turns(1);
  expect(turns).toBeGreaterThan(5);
  await double.turns(10);
  expect(answers).toEqual(["far.away.0", "far.away.1"]);
});

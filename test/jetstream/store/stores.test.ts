/** Both stores against an array, under random operations. */
import { describe, test } from "bun:test";
import * as fc from "fast-check";
import type { MessageStore } from "../../../src/jetstream/store/index.ts";
import { expectAnswers, expectMessages, expectState } from "./support/compare.ts";
import { Model } from "./support/model.ts";
import { ALWAYS, given, PLAIN, World } from "./support/world.ts";

const subject = fc.constantFrom("a", "a.b", "a.c", "b.b", "a.b.c", "x.y.c", "b", "b.c.d");

/** Places are fractions of the sequences there are. */
type Operation =
  | { readonly kind: "append"; readonly subject: string; readonly body: number; readonly header: string; readonly marks: number; readonly later: number }
  | { readonly kind: "skip"; readonly by: number }
  | { readonly kind: "remove"; readonly at: number; readonly erase: boolean }
  | { readonly kind: "removeFirst" }
  | { readonly kind: "compact"; readonly at: number }
  | { readonly kind: "clear" | "flush" | "reopen" | "turns" | "work" }
  | { readonly kind: "ask"; readonly at: number };

const append = fc.record({
  kind: fc.constant("append" as const),
  subject,
  body: fc.oneof(fc.nat(200), fc.constant(30_000)),
  header: fc.constantFrom("", "", "NATS/1.0\r\nA: b\r\n\r\n"),
  marks: fc.constantFrom(0, 0, 1, 2),
  later: fc.nat(3),
});
const share = fc.double({ min: -0.1, max: 1.2, noNaN: true });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 40, arbitrary: append },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("skip" as const), by: fc.nat(40) }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("remove" as const), at: share, erase: fc.boolean() }) },
  { weight: 6, arbitrary: fc.constant({ kind: "removeFirst" as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("compact" as const), at: share }) },
  { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
  { weight: 8, arbitrary: fc.constant({ kind: "flush" as const }) },
  { weight: 6, arbitrary: fc.constant({ kind: "work" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "reopen" as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("ask" as const), at: share }) },
);

interface Kind {
  readonly name: string;
  prepare(world: World): void;
  readonly isFile: boolean;
}

const kinds: readonly Kind[] = [
  { name: "memory", isFile: false, prepare: () => undefined },
  { name: "file", isFile: true, prepare: () => undefined },
  { name: "file, always", isFile: true, prepare: (world) => void (world.options = ALWAYS) },
  { name: "file, compressed", isFile: true, prepare: (world) => void (world.options = { ...PLAIN, compression: "s2" }) },
  { name: "file, chacha", isFile: true, prepare: (world) => void (world.encryption = { key: "k", previousKey: "", cipher: "chacha" }) },
  {
    name: "file, aes, compressed",
    isFile: true,
    prepare: (world) => {
      world.options = { ...PLAIN, compression: "s2" };
      world.encryption = { key: "k", previousKey: "", cipher: "aes" };
    },
  },
];

describe("a store", () => {
  for (const kind of kinds) {
    test(`answers as an array does: ${kind.name}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 20, maxLength: 250, size: "max" }), (operations) => run(kind, operations)),
        { seed: 20_261_123, numRuns: 20 },
      );
    }, 120_000);
  }
});

async function run(kind: Kind, operations: readonly Operation[]): Promise<void> {
  const world = new World(7);
  // Small segments: 64 KiB.
  world.maxBytes = 1;
  kind.prepare(world);
  const open = (): MessageStore => (kind.isFile ? world.openFile() : world.openMemory());
  let store = open();
  const model = new Model((s, h, b) => store.sizeOf(s, h, b));
  let seconds = 1;
  let nanos = 0;
  const place = (share: number): number => Math.round((model.messages[0]?.seq ?? 0) + share * (model.lastSeq - (model.messages[0]?.seq ?? 0)));
  for (const one of operations) {
    if (one.kind === "append") {
      nanos += one.later;
      if (nanos > 9) {
        seconds++;
        nanos = 0;
      }
      const message = { subject: one.subject, seconds, nanos, header: one.header, body: `${model.lastSeq}`.padEnd(one.body, "x"), marks: one.marks };
      store.append(given(message));
      model.append(message);
    } else if (one.kind === "skip") {
      const to = model.lastSeq + one.by;
      store.skip(to, seconds, nanos);
      model.skip(to, seconds, nanos);
    } else if (one.kind === "remove" || one.kind === "removeFirst") {
      const seq = one.kind === "remove" ? place(one.at) : model.firstSeq;
      const was = model.messages.find((message) => message.seq === seq);
      const removed = store.remove(seq, one.kind === "remove" && one.erase);
      if ((removed !== undefined) !== model.remove(seq)) throw new Error(`remove ${seq}`);
      if (was !== undefined && (removed?.subject !== was.subject || removed.bytes !== model.sizeOf(was))) throw new Error(`removed ${seq} was another`);
    } else if (one.kind === "compact") {
      const to = place(one.at);
      store.compact(to);
      model.compact(to);
    } else if (one.kind === "clear") {
      store.clear();
      model.messages = [];
    } else if (one.kind === "flush") store.flush();
    else if (one.kind === "work") {
      store.flush();
      await world.turns(30);
    } else if (one.kind === "reopen" && kind.isFile) {
      store.close();
      world.forget();
      store = open();
    } else if (one.kind === "ask") expectAnswers(store, model, [0, place(one.at), model.lastSeq + 1]);
    expectState(store, model);
  }
  expectMessages(store, model);
  expectAnswers(store, model, [0, place(0.3), place(0.7), model.lastSeq]);
  store.flush();
  await world.turns(100);
  expectMessages(store, model);
  if (!kind.isFile) return;
  store.close();
  world.forget();
  store = open();
  expectState(store, model);
  expectAnswers(store, model, [0, place(0.5)]);
  expectMessages(store, model);
  const damage = world.lines.find((line) => /amage|Cut|could not/.test(line));
  if (damage !== undefined) throw new Error(damage);
}

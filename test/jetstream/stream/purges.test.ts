/** Purges take what an array says, in steps that look at a bounded number of messages and subjects. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { type PurgeRequest, Purger } from "../../../src/jetstream/stream/purge.ts";
import type { Stream } from "../../../src/jetstream/stream/index.ts";
import type { Sweep } from "../../../src/jetstream/stream/sweep.ts";
import { subjectMatches } from "../../../src/routing/index.ts";
import { LOOKS_MOST, LookingStore } from "./looking.ts";

/** As much of a stream as purges need; each step of a sweep is followed by `between`. */
class World {
  readonly store = new LookingStore();
  readonly told: { readonly below: number; readonly filter?: string }[] = [];
  mostLooked = 0;
  between = (): void => undefined;
  readonly #purger: Purger;

  constructor() {
    const { store } = this;
    const stream = {
      config: {},
      store,
      sweeps: { run: (_: string, sweep: Sweep) => this.#run(sweep) },
      get lastSeq() {
        return store.state.lastSeq;
      },
      countUsage: () => undefined,
      schedules: { purged: () => undefined },
      consumers: { purged: (told: World["told"][number]) => (this.told.push(told), []) },
      movedTo: () => undefined,
      touch: () => undefined,
    };
    this.#purger = new Purger(stream as unknown as Stream);
  }

  #run(sweep: Sweep): number {
    const { result, mostLooked } = this.store.finish(sweep, () => this.between());
    this.mostLooked = mostLooked;
    return result;
  }

  purge(request: Partial<PurgeRequest>): number | Promise<number> {
    return this.#purger.purge({ filter: undefined, seq: 0, keep: 0, ...request });
  }

  messages(): [number, string][] {
    const found: [number, string][] = [];
    for (let seq = this.store.next([], 0, undefined); seq !== 0; seq = this.store.next([], seq + 1, undefined)) found.push([seq, this.store.subjectOf(seq) ?? ""]);
    return found;
  }
}

const subject = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 }).map((tokens) => tokens.join("."));
const filter = fc.constantFrom(undefined, "a", "a.b", "*", "a.*", "*.b", "a.>", "*.>", "*.*.c", ">", "x.*");

test("what is to go is gone, the rest and what came meanwhile is there", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(subject, fc.integer({ min: 1, max: 30 })), { maxLength: 12 }),
      filter,
      fc.nat(200),
      fc.oneof(fc.constant(0), fc.nat(80)),
      fc.boolean(),
      (runs, filter, seq, keep, isBusy) => {
        const world = new World();
        for (const [subject, times] of runs) for (let i = 0; i < times; i++) world.store.put(subject);
        const before = world.messages();
        let came = 0;
        if (isBusy) {
          // Messages that come are never below the sequence.
          seq = Math.min(seq, before.length + 1);
          world.between = () => void (world.store.put("a.b"), came++);
        }
        const purged = world.purge(keep > 0 ? { filter, keep } : { filter, seq });
        const end = keep > 0 || seq === 0 ? before.length + 1 : seq;
        const matching = before.filter(([seq, subject]) => seq < end && (filter === undefined || subjectMatches(subject, filter)));
        const going = new Set((keep > 0 ? matching.slice(0, Math.max(0, matching.length - keep)) : matching).map(([seq]) => seq));
        expect(purged).toBe(going.size);
        const left = world.messages();
        expect(left.slice(0, before.length - going.size)).toEqual(before.filter(([seq]) => !going.has(seq)));
        expect(left).toHaveLength(before.length - going.size + came);
        for (const told of world.told) expect(told.filter).toBe(filter === ">" ? undefined : filter);
      },
    ),
    { numRuns: 500 },
  );
});

const MESSAGES = 100_000;
const requests: readonly [string, Partial<PurgeRequest>, number][] = [
  ["subjects under one node", { filter: "A.k5.>" }, 1000],
  ["one subject under each of many nodes", { filter: "A.*.77" }, 1],
  ["nothing, under many nodes", { filter: "A.*.*.x" }, 0],
  ["one of many nodes, but the newest", { filter: "A.k6.*", keep: 10 }, 990],
  ["everything, but the newest", { filter: "A.*.*", keep: 90_000 }, 10_000],
  ["nearly everything", { filter: "A.*.*", keep: 10 }, 99_990],
  ["what matches below a sequence", { filter: "*.k7.*", seq: 50_000 }, 500],
];

test.each(requests)("a purge of %s looks at little in each step", (_, request, purged) => {
  const world = new World();
  world.store.fill(MESSAGES);
  expect(world.purge(request)).toBe(purged);
  expect(world.mostLooked).toBeGreaterThan(0);
  expect(world.mostLooked).toBeLessThan(LOOKS_MOST);
});

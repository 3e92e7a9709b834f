/** Going through the subjects of a table in steps, while subjects come and go between them. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { CompiledFilter } from "../../../src/jetstream/store/log/filter.ts";
import { NOT_YET, type SubjectWalk } from "../../../src/jetstream/store/log/subject-walk.ts";
import { SubjectTable } from "../../../src/jetstream/store/log/subjects.ts";
import { subjectMatches } from "../../../src/routing/index.ts";

const TOKENS = ["a", "b", "c"];
const subject = fc.array(fc.constantFrom(...TOKENS), { minLength: 1, maxLength: 3, size: "max" }).map((tokens) => tokens.join("."));
const filter = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "*", "*"), { maxLength: 3 }), fc.constantFrom("", "*", ">", ">"))
  .map(([tokens, last]) => [...tokens, ...(last === "" && tokens.length > 0 ? [] : [last || ">"])].join("."));

type Operation =
  | { readonly kind: "add" | "remove" | "removeAll"; readonly subject: string }
  | { readonly kind: "open"; readonly filter: string }
  | { readonly kind: "step"; readonly walk: number; readonly times: number; readonly most: number }
  | { readonly kind: "close"; readonly walk: number }
  | { readonly kind: "clear" };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant("add" as const), subject }) },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("remove" as const), subject }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("removeAll" as const), subject: fc.constantFrom("a", "b", "c", "a.a", "a.b", "b.a") }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("open" as const), filter }) },
  { weight: 20, arbitrary: fc.record({ kind: fc.constant("step" as const), walk: fc.nat(5), times: fc.integer({ min: 1, max: 4 }), most: fc.constantFrom(1, 2, 1e9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), walk: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
);

/** A walk and what it owes. */
interface Walking {
  readonly filter: string;
  readonly walk: SubjectWalk;
  /** There from the beginning without a break. */
  readonly owed: Set<string>;
  /** Seen, and there ever since. */
  readonly seen: Set<string>;
}

class Model {
  readonly table = new SubjectTable();
  readonly walks: Walking[] = [];
  readonly #messages = new Map<string, number[]>();
  #seq = 0;

  run(operation: Operation): void {
    switch (operation.kind) {
      case "add":
        this.table.add(this.table.intern(operation.subject), ++this.#seq);
        this.#messages.set(operation.subject, [...(this.#messages.get(operation.subject) ?? []), this.#seq]);
        return;
      case "remove":
        return this.#remove(operation.subject);
      case "removeAll":
        for (const subject of [...this.#messages.keys()]) if (subject.startsWith(operation.subject)) while (this.#messages.has(subject)) this.#remove(subject);
        return;
      case "open": {
        const owed = new Set([...this.#messages.keys()].filter((subject) => subjectMatches(subject, operation.filter)));
        this.walks.push({ filter: operation.filter, walk: this.table.walk(new CompiledFilter([operation.filter]).patterns[0]), owed, seen: new Set() });
        return;
      }
      case "step":
        for (let i = 0; i < operation.times && this.walks.length > 0; i++) this.step(operation.walk % this.walks.length, operation.most);
        return;
      case "close":
        for (const { walk } of this.walks.splice(operation.walk, 1)) {
          walk.close();
          expect(walk.next()).toBe(0);
        }
        return;
      case "clear":
        this.table.clear();
        for (const subject of this.#messages.keys()) this.#gone(subject);
        this.#messages.clear();
    }
  }

  #remove(subject: string): void {
    const messages = this.#messages.get(subject);
    if (messages === undefined) return;
    this.table.subtract(this.table.find(subject), messages[0]);
    if (messages.length > 1) this.#messages.set(subject, messages.slice(1));
    else {
      this.#messages.delete(subject);
      this.#gone(subject);
    }
  }

  #gone(subject: string): void {
    for (const { owed, seen } of this.walks) {
      owed.delete(subject);
      seen.delete(subject);
    }
  }

  step(index: number, most: number): void {
    const { filter, walk, owed, seen } = this.walks[index];
    const id = walk.next(most);
    if (id === NOT_YET) return;
    if (id === 0) {
      expect([...owed].filter((subject) => !seen.has(subject))).toEqual([]);
      this.walks.splice(index, 1);
      return;
    }
    const subject = this.table.name(id);
    expect(this.#messages.has(subject)).toBe(true);
    expect(subjectMatches(subject, filter)).toBe(true);
    expect(seen.has(subject)).toBe(false);
    seen.add(subject);
  }

  /** What a pattern matches, counted by the table and here. */
  expectTotal(filter: string): void {
    const matching = [...this.#messages].filter(([subject]) => subjectMatches(subject, filter));
    const messages = matching.reduce((sum, [, { length }]) => sum + length, 0);
    expect(this.table.total(new CompiledFilter([filter]).patterns[0])).toEqual({ messages, subjects: matching.length });
  }
}

test("what is there during the whole walk is seen once, what is gone is not, and totals are right", () => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 20, maxLength: 150, size: "max" }), filter, (operations, counted) => {
      const model = new Model();
      for (const operation of operations) {
        model.run(operation);
        model.expectTotal(counted);
      }
      while (model.walks.length > 0) model.step(0, 3);
    }),
    { numRuns: 300 },
  );
});

test("a walk ends although new subjects come faster than it goes", () => {
  const table = new SubjectTable();
  let seq = 0;
  const add = (name: string): void => table.add(table.intern(name), ++seq);
  for (let i = 0; i < 10; i++) add(`a.${i}.x`);
  const walk = table.walk({ tokens: [">"], isOpen: true });
  let steps = 0;
  for (; walk.next() !== 0; steps++) for (let i = 0; i < 5; i++) add(`a.${i % 2 === 0 ? seq : 3}.${seq}`);
  expect(steps).toBeLessThan(1000);
});

test("steps are bounded where nothing matches", () => {
  const table = new SubjectTable();
  for (let i = 0; i < 1000; i++) table.add(table.intern(`a.${i}`), i + 1);
  const walk = table.walk(new CompiledFilter(["a.*.x"]).patterns[0]);
  let steps = 0;
  while (walk.next(10) === NOT_YET) steps++;
  expect(steps).toBe(100);
});

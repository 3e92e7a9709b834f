/** Subjects of a segment as bytes, against strings. */
import { describe, expect, test } from "bun:test";
import { DictionaryWriter } from "../../../src/jetstream/store/file/dictionary.ts";
import { SubjectTable } from "../../../src/jetstream/store/log/subjects.ts";
import { SeededRandom } from "../../sim/random.ts";
import { namesOf } from "./support/compare.ts";
import { given, PLAIN, World } from "./support/world.ts";

const TOKENS = ["a", "b", "ab", "abc", "x".repeat(300), "\u00e9\u0080", "1"];

function randomSubject(random: SeededRandom): string {
  return Array.from({ length: 1 + random.integer(4) }, () => TOKENS[random.integer(TOKENS.length)]).join(".");
}

describe("a dictionary", () => {
  test("has the names that it was given, by number", () => {
    const random = new SeededRandom(1);
    const writer = new DictionaryWriter();
    const names = Array.from({ length: 500 }, () => randomSubject(random));
    expect(names.map((name) => writer.add(name))).toEqual(names.map((_, i) => i + 1));
    const dictionary = writer.finish();
    expect(names.map((_, i) => dictionary.name(i + 1))).toEqual(names);
  });

  test("says the same numbers of a store's subjects as the store does, whatever was removed and added since", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = new SeededRandom(seed);
      const table = new SubjectTable();
      const writer = new DictionaryWriter();
      const live: string[] = [];
      for (let step = 0; step < 400; step++) {
        if (live.length > 0 && random.integer(3) === 0) {
          const [gone = ""] = live.splice(random.integer(live.length), 1);
          table.subtract(table.find(gone), 0);
          continue;
        }
        const name = `${randomSubject(random)}.${random.integer(100)}`;
        live.push(name);
        const id = table.intern(name);
        table.add(id, step + 1);
        writer.addId(id, table);
        expect(writer.finish().name(writer.count)).toBe(name);
      }
      const dictionary = writer.finish();
      const plain = Array.from({ length: dictionary.count }, (_, i) => table.find(dictionary.name(i + 1)));
      expect([...dictionary.idsIn(table)]).toEqual([0, ...plain]);
    }
  });
});

describe("the index of a full segment of many subjects", () => {
  test("is right when subjects go and their numbers are used again while it is made", async () => {
    const world = new World();
    world.maxBytes = 1;
    world.options = PLAIN;
    // Every slice takes long: one step of a job in each turn.
    let ms = 0;
    world.clock.monotonicMs = () => (ms += 3);
    const store = world.openFile();
    for (let i = 0; i < 2600; i++) store.append(given({ subject: `old.${i}`, seconds: i }));
    store.flush();
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 10; i++) store.remove(1 + round * 40 + i, false);
      for (let i = 0; i < 10; i++) store.append(given({ subject: `new.${round}.${i}` }));
      store.flush();
      await world.turns(1);
    }
    const before = namesOf(store, []).map((subject) => [subject, store.subjectState(subject)]).sort();
    await world.turns(500);
    store.close();
    world.forget();
    expect(world.disk.paths().filter((path) => path.endsWith(".idx")).length).toBeGreaterThan(1);
    const again = world.openFile();
    expect(namesOf(again, []).map((subject) => [subject, again.subjectState(subject)]).sort()).toEqual(before);
    expect(world.lines).toEqual([]);
  });
});

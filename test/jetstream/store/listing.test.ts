/** Pages of sorted subjects, against sorting all of them. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { CompiledFilter } from "../../../src/jetstream/store/log/filter.ts";
import { listSubjects } from "../../../src/jetstream/store/log/listing.ts";
import { SubjectTable } from "../../../src/jetstream/store/log/subjects.ts";
import { subjectMatches } from "../../../src/routing/index.ts";

/** Some sort before the dot, some behind it, some are the beginning of others. */
const token = fc.constantFrom("a", "aa", "a-", "a/", "-", "b", "B", "1", "10", "2", "\xc3\xa9", "*");
const subjects = fc.array(fc.array(token, { minLength: 1, maxLength: 4, size: "max" }).map((tokens) => tokens.join(".")), { maxLength: 300, size: "max" });
const filter = fc
  .tuple(fc.array(fc.constantFrom("a", "a-", "*", "*"), { maxLength: 3 }), fc.constantFrom("*", ">", ">", "a"))
  .map(([tokens, last]) => [...tokens, last].join("."));

function tableOf(subjects: readonly string[]): SubjectTable {
  const table = new SubjectTable();
  subjects.forEach((subject, i) => table.add(table.intern(subject), i + 1));
  return table;
}

/** Works through a list; `pause` is called between its steps. */
function pageOf(table: SubjectTable, filter: string, offset: number, limit: number, pause = (): void => undefined): { readonly total: number; readonly shown: [string, number][]; readonly steps: number } {
  const shown: [string, number][] = [];
  const list = listSubjects(table, new CompiledFilter([filter]).patterns[0], { offset, limit, show: (subject, messages) => void shown.push([subject, messages]) });
  for (let steps = 1; ; steps++) {
    const { done, value } = list.next();
    if (done === true) return { total: value, shown, steps };
    pause();
  }
}

test("a page holds what a sorted list of all would hold there", () => {
  fc.assert(
    fc.property(subjects, filter, fc.nat(40), fc.nat(60), (subjects, filter, offset, limit) => {
      const counts = new Map<string, number>();
      for (const subject of subjects) if (subjectMatches(subject, filter)) counts.set(subject, (counts.get(subject) ?? 0) + 1);
      const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
      const { total, shown } = pageOf(tableOf(subjects), filter, offset, limit);
      expect({ total, shown }).toEqual({ total: sorted.length, shown: sorted.slice(offset, offset + limit) });
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["under one node", (n: number) => `a.${n}`],
  ["under many", (n: number) => `a.${n % 100}.${n}`],
  ["one under each of many", (n: number) => `a.${n}.x`],
])("30,000 subjects %s are listed in many steps", (_, name) => {
  const all = Array.from({ length: 30_000 }, (_, n) => name((n * 7919) % 30_000));
  const table = tableOf(all);
  all.sort();
  for (const [offset, limit] of [[0, 10_000], [11_111, 5_000], [29_990, 100], [30_000, 10], [40_000, 10]]) {
    const { total, shown, steps } = pageOf(table, ">", offset, limit);
    expect(total).toBe(30_000);
    expect(shown.map(([subject]) => subject)).toEqual(all.slice(offset, offset + limit));
    if (offset < 30_000) expect(steps).toBeGreaterThan(limit / 1024);
  }
});

test("what stays while others come and go is listed once", () => {
  const table = new SubjectTable();
  const ids: number[] = [];
  for (let n = 0; n < 20_000; n++) {
    ids.push(table.intern(`a.${n % 50}.${n}`));
    table.add(ids[n], n + 1);
  }
  let gone = 0;
  const { total, shown } = pageOf(table, "a.*.*", 0, 100_000, () => {
    // The odd half goes, while others come with numbers that are free again.
    for (let i = 0; i < 100 && gone < 10_000; i++) table.subtract(ids[2 * gone + 1], 2 * gone++ + 2);
    for (let i = 0; i < 10; i++) table.add(table.intern(`b.${gone}.${i}`), 30_000 + gone);
  });
  expect(gone).toBe(10_000);
  const names = shown.map(([subject]) => subject);
  expect(total).toBe(names.length);
  expect(names).toEqual([...new Set(names)].sort());
  expect(names.filter((name) => name.startsWith("a.") && Number(name.slice(name.lastIndexOf(".") + 1)) % 2 === 0)).toHaveLength(10_000);
});

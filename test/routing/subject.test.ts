/** Questions about subjects: examples of the specification, and the relations that must hold between matching, covering and overlapping. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hasWildcard, isSubsetOf, isValidConfiguredSubject, isValidLiteralSubject, isValidSubject, subjectMatches, subjectsOverlap, tokenCount } from "../../src/routing/subject.ts";

const token = fc.constantFrom("a", "b", "c");
const literal = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const pattern = fc.tuple(fc.array(fc.oneof(token, fc.constant("*")), { minLength: 0, maxLength: 3 }), fc.boolean()).map(([tokens, open]) => [...tokens, ...(open || tokens.length === 0 ? [">"] : [])].join("."));

/** All literals over a small alphabet: large enough to decide relations between the patterns above. */
const literals: string[] = (() => {
  const all: string[] = [];
  const grow = (prefix: string[], left: number): void => {
    if (prefix.length > 0) all.push(prefix.join("."));
    if (left > 0) for (const next of ["a", "b", "c", "z"]) grow([...prefix, next], left - 1);
  };
  grow([], 5);
  return all;
})();

describe("subjects", () => {
  test("validity", () => {
    for (const good of ["a", "a.b", "*", ">", "a.*", "a.>", "*.>", "fo*", "a.b>c", "**", ">>", "$SYS.x"]) expect([good, isValidSubject(good)]).toEqual([good, true]);
    for (const bad of ["", ".", "a.", ".a", "a..b", ">.a", "a.>.b"]) expect([bad, isValidSubject(bad)]).toEqual([bad, false]);
    expect(isValidConfiguredSubject("a b")).toBe(false);
    expect(isValidLiteralSubject("a.*")).toBe(false);
    expect(isValidLiteralSubject("a.x*")).toBe(true);
    expect(hasWildcard("a.*b.>c")).toBe(false);
    expect(tokenCount("a.b.c")).toBe(3);
  });

  test("matching", () => {
    expect(subjectMatches("foo", "foo.>")).toBe(false);
    expect(subjectMatches("foo.bar", "foo.>")).toBe(true);
    expect(subjectMatches("foo.bar", "foo.*")).toBe(true);
    expect(subjectMatches("foo.bar.baz", "foo.*")).toBe(false);
  });

  test("covering means that every literal of the inner pattern matches the outer one", () => {
    fc.assert(
      fc.property(pattern, pattern, (inner, outer) => {
        const covers = literals.every((subject) => !subjectMatches(subject, inner) || subjectMatches(subject, outer));
        expect([inner, outer, isSubsetOf(inner, outer)]).toEqual([inner, outer, covers]);
      }),
      { numRuns: 500 },
    );
  });

  test("overlapping means that some literal matches both", () => {
    fc.assert(
      fc.property(fc.oneof(pattern, literal), fc.oneof(pattern, literal), (a, b) => {
        const overlap = literals.some((subject) => subjectMatches(subject, a) && subjectMatches(subject, b));
        expect([a, b, subjectsOverlap(a, b)]).toEqual([a, b, overlap]);
      }),
      { numRuns: 500 },
    );
  });
});

/** Reply subjects across accounts: whoever knows one can answer, so nobody may tell one from others that he has seen. */
import { expect, test } from "bun:test";
import { ReplyTokens } from "../../src/accounts/exchange/replytokens.ts";
import type { Random } from "../../src/platform/index.ts";
import { SeededRandom } from "../sim/random.ts";

test("all six characters of a request are drawn anew, from the system's randomness alone", () => {
  const seeded = new SeededRandom(1);
  const guessable = (): never => {
    throw new Error("drawn from a generator that can be guessed");
  };
  const random: Random = { integer: guessable, fraction: guessable, bytes: (length) => seeded.bytes(length) };
  const tokens = new ReplyTokens(random);
  const subjects = Array.from({ length: 5000 }, () => tokens.of(tokens.draw()));
  for (const subject of subjects) expect(subject).toMatch(/^_R_\.[0-9A-Za-z]{6}\.[0-9A-Za-z]{6}$/);
  expect(new Set(subjects).size).toBe(subjects.length);
  for (const first of [0, 1, 62 ** 3 - 1]) expect(tokens.firstOf(tokens.of(first))).toBe(first);
  for (const other of ["", "_R_", tokens.prefix, `${tokens.prefix}12345`, `${tokens.prefix}1-3456`]) expect(tokens.firstOf(other)).toBe(-1);
  for (let at = 0; at < 6; at++) {
    const column = subjects.map((subject) => subject.charAt(tokens.prefix.length + at));
    expect(new Set(column).size).toBe(62);
    // A character that followed from the one before would be the same, or the next, far more often.
    const alike = column.filter((character, i) => i > 0 && character === column[i - 1]).length;
    expect(alike).toBeLessThan(subjects.length / 20);
  }
});

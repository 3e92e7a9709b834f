/** Every configuration of the corpus gets its verdict: texts, places and digests are an interface that people and tools rely on. */
import { expect, test } from "bun:test";
import { CORPUS } from "./corpus.ts";
import { check } from "./fakes.ts";

test.each(CORPUS.map(([text, verdict]) => [JSON.stringify(text), text, verdict]))("%s", (_shown, text, verdict) => {
  expect(check(text)).toBe(verdict);
});

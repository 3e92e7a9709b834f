/** JSON in steps is the JSON that is made at once. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { encodeInSteps, JsonPieces, quoteInSteps } from "../../../src/jetstream/json/index.ts";
import { finishNow } from "../../../src/jetstream/slices.ts";
import { encodeJson } from "../../../src/protocol/index.ts";

const text = fc.string({ unit: fc.constantFrom("a", '"', "\\", "<", "&", "\u2028", "é", "\u{1F600}", "\n", "\x01") });
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, text, fc.integer(), fc.boolean(), fc.constant(null), fc.constant(undefined), fc.array(tie("value")), fc.dictionary(text, tie("value"))),
}));

test("any value, and any value as a string within another", () => {
  fc.assert(
    fc.property(fc.dictionary(text, value), (value) => {
      const pieces = finishNow(encodeInSteps(value));
      expect(pieces.bytes().toString()).toBe(encodeJson(value));
      const within = finishNow(encodeInSteps({ response: finishNow(quoteInSteps(pieces)) }));
      expect(within.bytes().toString()).toBe(encodeJson({ response: encodeJson(value) }));
    }),
  );
});

test("long ones are made in many steps, of pieces within others", () => {
  const list = new JsonPieces();
  const numbers = Array.from({ length: 100_000 }, (_, i) => i);
  numbers.forEach((number, i) => list.add(`${i === 0 ? "[" : ","}${number}`));
  list.add("]");
  const value = (numbers: unknown) => ({ before: "é", numbers, after: [1, 2] });
  const work = encodeInSteps(value(numbers));
  let steps = 0;
  let step = work.next();
  for (; step.done !== true; step = work.next()) steps++;
  expect(steps).toBeGreaterThan(30);
  expect(step.value.bytes().toString()).toBe(encodeJson(value(numbers)));
  expect(finishNow(encodeInSteps(value(list.end()))).bytes().toString()).toBe(encodeJson(value(numbers)));
});

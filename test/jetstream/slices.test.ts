/** Long work takes turns with everything else. */
import { expect, test } from "bun:test";
import type { EndOfTurn } from "../../src/jetstream/context.ts";
import { finishNow, inSlices, type Sliced } from "../../src/jetstream/slices.ts";

/** Every look at the clock takes a millisecond. */
function world() {
  const items: EndOfTurn[] = [];
  let nowMs = 0;
  return { items, clock: { monotonicMs: () => ++nowMs } as never, afterTurn: (item: EndOfTurn) => void items.push(item) };
}

function* counting(to: number, then?: Error): Sliced<number> {
  for (let at = 0; at < to; at++) yield;
  if (then !== undefined) throw then;
  return to;
}

test("what is short is done in its first slice", async () => {
  const { items, ...context } = world();
  expect(await inSlices(context, counting(3))).toBe(3);
  expect(items).toHaveLength(0);
});

test("what is long goes on in later turns", async () => {
  const { items, ...context } = world();
  const result = inSlices(context, counting(100));
  let turns = 0;
  for (let item = items.shift(); item !== undefined; item = items.shift(), turns++) item.flush();
  expect(await result).toBe(100);
  expect(turns).toBeGreaterThan(10);
});

test("a failure in any slice is the failure of the whole", async () => {
  const { items, ...context } = world();
  const result = inSlices(context, counting(20, new Error("no")));
  for (let item = items.shift(); item !== undefined; item = items.shift()) item.flush();
  expect(result).rejects.toThrow("no");
  expect(() => finishNow(counting(2, new Error("no")))).toThrow("no");
});

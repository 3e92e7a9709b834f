/** The end of a turn: everything dirty is flushed once, and a defect in one flush costs nobody else theirs. */
import { expect, test } from "bun:test";
import { Turn } from "../../src/links/index.ts";

function manualClock(): { run: () => void; clock: ConstructorParameters<typeof Turn>[0] } {
  const due: (() => void)[] = [];
  const clock = { endOfTurn: (action: () => void) => void due.push(action), monotonicMs: () => 0 } as unknown as ConstructorParameters<typeof Turn>[0];
  return { clock, run: () => due.shift()?.() };
}

test("each item is flushed once per turn, in order", () => {
  const { clock, run } = manualClock();
  const turn = new Turn(clock);
  const flushed: string[] = [];
  turn.add({ flush: () => flushed.push("a") });
  turn.add({ flush: () => flushed.push("b") });
  run();
  run();
  expect(flushed).toEqual(["a", "b"]);
});

test("what is added while flushing waits for the next turn", () => {
  const { clock, run } = manualClock();
  const turn = new Turn(clock);
  const flushed: string[] = [];
  turn.add({ flush: () => turn.add({ flush: () => flushed.push("later") }) });
  run();
  expect(flushed).toEqual([]);
  run();
  expect(flushed).toEqual(["later"]);
});

test("an exception is not swallowed, and the others still go out", () => {
  const { clock, run } = manualClock();
  const turn = new Turn(clock);
  const flushed: string[] = [];
  turn.add({ flush: () => flushed.push("first") });
  turn.add({
    flush: () => {
      throw new Error("defect");
    },
  });
  turn.add({ flush: () => flushed.push("last") });
  expect(run).toThrow("defect");
  run();
  expect(flushed).toEqual(["first", "last"]);
});

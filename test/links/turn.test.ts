/** The end of a turn: everything dirty is flushed once, and a defect in one flush costs nobody else theirs. */
import { expect, test } from "bun:test";
import { Turn } from "../../src/links/index.ts";

function manualClock(): { run: () => void; pass: (ms: number) => void; clock: ConstructorParameters<typeof Turn>[0] } {
  const due: (() => void)[] = [];
  let nowMs = 0;
  const clock = { endOfTurn: (action: () => void) => void due.push(action), monotonicMs: () => nowMs } as unknown as ConstructorParameters<typeof Turn>[0];
  return { clock, run: () => due.shift()?.(), pass: (ms) => void (nowMs += ms) };
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

/** Items that take `ms` each and write their names down. */
function slow(name: string, ms: number, pass: (ms: number) => void, flushed: string[]): { flush(): void } {
  return {
    flush: () => {
      pass(ms);
      flushed.push(name);
    },
  };
}

test("storage comes before links, work that nobody waits for after them", () => {
  const { clock, run, pass } = manualClock();
  const turn = new Turn(clock);
  const flushed: string[] = [];
  turn.addBeside(slow("beside", 0, pass, flushed));
  turn.add(slow("link", 0, pass, flushed));
  turn.addStorage(slow("storage", 0, pass, flushed));
  run();
  expect(flushed).toEqual(["storage", "link", "beside"]);
});

test("storage that takes long leaves the rest to the next turns, in order, and links are flushed in each", () => {
  const { clock, run, pass } = manualClock();
  const turn = new Turn(clock);
  const flushed: string[] = [];
  for (const name of ["a", "b", "c"]) turn.addStorage(slow(name, 5, pass, flushed));
  turn.add(slow("link", 0, pass, flushed));
  run();
  expect(flushed).toEqual(["a", "b", "link"]);
  turn.addStorage(slow("d", 5, pass, flushed));
  run();
  expect(flushed).toEqual(["a", "b", "link", "c", "d"]);
});

test("a hundred pieces of work beside take turns, and one that comes again waits until all others had theirs", () => {
  const { clock, run, pass } = manualClock();
  const turn = new Turn(clock);
  const flushed: string[] = [];
  const again = {
    flush: () => {
      pass(3);
      flushed.push("again");
      if (flushed.length < 100) turn.addBeside(again);
    },
  };
  turn.addBeside(again);
  for (let i = 0; i < 98; i++) turn.addBeside(slow(`${i}`, 3, pass, flushed));
  let longest = 0;
  for (let turns = 0; flushed.length < 100 && turns < 100; turns++) {
    const before = clock.monotonicMs();
    run();
    longest = Math.max(longest, clock.monotonicMs() - before);
  }
  expect(longest).toBe(6);
  expect(flushed).toEqual(["again", ...Array.from({ length: 98 }, (_, i) => `${i}`), "again"]);
});

test("a defect in storage or beside costs the others nothing", () => {
  for (const add of ["addStorage", "addBeside"] as const) {
    const { clock, run, pass } = manualClock();
    const turn = new Turn(clock);
    const flushed: string[] = [];
    turn[add]({
      flush: () => {
        throw new Error("defect");
      },
    });
    turn[add](slow("other", 0, pass, flushed));
    expect(run).toThrow("defect");
    run();
    expect(flushed).toEqual(["other"]);
  }
});

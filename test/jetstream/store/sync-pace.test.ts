/** When the loop may wait for the device: only while that has been quick. */
import { expect, test } from "bun:test";
import { MeasuredPace } from "../../../src/jetstream/store/index.ts";
import { VirtualClock } from "../../sim/clock.ts";
import { SeededRandom } from "../../sim/random.ts";

const SMALL_BYTES = 200;

function paceOn(clock: VirtualClock, quickSyncs: number): MeasuredPace {
  const pace = new MeasuredPace(clock);
  for (let i = 0; i < quickSyncs; i++) pace.took(0.2, false);
  return pace;
}

const newClock = (): VirtualClock => new VirtualClock(new SeededRandom(1));

test("a device is not waited for before it was seen to be quick", () => {
  expect(paceOn(newClock(), 15).mayWait(SMALL_BYTES)).toBeFalse();
  expect(paceOn(newClock(), 16).mayWait(SMALL_BYTES)).toBeTrue();
});

test("much is never waited for", () => {
  expect(paceOn(newClock(), 100).mayWait(1024 * 1024)).toBeFalse();
});

test("after a slow sync it has to be quick for as long as that was slow", async () => {
  const clock = newClock();
  const pace = paceOn(clock, 16);
  pace.took(30, true);
  await clock.advance(1000);
  for (let i = 0; i < 30 * 16; i++) {
    expect(pace.mayWait(SMALL_BYTES)).toBeFalse();
    pace.took(0.2, false);
  }
  expect(pace.mayWait(SMALL_BYTES)).toBeTrue();
});

test("a slow asynchronous sync counts, too", () => {
  const pace = paceOn(newClock(), 16);
  pace.took(2, false);
  expect(pace.mayWait(SMALL_BYTES)).toBeFalse();
});

test("many syncs in one go are waited for until they hold the loop, and again after a while", async () => {
  const clock = newClock();
  const pace = paceOn(clock, 16);
  let waited = 0;
  for (; pace.mayWait(SMALL_BYTES); waited++) pace.took(0.5, true);
  expect(waited).toBe(8);
  await clock.advance(0.5);
  expect(pace.mayWait(SMALL_BYTES)).toBeTrue();
});

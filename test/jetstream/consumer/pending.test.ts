/** Pending messages against a plain map: whatever comes and goes, in whatever order. */
import { expect, test } from "bun:test";
import { PendingMessages } from "../../../src/jetstream/consumer/pending.ts";
import { SeededRandom } from "../../sim/random.ts";

interface Plain {
  readonly delivery: number;
  atMs: number;
}

function expectSame(pending: PendingMessages, plain: ReadonlyMap<number, Plain>): void {
  const seqs = [...plain.keys()].sort((a, b) => a - b);
  const chained: number[] = [];
  for (let slot = pending.head; slot >= 0; slot = pending.after(slot)) chained.push(pending.seqAt(slot));
  expect(chained).toEqual(seqs);
  expect([pending.size, pending.firstSeq, pending.lastSeq]).toEqual([seqs.length, seqs[0] ?? 0, seqs.at(-1) ?? 0]);
  for (const [seq, { delivery, atMs }] of plain) expect([pending.deliveryOf(seq), pending.timeOf(seq)]).toEqual([delivery, atMs]);
}

for (const [name, step] of [["close together", 1], ["a partition of many", 1024], ["beyond 32 bits", 2 ** 32]] as const) {
  test(`pending messages are those of a map: sequences ${name}`, () => {
    const random = new SeededRandom(step % 1000);
    const pending = new PendingMessages();
    const plain = new Map<number, Plain>();
    let next = 1;
    for (let round = 0; round < 60; round++) {
      const target = random.integer(4) === 0 ? 0 : random.integer(3000);
      while (plain.size < target) {
        const seq = next++ * step;
        pending.add(seq, next, round);
        plain.set(seq, { delivery: next, atMs: round });
      }
      for (const [seq, one] of plain) {
        if (plain.size > target || random.integer(3) === 0) {
          expect(pending.remove(seq)).toBeTrue();
          plain.delete(seq);
        } else if (random.integer(3) === 0) {
          pending.touch(seq, round + 0.5);
          one.atMs = round + 0.5;
        }
      }
      const gone = (next + 1) * step;
      expect([pending.has(gone), pending.remove(gone), pending.deliveryOf(gone), pending.timeOf(gone)]).toEqual([false, false, 0, 0]);
      expectSame(pending, plain);
      if (random.integer(10) === 0) {
        pending.clear();
        plain.clear();
      }
    }
  });
}

/** Queue groups: one member each, drawn evenly, and the next one when that one cannot. */
import { describe, expect, test } from "bun:test";
import { distribute, seedDistribution } from "../../src/routing/distribute.ts";
import { internalMessage } from "../../src/links/client/noresponders.ts";
import { Delivery, type Subscriber, Subscription } from "../../src/routing/subscription.ts";

class Counter implements Subscriber {
  taken = 0;
  asked = 0;
  constructor(private readonly answer: Delivery = Delivery.Delivered) {}
  deliver(): Delivery {
    this.asked++;
    if (this.answer === Delivery.Delivered) this.taken++;
    return this.answer;
  }
  judge(): Delivery {
    return this.answer;
  }
  describe(): { kind: number; cid: number } {
    return { kind: 0, cid: 1 };
  }
}

const message = internalMessage("s", undefined, "", "x");
const seen = { subject: "s", bytes: Buffer.from("s") };
const members = (...owners: Counter[]): Subscription[] => owners.map((owner, index) => new Subscription(owner, "s", "q", String(index)));

describe("queue groups", () => {
  test("members are drawn evenly (chi squared, five seeds)", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      seedDistribution(seed * 7919);
      const owners = Array.from({ length: 7 }, () => new Counter());
      const result = { plain: [], queues: [members(...owners)] };
      const messages = 70_000;
      for (let i = 0; i < messages; i++) expect(distribute(result, message, seen, undefined)).toBe(1);
      const expected = messages / owners.length;
      const chiSquared = owners.reduce((sum, owner) => sum + (owner.taken - expected) ** 2 / expected, 0);
      // 6 degrees of freedom: above 27.9 once in ten thousand.
      expect(chiSquared).toBeLessThan(27.9);
    }
  });

  test("a member that cannot take it is passed over, each is asked once", () => {
    const dead = [new Counter(Delivery.NoEcho), new Counter(Delivery.SubscriberClosed), new Counter(Delivery.Denied)];
    const alive = new Counter();
    expect(distribute({ plain: [], queues: [members(...dead, alive)] }, message, seen, undefined)).toBe(1);
    expect(alive.taken).toBe(1);
    expect(dead.every((owner) => owner.asked <= 1)).toBe(true);
    expect(distribute({ plain: [], queues: [members(...dead)] }, message, seen, undefined)).toBe(0);
  });

  test("every group gets one, every plain subscription its own", () => {
    const plain = [new Counter(), new Counter()];
    const groups = [[new Counter(), new Counter()], [new Counter()]];
    const result = { plain: plain.map((owner) => new Subscription(owner, "s", "", "1")), queues: groups.map((owners) => members(...owners)) };
    expect(distribute(result, message, seen, undefined)).toBe(4);
    expect(groups.map((owners) => owners.reduce((sum, owner) => sum + owner.taken, 0))).toEqual([1, 1]);
  });
});

/** `matchReply` remembers; it must say what `match` says, whatever comes and goes in between. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Delivery, Interest, type MatchResult, type Subscriber, Subscription } from "../../src/routing/index.ts";

const owner: Subscriber = { deliver: () => Delivery.Delivered, judge: () => Delivery.Delivered, describe: () => ({ kind: 0, cid: 1 }) };

function sids({ plain, queues }: MatchResult): unknown {
  return [plain.map(({ sid }) => sid).sort(), queues.map((members) => members.map(({ sid }) => sid).sort()).sort()];
}

const token = fc.constantFrom("a", "b", "_INBOX");
const pattern = fc.array(fc.oneof({ weight: 3, arbitrary: token }, { weight: 1, arbitrary: fc.constantFrom("*", ">") }), { minLength: 1, maxLength: 4 }).map((tokens) => {
  const rest = tokens.indexOf(">");
  return (rest < 0 ? tokens : tokens.slice(0, rest + 1)).join(".");
});
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("ask" as const), subject: fc.oneof(subject, subject.map((text) => `${text}.`)) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("subscribe" as const), subject: pattern, queue: fc.constantFrom("", "", "q") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unsubscribe" as const), index: fc.nat(20) }) },
);

test("matchReply agrees with match", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const interest = new Interest();
      const live: Subscription[] = [];
      let made = 0;
      for (const each of steps) {
        if (each.kind === "subscribe") {
          const subscription = new Subscription(owner, each.subject, each.queue, String(++made));
          interest.insert(subscription);
          live.push(subscription);
        } else if (each.kind === "unsubscribe") {
          for (const subscription of live.splice(each.index, 1)) interest.remove(subscription);
        } else expect(sids(interest.matchReply(each.subject))).toEqual(sids(interest.match(each.subject)));
      }
    }),
    { numRuns: 500 },
  );
});

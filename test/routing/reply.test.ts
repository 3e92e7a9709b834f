/** `matchReply` and `findOnce` remember; they must say what `match` says, whatever comes and goes in between. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Delivery, Interest, type MatchResult, type Subscriber, Subscription } from "../../src/routing/index.ts";
import { hashSubject } from "../../src/routing/interest.ts";

const owner: Subscriber = { deliver: () => Delivery.Delivered, judge: () => Delivery.Delivered, describe: () => ({ kind: 0, cid: 1 }) };

function sids({ plain, queues }: MatchResult): unknown {
  return [plain.map(({ sid }) => sid).sort(), queues.map((members) => members.map(({ sid }) => sid).sort()).sort()];
}

const token = fc.constantFrom("a", "b", "_INBOX");
const patternOf = (tokensMax: number): fc.Arbitrary<string> => fc.array(fc.oneof({ weight: 3, arbitrary: token }, { weight: 1, arbitrary: fc.constantFrom("*", ">") }), { minLength: 1, maxLength: tokensMax }).map((tokens) => {
  const rest = tokens.indexOf(">");
  return (rest < 0 ? tokens : tokens.slice(0, rest + 1)).join(".");
});
const subjectOf = (tokensMax: number): fc.Arbitrary<string> => fc.array(token, { minLength: 1, maxLength: tokensMax }).map((tokens) => tokens.join("."));
type Step = { readonly kind: "ask"; readonly subject: string } | { readonly kind: "subscribe"; readonly subject: string; readonly queue: string } | { readonly kind: "unsubscribe"; readonly index: number };
const stepOf = (tokensMax: number): fc.Arbitrary<Step> => fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("ask" as const), subject: fc.oneof(subjectOf(tokensMax), subjectOf(tokensMax).map((text) => `${text}.`), subjectOf(tokensMax).map((text) => text.replace(/[.]b$/, "..b"))) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("subscribe" as const), subject: patternOf(tokensMax), queue: fc.constantFrom("", "", "q") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unsubscribe" as const), index: fc.nat(20) }) },
);

function agrees(steps: readonly Step[], ask: (interest: Interest, subject: string) => MatchResult): void {
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
    } else expect(sids(ask(interest, each.subject))).toEqual(sids(interest.match(each.subject)));
  }
}

test("matchReply agrees with match", () => {
  fc.assert(
    fc.property(fc.array(stepOf(4), { maxLength: 60 }), (steps) => agrees(steps, (interest, subject) => interest.matchReply(subject))),
    { numRuns: 500 },
  );
});

test("findOnce agrees with match", () => {
  fc.assert(
    fc.property(fc.array(stepOf(7), { maxLength: 60 }), (steps) =>
      agrees(steps, (interest, subject) => {
        const bytes = Buffer.from(`PUB ${subject} 0`, "latin1");
        return interest.findOnce(bytes, 4, 4 + subject.length, hashSubject(subject)).result;
      }),
    ),
    { numRuns: 1000 },
  );
});

/** The subscription trie and its cache against a naive matcher, under random subscriptions, removals and publishes. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hashSubject, Interest } from "../../src/routing/interest.ts";
import { Delivery, type Subscriber, Subscription } from "../../src/routing/subscription.ts";

const nobody: Subscriber = { deliver: () => Delivery.Delivered, judge: () => Delivery.Delivered, describe: () => ({ kind: 0, cid: 1 }) };

/** The definition of matching, without any cleverness. */
function naiveMatches(subject: string, pattern: string): boolean {
  const tokens = subject.split(".");
  const patternTokens = pattern.split(".");
  for (const [index, wanted] of patternTokens.entries()) {
    if (wanted === ">" && index === patternTokens.length - 1) return tokens.length > index;
    if (index >= tokens.length) return false;
    if (wanted !== "*" && wanted !== tokens[index]) return false;
  }
  return tokens.length === patternTokens.length;
}

const token = fc.constantFrom("a", "b", "c", "ab", "a*", "*b", "é");
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant("*")), { minLength: 0, maxLength: 4 }), fc.boolean())
  .map(([tokens, open]) => [...tokens, ...(open || tokens.length === 0 ? [">"] : [])].join("."));
const queue = fc.constantFrom("", "", "q1", "q2");

type Step = { readonly do: "subscribe"; readonly pattern: string; readonly queue: string } | { readonly do: "remove"; readonly index: number } | { readonly do: "publish"; readonly subject: string };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("subscribe" as const), pattern: fc.oneof(pattern, subject), queue }),
  fc.record({ do: fc.constant("remove" as const), index: fc.nat(100) }),
  fc.record({ do: fc.constant("publish" as const), subject }),
);

function sorted(subscriptions: Iterable<Subscription>): string[] {
  return [...subscriptions].map((subscription) => subscription.sid).sort();
}

describe("interest", () => {
  for (const slots of [0, 64, 16_384]) {
    test(`agrees with a naive matcher (cache of ${slots})`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
          const interest = new Interest(slots);
          const present: Subscription[] = [];
          let sid = 0;
          for (const each of steps) {
            if (each.do === "subscribe") {
              const subscription = new Subscription(nobody, each.pattern, each.queue, String(++sid));
              present.push(subscription);
              interest.insert(subscription);
            } else if (each.do === "remove") {
              if (present.length === 0) continue;
              const [gone] = present.splice(each.index % present.length, 1);
              expect(interest.remove(gone)).toBe(true);
              expect(interest.remove(gone)).toBe(false);
            } else {
              const bytes = Buffer.from(`xx${each.subject}yy`, "latin1");
              const { result } = interest.find(bytes, 2, bytes.length - 2, hashSubject(each.subject));
              const matching = present.filter((subscription) => naiveMatches(each.subject, subscription.subject));
              expect(sorted(result.plain)).toEqual(sorted(matching.filter((subscription) => subscription.queue === "")));
              const groups = new Map<string, Subscription[]>();
              for (const subscription of matching.filter((one) => one.queue !== "")) groups.set(subscription.queue, [...(groups.get(subscription.queue) ?? []), subscription]);
              expect(result.queues.map(sorted).sort()).toEqual([...groups.values()].map(sorted).sort());
            }
            expect(interest.size).toBe(present.length);
          }
          expect(sorted(interest.all())).toEqual(sorted(present));
        }),
        { numRuns: 400 },
      );
    });
  }

  test("a subject with an empty token matches nothing, not even `>`", () => {
    const interest = new Interest();
    interest.insert(new Subscription(nobody, ">", "", "1"));
    for (const odd of ["", ".a", "a.", "a..b", "."]) expect(interest.findSubject(odd).result.plain).toEqual([]);
    expect(interest.findSubject("a").result.plain).toHaveLength(1);
  });

  test("the cache stays within its bound and is dropped where it must be", () => {
    const interest = new Interest(256);
    interest.insert(new Subscription(nobody, "a.*", "", "1"));
    for (let i = 0; i < 10_000; i++) interest.findSubject(`a.${i}`);
    expect(interest.stats().numCache).toBeLessThanOrEqual(256);
    const literal = new Subscription(nobody, "a.9999", "", "2");
    interest.insert(literal);
    expect(interest.findSubject("a.9999").result.plain).toHaveLength(2);
    interest.remove(literal);
    expect(interest.findSubject("a.9999").result.plain).toHaveLength(1);
  });
});

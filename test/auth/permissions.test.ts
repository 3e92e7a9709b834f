/** What a connection may do: the rules of the specification, one by one. */
import { describe, expect, test } from "bun:test";
import { Permissions } from "../../src/auth/index.ts";
import type { PermissionOptions } from "../../src/config/options.ts";

function permissions(options: PermissionOptions, now: { ms: number } = { ms: 0 }): Permissions {
  return new Permissions(options, () => now.ms);
}

describe("publishing", () => {
  test("without lists everything is allowed", () => {
    expect(permissions({}).canPublish("any.thing")).toBe(true);
  });

  test("an allow list must match, an empty one allows nothing, and deny wins", () => {
    const both = permissions({ publish: { allow: ["a.>"], deny: ["a.secret.*"] } });
    expect(["a.b", "b", "a.secret.x", "a.secret"].map((subject) => both.canPublish(subject))).toEqual([true, false, false, true]);
    expect(permissions({ publish: { allow: [] } }).canPublish("a")).toBe(false);
  });

  test("a wildcard subject is judged as a literal", () => {
    expect(permissions({ publish: { allow: ["foo.bar"] } }).canPublish("foo.*")).toBe(false);
    expect(permissions({ publish: { allow: ["foo.*"] } }).canPublish("foo.*")).toBe(true);
  });

  test("verdicts stay right when the cache starts over", () => {
    const some = permissions({ publish: { allow: ["ok.*"] } });
    for (let round = 0; round < 2; round++) for (let i = 0; i < 1000; i++) expect([some.canPublish(`ok.${i}`), some.canPublish(`no.${i}`)]).toEqual([true, false]);
  });
});

describe("subscribing", () => {
  test("a subscription must be covered by an allow entry", () => {
    const some = permissions({ subscribe: { allow: ["foo.*", "bar.>"] } });
    expect(["foo.a", "foo.*", "foo.>", "bar.>", "bar.a.*", ">"].map((subject) => some.canSubscribe(subject, ""))).toEqual([true, true, false, true, true, false]);
  });

  test("queue entries: alone they bind to their queue, beside a plain one they decide for queues", () => {
    const only = permissions({ subscribe: { allow: ["foo v1"] } });
    expect([only.canSubscribe("foo", ""), only.canSubscribe("foo", "v1"), only.canSubscribe("foo", "v2")]).toEqual([false, true, false]);
    const plain = permissions({ subscribe: { allow: ["foo"] } });
    expect([plain.canSubscribe("foo", ""), plain.canSubscribe("foo", "any")]).toEqual([true, true]);
    const both = permissions({ subscribe: { allow: ["foo", "foo v1"] } });
    expect([both.canSubscribe("foo", ""), both.canSubscribe("foo", "v1"), both.canSubscribe("foo", "v2")]).toEqual([true, true, false]);
    const pattern = permissions({ subscribe: { allow: ["foo v1.*"] } });
    expect([pattern.canSubscribe("foo", "v1.a"), pattern.canSubscribe("foo", "v2.a")]).toEqual([true, false]);
  });

  test("a deny entry refuses what it covers, and filters what merely overlaps", () => {
    const some = permissions({ subscribe: { deny: ["foo.secret", "bar q1"] } });
    expect([some.canSubscribe("foo.secret", ""), some.canSubscribe("foo.*", ""), some.canSubscribe("bar", ""), some.canSubscribe("bar", "q1"), some.canSubscribe("bar", "q2")]).toEqual([false, true, true, false, true]);
    expect(some.filtersDelivery).toBe(false);
    some.noteSubscription("foo.*", "");
    expect(some.filtersDelivery).toBe(true);
    expect([some.deniesDelivery("foo.secret", ""), some.deniesDelivery("foo.open", ""), some.deniesDelivery("bar", "q1"), some.deniesDelivery("bar", "")]).toEqual([true, false, true, false]);
  });

  test("the queue of the system is nobody's", () => {
    expect(permissions({}).canSubscribe("foo", "_sys_")).toBe(false);
  });
});

describe("responses", () => {
  test("a request may be answered as often and as long as allowed, even against a deny entry", () => {
    const now = { ms: 0 };
    const some = permissions({ publish: { deny: ["_INBOX.>"] }, allowResponses: { maxMessages: 2, expiresMs: 1000 } }, now);
    expect(some.canPublish("_INBOX.1")).toBe(false);
    some.noteReply("_INBOX.1");
    expect([some.canPublish("_INBOX.1"), some.canPublish("_INBOX.1"), some.canPublish("_INBOX.1")]).toEqual([true, true, false]);
    some.noteReply("_INBOX.2");
    now.ms = 1001;
    expect(some.canPublish("_INBOX.2")).toBe(false);
  });

  test("without a publish allow list nothing but answers may be published", () => {
    const some = permissions({ allowResponses: { maxMessages: 1, expiresMs: -1 } });
    some.noteReply("r");
    expect([some.canPublish("a"), some.canPublish("r"), some.canPublish("r")]).toEqual([false, true, false]);
  });

  test("negative limits mean none", () => {
    const some = permissions({ allowResponses: { maxMessages: -1, expiresMs: -1 } });
    some.noteReply("r");
    for (let i = 0; i < 100; i++) expect(some.canPublish("r")).toBe(true);
  });
});

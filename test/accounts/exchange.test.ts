/** Accounts that come one by one: an update of one is what an update of all would have been, and leaves the rest alone. */
import { expect, test } from "bun:test";
import { Account, Exchange } from "../../src/accounts/index.ts";
import type { ExchangeParty, ExportOptions, ImportOptions } from "../../src/config/index.ts";
import { InternalLink } from "../../src/links/internal/index.ts";
import { VirtualClock } from "../sim/clock.ts";
import { SeededRandom } from "../sim/random.ts";

const offer = (kind: "stream" | "service", subject: string): ExportOptions => ({ kind, subject, accountTokenPosition: 0, responseType: "singleton", responseThresholdMs: 0, allowTrace: false });
const wanted = (kind: "stream" | "service", account: string, subject: string): ImportOptions => ({ kind, account, subject, to: "", prefix: "", share: false, allowTrace: false });

function world(...names: readonly string[]) {
  const clock = new VirtualClock(new SeededRandom(2));
  const exchange = new Exchange({ clock, random: new SeededRandom(1), nuid: () => "", publish: () => undefined, serverName: () => "S" });
  const accounts = new Map(names.map((name) => [name, { account: new Account(name, false), heard: [] as string[] }]));
  const links = new Map([...accounts].map(([name, { account, heard }]) => {
    const link = new InternalLink(account, 5, name);
    link.subscribe("news", () => heard.push("news") > 0);
    return [name, link];
  }));
  const find = (name: string): Account | undefined => accounts.get(name)?.account;
  const put = (party: ExchangeParty): void => exchange.update([party], [], find);
  const heardBy = (name: string): number => accounts.get(name)?.heard.splice(0).length ?? 0;
  return { exchange, put, find, heardBy, publish: (name: string, subject: string) => links.get(name)?.publish(subject, "", "", "") ?? 0 };
}

test("an importer that comes before its exporter is complete when that comes", () => {
  const { put, publish, heardBy } = world("A", "B");
  put({ name: "B", exports: [], imports: [wanted("stream", "A", "news")] });
  publish("A", "news");
  expect(heardBy("B")).toBe(0);
  put({ name: "A", exports: [offer("stream", "news")], imports: [] });
  publish("A", "news");
  expect(heardBy("B")).toBe(1);
  put({ name: "A", exports: [], imports: [] });
  publish("A", "news");
  expect(heardBy("B")).toBe(0);
});

test("who does not import any more hears nothing", () => {
  const { put, publish, heardBy } = world("A", "B");
  put({ name: "A", exports: [offer("stream", "news")], imports: [] });
  put({ name: "B", exports: [], imports: [wanted("stream", "A", "news")] });
  put({ name: "B", exports: [], imports: [] });
  publish("A", "news");
  expect(heardBy("B")).toBe(0);
  // And is not brought back by its former exporter.
  put({ name: "A", exports: [offer("stream", "news"), offer("stream", "more")], imports: [] });
  publish("A", "news");
  expect(heardBy("B")).toBe(0);
});

test("the update of one leaves the imports of others alone", () => {
  const { put, find, publish, heardBy } = world("A", "B", "C");
  put({ name: "A", exports: [offer("stream", "news"), offer("service", "ask")], imports: [] });
  for (const name of ["B", "C"]) put({ name, exports: [], imports: [wanted("stream", "A", "news"), wanted("service", "A", "ask")] });
  const before = find("A")?.interest.stats().numInserts;
  put({ name: "C", exports: [], imports: [wanted("stream", "A", "news")] });
  expect(find("A")?.interest.stats().numInserts).toBe(before);
  expect(find("B")?.importsService("ask")).toBe(true);
  expect(find("C")?.importsService("ask")).toBe(false);
  publish("A", "news");
  expect([heardBy("B"), heardBy("C")]).toEqual([1, 1]);
});

test("an update takes away what is gone, from its importers too", () => {
  const { exchange, put, find, publish, heardBy } = world("A", "B", "C");
  put({ name: "A", exports: [offer("stream", "news")], imports: [] });
  for (const name of ["B", "C"]) put({ name, exports: [], imports: [wanted("stream", "A", "news")] });
  exchange.update([], ["B"], find);
  publish("A", "news");
  expect([heardBy("B"), heardBy("C")]).toEqual([0, 1]);
  exchange.update([], ["A"], find);
  publish("A", "news");
  expect([heardBy("B"), heardBy("C")]).toEqual([0, 0]);
});

test.each([["stream"], ["service"]] as const)("of imports that lead in a circle (%s) the one that closes it is not made, until the circle is open", (kind) => {
  const { put, find } = world("A", "B", "C");
  const party = (name: string, from: string): ExchangeParty => ({ name, exports: [offer(kind, ">")], imports: [wanted(kind, from, "x")] });
  const insertsOf = (name: string): number => find(name)?.interest.stats().numInserts ?? 0;
  const importedBy = (name: string): boolean => {
    if (kind === "service") return find(name)?.importsService("x") === true;
    // A stream's import shows in the exporter when somebody subscribes.
    const from = { A: "C", B: "A", C: "B" }[name] ?? "";
    const before = insertsOf(from);
    const account = find(name);
    if (account === undefined) throw new Error("no such account");
    const link = new InternalLink(account, 5, name);
    const subscription = link.subscribe("x", () => true);
    const grew = insertsOf(from) > before;
    link.unsubscribe(subscription);
    return grew;
  };
  put(party("A", "C"));
  put(party("B", "A"));
  put(party("C", "B"));
  expect(["A", "B", "C"].map(importedBy)).toEqual([true, true, false]);
  put({ name: "A", exports: [offer(kind, ">")], imports: [] });
  put(party("B", "A"));
  put(party("C", "B"));
  expect(["A", "B", "C"].map(importedBy)).toEqual([false, true, true]);
  put(party("A", "C"));
  expect(["A", "B", "C"].map(importedBy)).toEqual([false, true, true]);
});

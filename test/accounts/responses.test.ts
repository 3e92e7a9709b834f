/** Requests that wait for answers: how long, and that nothing is left of them. */
import { expect, test } from "bun:test";
import { PENDING_MAX, type ResponseRule, Responses } from "../../src/accounts/exchange/responses.ts";
import { Waiting } from "../../src/accounts/exchange/waiting.ts";
import { Account, Exchange } from "../../src/accounts/index.ts";
import type { ExportOptions, ImportOptions } from "../../src/config/index.ts";
import { InternalLink } from "../../src/links/internal/index.ts";
import { VirtualClock } from "../sim/clock.ts";
import { SeededRandom } from "../sim/random.ts";

const OFFER: ExportOptions = { kind: "service", subject: "req", accountTokenPosition: 0, responseType: "singleton", responseThresholdMs: 1000, allowTrace: false };
const WANTED: ImportOptions = { kind: "service", account: "A", subject: "req", to: "", prefix: "", share: false, allowTrace: false };

function world(offer: ExportOptions = OFFER) {
  const clock = new VirtualClock(new SeededRandom(2));
  const exchange = new Exchange({ clock, random: new SeededRandom(1), nuid: () => "", publish: () => undefined, serverName: () => "S" });
  const accounts = new Map(["A", "B"].map((name) => [name, new Account(name, false)]));
  const account = (name: string): Account => {
    const found = accounts.get(name);
    if (found === undefined) throw new Error(`no account ${name}`);
    return found;
  };
  const update = (imports: readonly ImportOptions[]): void =>
    exchange.update([{ name: "A", exports: [offer], imports: [] }, { name: "B", exports: [], imports }], [], (name) => accounts.get(name));
  update([WANTED]);
  const service = new InternalLink(account("A"), 5, "service");
  const requester = new InternalLink(account("B"), 5, "requester");
  const replies: string[] = [];
  const answers: string[] = [];
  service.subscribe("req", (message) => replies.push(message.reply()) > 0);
  requester.subscribe("inbox", (message) => answers.push(message.buffer.latin1Slice(message.bodyStart, message.bodyEnd)) > 0);
  return { clock, update, service, requester, replies, answers, account };
}

test("an answer within the threshold arrives, a second one does not", () => {
  const { service, requester, replies, answers } = world();
  expect(requester.publish("req", "inbox", "", "ask")).toBe(1);
  expect(service.publish(replies[0], "", "", "one")).toBe(1);
  expect(service.publish(replies[0], "", "", "two")).toBe(0);
  expect(answers).toEqual(["one"]);
});

test("an answer after the threshold goes nowhere", async () => {
  const { clock, service, requester, replies, answers } = world();
  requester.publish("req", "inbox", "", "ask");
  await clock.advance(2001);
  expect(service.publish(replies[0], "", "", "late")).toBe(0);
  expect(answers).toEqual([]);
});

test("every answer of a stream starts the threshold anew", async () => {
  const { clock, service, requester, replies, answers } = world({ ...OFFER, responseType: "stream" });
  requester.publish("req", "inbox", "", "ask");
  for (const text of ["1", "2", "3", ""]) {
    await clock.advance(900);
    service.publish(replies[0], "", "", text);
  }
  service.publish(replies[0], "", "", "after the end");
  expect(answers).toEqual(["1", "2", "3", ""]);
});

test("without the import requests stay where they are", () => {
  const { update, requester, replies, account } = world();
  const before = account("B").interest.size;
  update([]);
  expect(account("B").interest.size).toBe(before - 1);
  expect(requester.publish("req", "inbox", "", "ask")).toBe(0);
  expect(replies).toEqual([]);
});

test("an update that changes nothing keeps what is waited for", () => {
  const { update, service, requester, replies, answers } = world();
  requester.publish("req", "inbox", "", "ask");
  update([WANTED]);
  service.publish(replies[0], "", "", "one");
  expect(answers).toEqual(["one"]);
});

test("an answer on a subject of ours that nobody was given is nobody's", () => {
  const { service, requester, replies, answers } = world();
  requester.publish("req", "inbox", "", "ask");
  const prefix = replies[0].slice(0, -6);
  for (const forged of [`${prefix}000000`, `${replies[0]}x`, `${prefix}....`, `${prefix}!!!!!!`, replies[0].slice(0, -1)]) expect(service.publish(forged, "", "", "forged")).toBe(0);
  expect(service.publish(replies[0], "", "", "one")).toBe(1);
  expect(answers).toEqual(["one"]);
});

test("whoever waits for nothing any more is waited for by nobody", async () => {
  const { table, clock } = tables();
  const inbox = new InternalLink(table.requester, 5, "requester");
  const all = inbox.subscribe("in.>", () => true);
  const one = inbox.subscribe("in.a.1", () => true);
  for (let i = 0; i < 200; i++) for (const reply of ["in.a.1", `in.a.x${i}`, `in.b.${i}`, "other"]) table.expect(reply);
  expect(table.responses.size).toBe(800);
  inbox.unsubscribe(all);
  // `other` never had a taker, so none can go.
  expect(table.responses.size).toBe(400);
  inbox.unsubscribe(one);
  expect(table.responses.size).toBe(200);
  await clock.advance(1001);
  expect(table.responses.size).toBe(0);
});

test("the table holds so many, and the oldest goes first", () => {
  const { table } = tables();
  new InternalLink(table.requester, 5, "requester").subscribe("in.>", () => true);
  const service = new InternalLink(table.exporter, 5, "service");
  const first = table.expect("in.0");
  for (let i = 1; i < PENDING_MAX; i++) table.expect(`in.${i}`);
  expect(table.responses.size).toBe(PENDING_MAX);
  const next = table.expect("in.next");
  expect(table.responses.size).toBe(PENDING_MAX);
  expect(service.publish(first, "", "", "late")).toBe(0);
  expect(service.publish(next, "", "", "in time")).toBe(1);
});

test("each threshold is kept whatever else is waited for, and an answer of several starts it anew", async () => {
  const { table, clock } = tables();
  new InternalLink(table.requester, 5, "requester").subscribe("in.>", () => true);
  const service = new InternalLink(table.exporter, 5, "service");
  table.expect("in.long", { responseType: "singleton", thresholdMs: 5000 });
  const many = table.expect("in.many", { responseType: "stream", thresholdMs: 1000 });
  for (let i = 0; i < 100; i++) table.expect(`in.${i}`);
  await clock.advance(600);
  expect(service.publish(many, "", "", "more")).toBe(1);
  for (let i = 0; i < 100; i++) table.expect(`in.later.${i}`);
  await clock.advance(500);
  expect(table.responses.size).toBe(102);
  await clock.advance(600);
  expect(table.responses.size).toBe(1);
  await clock.advance(4000);
  expect(table.responses.size).toBe(0);
});

/** The tables of an exporting and an importing account, without an exchange around them. */
function tables() {
  const clock = new VirtualClock(new SeededRandom(2));
  const exporter = new Account("A", false);
  const requester = new Account("B", false);
  const waiting = new Map([exporter, requester].map((account) => [account, new Waiting(account)]));
  const waitingOf = (account: Account): Waiting => {
    const found = waiting.get(account);
    if (found === undefined) throw new Error(`nobody waits in ${account.name}`);
    return found;
  };
  const doors = { clock, random: new SeededRandom(1), serverName: () => "S", responsesOf: () => responses, waitingOf };
  const responses = new Responses(exporter, doors);
  const expectOne = (reply: string, rule: ResponseRule = { responseType: "singleton", thresholdMs: 1000 }): string => responses.expect(waitingOf(requester), reply, rule, clock.monotonicMs());
  return { clock, table: { exporter, requester, responses, expect: expectOne } };
}

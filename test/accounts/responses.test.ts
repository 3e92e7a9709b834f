/** Requests that wait for answers: how long, and that nothing is left of them. */
import { expect, test } from "bun:test";
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

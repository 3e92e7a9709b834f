/** Requests that have to look at many messages or subjects do so in many short steps. */
import { expect, test } from "bun:test";
import { StoredMessage } from "../../../src/jetstream/store/index.ts";
import { planBatch, readRequest, selectMessage } from "../../../src/jetstream/stream/directrequest.ts";
import type { Stream } from "../../../src/jetstream/stream/index.ts";
import { LOOKS_MOST, LookingStore } from "./looking.ts";

const MESSAGES = 100_000;
const store = new LookingStore().fill(MESSAGES);
const stream = { store, lastSeq: MESSAGES, account: { context: { settings: { maxPending: 1e9 } } } } as unknown as Stream;

function request(body: unknown) {
  const request = readRequest(JSON.stringify(body), "");
  if (typeof request === "string") throw new Error(request);
  return request;
}

const gets: readonly [string, object, number][] = [
  ["nothing, which is seen in every message", { seq: 1, next_by_subj: "*.*.x" }, 0],
  ["nothing, backwards", { last_by_subj: "*.*.x" }, 0],
  ["one message near the end", { seq: 1, next_by_subj: `*.*.${MESSAGES - 1}` }, MESSAGES],
  ["one message near the beginning, backwards", { last_by_subj: "*.*.3" }, 4],
];

test.each(gets)("a get of %s", (_, body, found) => {
  const work = selectMessage(stream, request(body), new StoredMessage());
  if (typeof work === "number") throw new Error("found at once");
  const { result, mostLooked } = store.finish(work);
  expect(result).toBe(found);
  expect(mostLooked).toBeLessThan(LOOKS_MOST);
});

const batches: readonly [string, object, string | number][] = [
  ["all subjects", { multi_last: ["A.>"] }, "413 Too Many Results"],
  ["none of many", { multi_last: ["A.*.x", "*.*.y"] }, "404 No Results"],
  ["those under one node", { multi_last: ["A.k5.*", "A.*.5"] }, 1000],
  ["none from a sequence on", { seq: 2, batch: 5, next_by_subj: "*.*.x" }, "404 Message Not Found"],
];

test.each(batches)("a batch of %s", (_, body, found) => {
  const { result, mostLooked } = store.finish(planBatch(stream, request(body)));
  expect(typeof result === "string" ? result : result.pending).toBe(found);
  expect(mostLooked).toBeLessThan(LOOKS_MOST);
});

test("a page of subjects", () => {
  for (const [filter, offset, limit] of [[">", 0, MESSAGES], ["A.*.*", 90_000, 5000], ["*.*.x", 0, MESSAGES]] as const) {
    let shown = 0;
    const { result, mostLooked } = store.finish(store.listSubjects(filter, { offset, limit, show: () => void shown++ }));
    expect([result, shown]).toEqual(filter === "*.*.x" ? [0, 0] : [MESSAGES, limit]);
    expect(mostLooked).toBeLessThan(LOOKS_MOST);
  }
});

test("gaps", () => {
  const store = new LookingStore().fill(MESSAGES);
  for (let seq = 2; seq < MESSAGES; seq += 2) store.remove(seq, false);
  let most = 0;
  let since = 0;
  let gaps = 0;
  for (const range of store.deletedRanges()) {
    since = range === undefined ? 0 : since + 1;
    if (range !== undefined) gaps++;
    most = Math.max(most, since);
  }
  expect(gaps).toBe(MESSAGES / 2 - 1);
  expect(most).toBeLessThan(LOOKS_MOST);
});

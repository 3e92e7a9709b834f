/** Whether a store says of everything what the model says. */
import { expect } from "bun:test";
import { type MessageStore, type Scanning, StoredMessage } from "../../../../src/jetstream/store/index.ts";
import { finishNow } from "../../../../src/jetstream/slices.ts";
import type { Model } from "./model.ts";

export const FILTERS: readonly (readonly string[])[] = [[], [">"], ["a"], ["a.b"], ["a.*"], ["*.b"], ["a.>"], ["*.*.c"], ["a.*", "*.b"], ["a.b", "b.b", "a.b"], ["x"], ["*"], ["b.>", "a"], ["a.*", "b.b", "c.>"], ["*.a", "a.b", "b.>"]];

export function expectState(store: MessageStore, model: Model): void {
  const { state } = store;
  const [first] = model.messages;
  expect({
    messages: state.messages,
    bytes: state.bytes,
    firstSeq: state.firstSeq,
    lastSeq: state.lastSeq,
    first: [state.firstSeconds, state.firstNanos],
    last: [state.lastSeconds, state.lastNanos],
    subjects: state.subjects,
    deleted: state.deleted,
  }).toEqual({
    messages: model.messages.length,
    bytes: model.messages.reduce((sum, message) => sum + model.sizeOf(message), 0),
    firstSeq: model.firstSeq,
    lastSeq: model.lastSeq,
    first: [first?.seconds ?? 0, first?.nanos ?? 0],
    last: [model.lastSeconds, model.lastNanos],
    subjects: model.subjects([]).size,
    deleted: first === undefined ? 0 : model.lastSeq - first.seq + 1 - model.messages.length,
  });
}

export function expectMessages(store: MessageStore, model: Model): void {
  const into = new StoredMessage();
  const read: unknown[] = [];
  for (let seq = store.next([], 0, into); seq !== 0; seq = store.next([], seq + 1, into)) read.push(contents(into));
  expect(read).toEqual(model.messages.map(({ seq, subject, seconds, nanos, header, body, marks }) => ({ seq, subject, seconds, nanos, header, body, marks })));
}

export function contents(message: StoredMessage): Record<string, unknown> {
  const { seq, subject, seconds, nanos, marks, buffer, headerStart, bodyStart, end } = message;
  return { seq, subject, seconds, nanos, header: buffer.latin1Slice(headerStart, bodyStart), body: buffer.latin1Slice(bodyStart, end), marks };
}

/** A search that stops now and then. */
function inParts(search: (at: number) => number, from: number): number {
  let found = search(from);
  while (found < 0) found = search(-found);
  return found;
}

/** The subjects that match, each once. */
export function namesOf(store: MessageStore, filters: readonly string[]): string[] {
  const names = [...store.subjects(filters)].filter((name) => name !== undefined);
  expect(new Set(names).size).toBe(names.length);
  return names;
}

export function rangesOf(store: MessageStore): (readonly [number, number])[] {
  return [...store.deletedRanges()].filter((range) => range !== undefined);
}

/** Goes through to the end. */
function whole(scan: number | Scanning): number {
  if (typeof scan === "number") return scan;
  while (!scan.step()) continue;
  return "sum" in scan && typeof scan.sum === "number" ? scan.sum : 0;
}

/** Compares every question, from a few places. */
export function expectAnswers(store: MessageStore, model: Model, places: readonly number[]): void {
  for (const filters of FILTERS) {
    for (const from of places) {
      expect(["next", filters, from, store.next(filters, from, undefined)]).toEqual(["next", filters, from, model.next(filters, from)]);
      expect(["previous", filters, from, store.previous(filters, from, undefined)]).toEqual(["previous", filters, from, model.previous(filters, from)]);
      expect(["next", filters, from, inParts((at) => store.nextWithin(filters, at, 3), from)]).toEqual(["next", filters, from, model.next(filters, from)]);
      expect(["previous", filters, from, inParts((at) => store.previousWithin(filters, at, 3), from)]).toEqual(["previous", filters, from, model.previous(filters, from)]);
      expect(["pending", filters, from, whole(store.count(filters, from))]).toEqual(["pending", filters, from, model.pending(filters, from)]);
    }
    const lasts = store.listLast(filters);
    expect(Array.isArray(lasts) ? lasts : (whole(lasts), lasts.found)).toEqual(model.lasts(filters, model.lastSeq).map(({ seq }) => seq));
    for (const from of places) expect(finishNow(store.lastOfEach(filters, from, 1000))).toEqual(model.lasts(filters, from).map(({ seq }) => seq));
    const subjects = model.subjects(filters);
    expect(new Map(namesOf(store, filters).map((name) => [name, store.subjectState(name)]))).toEqual(subjects);
    expect(finishNow(store.countMatching(filters))).toBe(model.pending(filters, 0));
  }
  for (const from of places) {
    for (const mask of [1, 2, 3]) expect(store.nextMarked(mask, from)).toBe(model.messages.find(({ seq, marks }) => seq >= from && (marks & mask) !== 0)?.seq ?? 0);
  }
  for (const seconds of new Set(model.messages.map((message) => message.seconds))) {
    for (const nanos of [0, 5]) expect(store.seqAtTime(seconds, nanos)).toBe(model.atTime(seconds, nanos));
  }
  expect(rangesOf(store)).toEqual(model.deleted());
  for (const [subject, state] of model.subjects([])) {
    expect(store.messagesOf(subject)).toBe(state.messages);
    expect(store.subjectState(subject)).toEqual(state);
  }
  expect(store.subjectState("nowhere")).toBeUndefined();
}

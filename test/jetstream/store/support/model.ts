/** A store that is too simple to be wrong: an array. */
import { subjectMatches } from "../../../../src/routing/index.ts";
import type { Given } from "./world.ts";

export interface ModelMessage extends Required<Given> {
  readonly seq: number;
}

export class Model {
  messages: ModelMessage[] = [];
  lastSeq: number;
  lastSeconds = 0;
  lastNanos = 0;

  constructor(
    private readonly overhead: (subject: number, header: number, body: number) => number,
    firstSeq = 1,
  ) {
    this.lastSeq = firstSeq - 1;
  }

  clone(): Model {
    const copy = new Model(this.overhead);
    copy.messages = [...this.messages];
    copy.lastSeq = this.lastSeq;
    copy.lastSeconds = this.lastSeconds;
    copy.lastNanos = this.lastNanos;
    return copy;
  }

  get firstSeq(): number {
    return this.messages[0]?.seq ?? (this.lastSeq === 0 ? 0 : this.lastSeq + 1);
  }

  sizeOf({ subject, header, body }: ModelMessage): number {
    return this.overhead(subject.length, header.length, body.length);
  }

  append(message: Given): number {
    const { subject, seconds = 1, nanos = 0, header = "", body = "", marks = 0 } = message;
    this.messages.push({ seq: ++this.lastSeq, subject, seconds, nanos, header, body, marks });
    this.lastSeconds = seconds;
    this.lastNanos = nanos;
    return this.lastSeq;
  }

  skip(lastSeq: number, seconds: number, nanos: number): void {
    if (lastSeq <= this.lastSeq) return;
    this.lastSeq = lastSeq;
    this.lastSeconds = seconds;
    this.lastNanos = nanos;
  }

  matching(filters: readonly string[]): ModelMessage[] {
    return filters.length === 0 ? this.messages : this.messages.filter(({ subject }) => filters.some((filter) => subjectMatches(subject, filter)));
  }

  next(filters: readonly string[], from: number): number {
    return this.matching(filters).find(({ seq }) => seq >= from)?.seq ?? 0;
  }

  previous(filters: readonly string[], from: number): number {
    return this.matching(filters).findLast(({ seq }) => seq <= from)?.seq ?? 0;
  }

  lasts(filters: readonly string[], upTo: number): ModelMessage[] {
    const last = new Map<string, ModelMessage>();
    for (const message of this.matching(filters)) if (message.seq <= upTo) last.set(message.subject, message);
    return [...last.values()].sort((a, b) => a.seq - b.seq);
  }

  pending(filters: readonly string[], from: number): number {
    return this.matching(filters).filter(({ seq }) => seq >= from).length;
  }

  atTime(seconds: number, nanos: number): number {
    return this.messages.find((message) => message.seconds > seconds || (message.seconds === seconds && message.nanos >= nanos))?.seq ?? this.lastSeq + 1;
  }

  subjects(filters: readonly string[]): Map<string, { messages: number; first: number; last: number }> {
    const found = new Map<string, { messages: number; first: number; last: number }>();
    for (const { subject, seq } of this.matching(filters)) {
      const state = found.get(subject);
      if (state === undefined) found.set(subject, { messages: 1, first: seq, last: seq });
      else {
        state.messages++;
        state.last = seq;
      }
    }
    return found;
  }

  deleted(): [number, number][] {
    const ranges: [number, number][] = [];
    let expected = this.firstSeq;
    for (const { seq } of [...this.messages, { seq: this.lastSeq + 1 }]) {
      if (seq > expected && this.messages.length > 0) ranges.push([expected, seq - 1]);
      expected = seq + 1;
    }
    return ranges;
  }

  remove(seq: number): boolean {
    const at = this.messages.findIndex((message) => message.seq === seq);
    if (at >= 0) this.messages.splice(at, 1);
    return at >= 0;
  }

  compact(seq: number): void {
    this.messages = this.messages.filter((message) => message.seq >= seq);
    if (seq > this.lastSeq + 1) this.lastSeq = seq - 1;
  }
}

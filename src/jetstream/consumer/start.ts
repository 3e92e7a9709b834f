/** Where a new consumer begins. Spec: consumers, section 5. */
import { toByteString } from "../../util/bytes.ts";
import type { Listing, MessageStore } from "../store/index.ts";
import type { ConsumerConfig, StreamConfig } from "../wire.ts";
import { filtersOf } from "./effective.ts";

/** A list of sequences to deliver first, ascending, of a stream that ended at `end` when it was made. */
export interface Frozen {
  readonly sequences: readonly number[];
  readonly end: number;
}

export interface Start {
  /** First sequence to look at. */
  readonly next: number;
  readonly frozen: Frozen | undefined;
}

/** The last message of each subject that a new consumer begins with; undefined when it begins otherwise. */
export function listOf(store: MessageStore, stream: StreamConfig, config: ConsumerConfig): number[] | Listing | undefined {
  if (config.deliver_policy !== "last_per_subject" || stream.max_msgs_per_subject === 1) return undefined;
  return store.listLast(filtersOf(config).map(toByteString));
}

/** `list` is what `listOf` told, once it is complete. */
export function startOf(store: MessageStore, config: ConsumerConfig, list: Frozen | undefined): Start {
  const { firstSeq: first, lastSeq: last } = store.state;
  const filters = filtersOf(config).map(toByteString);
  const clamped = (next: number): Start => ({ next: clampStart(next, first, last), frozen: undefined });
  switch (config.deliver_policy) {
    case "all":
      return clamped(first);
    case "new":
      return clamped(last + 1);
    case "last":
      return clamped(filters.length === 0 ? last : store.previous(filters, last, undefined));
    case "by_start_sequence":
      return { next: Math.max(config.opt_start_seq ?? 1, first, 1), frozen: undefined };
    case "by_start_time":
      return clamped(seqAtTime(store, filters, config.opt_start_time));
    case "last_per_subject": {
      if (list === undefined) return clamped(first);
      const { sequences, end } = list;
      return sequences.length === 0 ? clamped(end) : { next: clampStart(sequences[0], first, end), frozen: list };
    }
  }
}

function clampStart(next: number, first: number, last: number): number {
  if (first === 0) return 1;
  return Math.max(Math.min(next, last + 1), first);
}

/** First sequence at or after a time; with filters the first message that matches, if that came later and is not the last of all, as on the reference. */
export function seqAtTime(store: MessageStore, filters: readonly string[], at: string | undefined): number {
  const { seconds, nanos } = instantOf(at ?? "");
  const seq = store.seqAtTime(seconds, nanos);
  if (filters.length === 0) return seq;
  const first = store.next(filters, 1, undefined);
  return first < store.state.lastSeq ? Math.max(seq, first) : seq;
}

/** RFC 3339 in UTC as seconds and nanoseconds since the Unix epoch. */
export function instantOf(text: string): { readonly seconds: number; readonly nanos: number } {
  const dot = text.indexOf(".");
  const fraction = dot < 0 ? "" : /^\d+/.exec(text.slice(dot + 1))?.[0] ?? "";
  const whole = dot < 0 ? text : text.slice(0, dot) + text.slice(dot + 1 + fraction.length);
  return { seconds: Math.floor(Date.parse(whole) / 1000), nanos: Number(fraction.padEnd(9, "0").slice(0, 9)) };
}

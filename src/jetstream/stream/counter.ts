/**
 * Counters: the last message of a subject holds its value, as `{"val":"<decimal>"}` of any size. Sourcing into a counter adds what is new since the last
 * value known of that origin, which the header `Nats-Counter-Sources` remembers. Spec: streams, section 5.7.
 */
import { StoredMessage } from "../store/index.ts";
import type { BatchEffects } from "./batcheffects.ts";
import { H, headerOf } from "./headers.ts";
import type { Stream } from "./stream.ts";

/** Values last seen of each origin: by stream, then subject. */
export type CounterSources = Record<string, Record<string, string>>;

const view = new StoredMessage();

/** The value after `increment`; undefined when the present one cannot be read. */
export function addToCounter(stream: Stream, subject: string, increment: bigint, batch: BatchEffects | undefined): bigint | undefined {
  const present = batch?.counter(subject) ?? storedCounter(stream, subject);
  return present === undefined ? undefined : present + increment;
}

/** The value of a payload; undefined when it is none. */
export function parseCounter(payload: string): bigint | undefined {
  try {
    const parsed: unknown = JSON.parse(payload);
    const value = typeof parsed === "object" && parsed !== null && "val" in parsed ? parsed.val : undefined;
    return typeof value === "string" && /^[+-]?\d+$/.test(value) ? BigInt(value) : undefined;
  } catch {
    return undefined;
  }
}

function storedCounter(stream: Stream, subject: string): bigint | undefined {
  const last = stream.store.subjectState(subject)?.last;
  if (last === undefined || !stream.store.load(last, view)) return 0n;
  return parseCounter(view.buffer.latin1Slice(view.bodyStart, view.end));
}

/** What the last message of the subject remembers of its origins; undefined when it cannot be read. */
export function storedCounterSources(stream: Stream, subject: string): CounterSources | undefined {
  const last = stream.store.subjectState(subject)?.last;
  if (last === undefined || !stream.store.load(last, view)) return {};
  const text = headerOf(view.buffer, view.headerStart, view.bodyStart, H.CounterSources);
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as CounterSources;
  } catch {
    return undefined;
  }
}

/** The JSON inside archives: the stream's figures, and consumers with their positions. */
import { anything, decodeJson, int64, JsonError, object, record, time, uint64 } from "../json/index.ts";
import { ArchiveError } from "./error.ts";
import type { ArchivedConsumerState, ArchivedState } from "./sink.ts";

const stateShape = object({ first_seq: uint64, last_seq: uint64, last_ts: time, consumer_count: uint64 });
const pairShape = object({ consumer_seq: uint64, stream_seq: uint64 });
const consumerShape = object({
  config: anything,
  state: object({ delivered: pairShape, ack_floor: pairShape, pending: record(object({ Sequence: uint64, Timestamp: int64 })), redelivered: record(uint64) }),
});

/** Reads `state.json`. Throws `ArchiveError`. */
export function stateOf(body: string): { readonly state: ArchivedState; readonly consumers: number } {
  const { first_seq = 0, last_seq = 0, last_ts, consumer_count = 0 } = decode(body, stateShape);
  return { state: { firstSeq: first_seq, lastSeq: last_seq, ...momentOf(last_ts) }, consumers: consumer_count };
}

/** Reads the entry of a consumer. Throws `ArchiveError`. */
export function consumerOf(body: string): { readonly config: unknown; readonly state: ArchivedConsumerState } {
  const { config, state } = decode(body, consumerShape);
  const pair = (of: { readonly consumer_seq?: number; readonly stream_seq?: number } = {}): ArchivedConsumerState["delivered"] => ({
    consumer_seq: of.consumer_seq ?? 0,
    stream_seq: of.stream_seq ?? 0,
  });
  const pending = Object.entries(state?.pending ?? {}).map(([seq, { Sequence = 0, Timestamp = 0 }]) => [seq, { Sequence, Timestamp }] as const);
  return {
    config,
    state: {
      delivered: pair(state?.delivered),
      ack_floor: pair(state?.ack_floor),
      ...(pending.length === 0 ? {} : { pending: Object.fromEntries(pending) }),
      ...(state?.redelivered === undefined ? {} : { redelivered: state.redelivered }),
    },
  };
}

/** A time as JSON has it, as seconds and nanoseconds; zero for none and for times before 1970. */
export function momentOf(text: string | undefined): { readonly lastSeconds: number; readonly lastNanos: number } {
  const ms = text === undefined ? Number.NaN : Date.parse(text.replace(/\.\d+/, ""));
  if (!(ms > 0)) return { lastSeconds: 0, lastNanos: 0 };
  return { lastSeconds: ms / 1000, lastNanos: Number((/\.(\d+)/.exec(text ?? "")?.[1] ?? "").padEnd(9, "0")) };
}

function decode<T>(body: string, shape: Parameters<typeof decodeJson<T>>[1]): T {
  try {
    return decodeJson(body, shape, false);
  } catch (error) {
    if (error instanceof JsonError) throw new ArchiveError(error.message);
    throw error;
  }
}

/** Where a consumer may be set back, or forward, to. Spec: consumers, section 11. */
import { decodeJson, JsonError, object, uint64 } from "../json/index.ts";
import { apiError } from "../api/errors.ts";
import type { Consumer } from "./consumer.ts";
import { seqAtTime } from "./start.ts";

const shape = object({ seq: uint64 }, "JSApiConsumerResetRequest");

/** The next sequence that the request asks for. Throws `ApiError`. */
export function resetTarget(consumer: Consumer, body: string): number {
  let seq = 0;
  if (body !== "") {
    try {
      seq = decodeJson(body, shape, false).seq ?? 0;
    } catch (error) {
      if (error instanceof JsonError) throw apiError(10025, { err: error.message });
      throw error;
    }
  }
  const { config, state, host } = consumer;
  // Messages that were given up keep the floor that is shown, but are not gone back to.
  if (seq === 0) return (state.pending.size === 0 ? Math.max(state.floor.seq, state.delivered.seq) : state.floor.seq) + 1;
  const refuse = (err: string): Error => apiError(10204, { err });
  switch (config.deliver_policy) {
    case "all":
      return seq;
    case "by_start_sequence":
      if (seq < (config.opt_start_seq ?? 0)) throw refuse("below start seq");
      return seq;
    case "by_start_time":
      if (seq < seqAtTime(host.stream.store, [], config.opt_start_time)) throw refuse("below start time");
      return seq;
    default:
      throw refuse("not allowed");
  }
}

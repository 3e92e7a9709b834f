/** What users see of a consumer. Spec: consumers, section 1.2. */
import { timestamp } from "../../util/timestamp.ts";
import type { ConsumerInfo, SequencePair } from "../wire.ts";
import type { Consumer } from "./consumer.ts";
import { withDynamicMetadata } from "./metadata.ts";
import { timestampOfMs } from "./pause.ts";
import type { ConsumerState, Position } from "./state.ts";

/** How much of the configuration goes along: nothing, as stored, or with what this server adds. */
export type ConfigDetail = "none" | "stored" | "shown";

export function consumerInfo(consumer: Consumer, detail: ConfigDetail): ConsumerInfo {
  const { state, config, pull, push, pause } = consumer;
  const groups = pull?.groups();
  const isPaused = pause.isPaused;
  return {
    stream_name: consumer.streamName,
    name: consumer.name,
    created: timestamp(consumer.createdNs),
    ...(detail === "none" ? {} : { config: detail === "stored" ? config : withDynamicMetadata(config) }),
    // Before the first delivery it says how far the consumer has looked.
    delivered: pair(state.delivered.delivery === 0 ? { delivery: 0, seq: state.next - 1 } : state.delivered, consumer.lastDeliveredMs),
    ack_floor: pair(state.floor, state.settling === "none" ? 0 : consumer.lastAckedMs),
    num_ack_pending: state.pending.size,
    num_redelivered: config.max_deliver === 1 ? 0 : state.redelivered.size,
    num_waiting: pull?.numWaiting ?? 0,
    num_pending: consumer.numPending,
    ...(push?.isActive === true ? { push_bound: true } : {}),
    ...(isPaused ? { paused: true, pause_remaining: pause.remainingNs } : {}),
    ts: timestamp(consumer.context.clock.nowNs()),
    ...(groups === undefined ? {} : { priority_groups: groups }),
  };
}

function pair({ delivery, seq }: Position, lastMs: number): SequencePair {
  return { consumer_seq: delivery, stream_seq: seq, ...(lastMs === 0 ? {} : { last_active: timestampOfMs(lastMs) }) };
}

// Backups

/** The state of a consumer in an archive. Spec: streams, section 10.3. */
export interface ArchivedState {
  readonly delivered?: { readonly consumer_seq?: number; readonly stream_seq?: number };
  readonly ack_floor?: { readonly consumer_seq?: number; readonly stream_seq?: number };
  readonly pending?: Readonly<Record<string, { readonly Sequence?: number; readonly Timestamp?: number }>> | null;
  readonly redelivered?: Readonly<Record<string, number>> | null;
}

export function archivedState({ delivered, floor, pending, redelivered }: ConsumerState): ArchivedState {
  const waiting: Record<string, { readonly Sequence: number; readonly Timestamp: number }> = {};
  for (let slot = pending.head; slot >= 0; slot = pending.after(slot)) {
    waiting[pending.seqAt(slot)] = { Sequence: pending.deliveryAt(slot), Timestamp: Math.round(pending.timeAt(slot)) * 1e6 };
  }
  return {
    delivered: { consumer_seq: delivered.delivery, stream_seq: delivered.seq },
    ack_floor: { consumer_seq: floor.delivery, stream_seq: floor.seq },
    ...(pending.size === 0 ? {} : { pending: waiting }),
    ...(redelivered.size === 0 ? {} : { redelivered: Object.fromEntries(redelivered) }),
  };
}

/** Takes up an archived state; numbers that are missing count as 0. */
export function restoreState(state: ConsumerState, archived: ArchivedState): void {
  state.restart(1);
  state.delivered.delivery = archived.delivered?.consumer_seq ?? 0;
  state.delivered.seq = archived.delivered?.stream_seq ?? 0;
  state.floor.delivery = archived.ack_floor?.consumer_seq ?? 0;
  state.floor.seq = archived.ack_floor?.stream_seq ?? 0;
  state.next = state.delivered.seq + 1;
  const pending = Object.entries(archived.pending ?? {}).map(([seq, entry]) => ({ seq: Number(seq), ...entry }));
  pending.sort((a, b) => a.seq - b.seq);
  if (state.settling !== "none") for (const { seq, Sequence = 0, Timestamp = 0 } of pending) state.pending.add(seq, Sequence, Timestamp / 1e6);
  for (const [seq, count] of Object.entries(archived.redelivered ?? {})) state.redelivered.set(Number(seq), count);
}

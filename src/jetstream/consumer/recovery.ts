/** Consumers after a restart: what the log says, and what of it the stream still bears out. Spec: consumers, section 14. */
import { decodeJson, JsonError } from "../json/index.ts";
import { API_LEVEL } from "../context.ts";
import type { ConsumerStream } from "../seams.ts";
import type { MessageStore } from "../store/index.ts";
import type { ConsumerConfig } from "../wire.ts";
import { inWireOrder } from "./config.ts";
import type { LogRecord } from "./log.ts";
import { storedLevel } from "./metadata.ts";
import type { ConsumerPersistence } from "./persistence.ts";
import { type Definition, readChanges, readWhole, RecordError, RecordKind, RecordReader } from "./records.ts";
import { consumerConfigShape } from "./shape.ts";
import { ConsumerState, settlingOf } from "./state.ts";

const EVERYTHING: readonly string[] = [];

/** A consumer this server does not understand. It is kept, and not used. */
export interface Offline {
  readonly id: number;
  readonly name: string;
  readonly reason: string;
}

export interface RecoveredConsumer {
  readonly id: number;
  readonly name: string;
  readonly createdNs: bigint;
  config: ConsumerConfig;
  state: ConsumerState;
  /** Why the state is an earlier one; empty when it is the last. */
  damage: string;
}

/** A configuration as it was stored, its keys in the order of the wire. Throws `JsonError` for fields this server does not know. */
export function storedConfig(config: unknown): ConsumerConfig {
  const raw = decodeJson(JSON.stringify(config), consumerConfigShape, true);
  const { deliver_policy: policy = "all", priority_policy: priority } = raw;
  return inWireOrder({
    ...raw,
    deliver_policy: policy === "undefined" ? "all" : policy,
    ack_policy: raw.ack_policy ?? "none",
    replay_policy: raw.replay_policy ?? "instant",
    num_replicas: raw.num_replicas ?? 0,
    priority_policy: priority === "none" ? undefined : priority,
  });
}

/**
 * Reads the log. A consumer with a damaged or missing record goes on from its state before, or from the next whole one; changes in between would be applied to
 * what they do not fit, and could hide messages that were never acknowledged. One whose definition is lost is dropped. The server's log tells either.
 */
export function recoverConsumers(
  stream: ConsumerStream,
  persistence: ConsumerPersistence,
): { readonly consumers: readonly RecoveredConsumer[]; readonly offline: readonly Offline[] } {
  const consumers = new Map<number, RecoveredConsumer>();
  const offline = new Map<number, Offline>();
  const spoilt = new Map<number, string>();
  persistence.read((record) => {
    const name = consumers.get(record.id)?.name ?? offline.get(record.id)?.name ?? `number ${record.id}`;
    try {
      apply(record, consumers, offline, spoilt);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      consumers.delete(record.id);
      offline.delete(record.id);
      if (!spoilt.has(record.id)) spoilt.set(record.id, `${name}: ${error.message}`);
    }
  });
  const { log } = stream.account.context;
  for (const [id, what] of spoilt) {
    log.error(`Consumer of stream '${stream.account.name} > ${stream.name}' was dropped, what is stored of it is damaged: ${what}`);
    persistence.drop(id);
  }
  for (const { name, damage } of consumers.values()) {
    if (damage !== "") log.error(`Consumer '${stream.account.name} > ${stream.name} > ${name}' goes on from an earlier state, what is stored of it is damaged: ${damage}`);
  }
  return { consumers: [...consumers.values()], offline: [...offline.values()] };
}

function apply({ id, body, hasGap }: LogRecord, consumers: Map<number, RecoveredConsumer>, offline: Map<number, Offline>, spoilt: Map<number, string>): void {
  if (spoilt.has(id)) {
    // Once deleted, there is nothing left to regret.
    if (body?.[0] === RecordKind.Deleted) spoilt.delete(id);
    return;
  }
  const consumer = consumers.get(id);
  const damage = body === undefined ? "a record can not be read" : hasGap ? "a record is missing" : "";
  if (damage !== "") {
    if (consumer !== undefined) consumer.damage ||= damage;
    else if (!offline.has(id)) throw new RecordError(damage);
  }
  if (body === undefined) return;
  const reader = new RecordReader(body);
  const kind = reader.number();
  switch (kind) {
    case RecordKind.Deleted:
      consumers.delete(id);
      offline.delete(id);
      return;
    case RecordKind.Defined:
      return define(id, reader.rest(), consumers, offline);
    case RecordKind.Whole:
    case RecordKind.Changes:
      if (consumer !== undefined) return take(consumer, kind, reader);
      if (offline.has(id)) return;
      throw new RecordError("its definition is missing");
    default:
      throw new RecordError(`unknown kind of record ${kind}`);
  }
}

function take(consumer: RecoveredConsumer, kind: RecordKind.Whole | RecordKind.Changes, reader: RecordReader): void {
  if (kind === RecordKind.Whole) {
    readWhole(reader, consumer.state);
    consumer.damage = "";
  } else if (consumer.damage === "") readChanges(reader, consumer.state);
}

function define(id: number, json: string, consumers: Map<number, RecoveredConsumer>, offline: Map<number, Offline>): void {
  const { name, created, config } = parseDefinition(json);
  const present = consumers.get(id);
  try {
    const known = storedConfig(config);
    const level = storedLevel(known);
    if (level > API_LEVEL) throw new JsonError(`required API level: ${level}, current API level: ${API_LEVEL}`);
    if (present !== undefined) present.config = known;
    else consumers.set(id, { id, name, createdNs: BigInt(created), config: known, state: new ConsumerState(settlingOf(known.ack_policy), 1), damage: "" });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    consumers.delete(id);
    offline.set(id, { id, name, reason: `unsupported - ${error.message}` });
  }
}

function parseDefinition(json: string): Definition {
  try {
    return JSON.parse(json) as Definition;
  } catch {
    throw new RecordError("its definition can not be read");
  }
}

/** A state may not claim more than the stream has: the stream may have lost its end, or messages went while the server was down. */
export function reconcile(state: ConsumerState, store: MessageStore): void {
  const { firstSeq, lastSeq } = store.state;
  state.clampTo(lastSeq);
  const isGone = (seq: number): boolean => seq < firstSeq || store.next(EVERYTHING, seq, undefined) !== seq;
  const { pending, redelivered } = state;
  for (let slot = pending.head, after = slot; slot >= 0; slot = after) {
    after = pending.after(slot);
    const seq = pending.seqAt(slot);
    if (isGone(seq)) state.settle(seq);
  }
  for (const seq of redelivered.keys()) if (!pending.has(seq) && isGone(seq)) redelivered.delete(seq);
}

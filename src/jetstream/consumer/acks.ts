/**
 * What comes back for a delivery: acknowledged, not yet, still at work, never again, next please. Spec: consumers, section 7.3.
 */
import type { Message, Subscriber } from "../../routing/index.ts";
import { decodeJson, duration, JsonError, object } from "../json/index.ts";
import { parseDuration } from "../../util/duration.ts";
import { fromByteString } from "../../util/bytes.ts";
import type { Address } from "./ack-subject.ts";
import type { Consumer } from "./consumer.ts";

const PLUS = 43;
const ACK = "+ACK";
const OK = "+OK";
const NEXT = "+NXT";
const NAK = "-NAK";
const PROGRESS = "+WPI";
const TERMINATE = "+TERM";

/** Handles one acknowledgement; `address` says of which delivery. The message is valid during the call only. */
export function acknowledge(consumer: Consumer, address: Address, message: Message, origin: Subscriber | undefined): void {
  const reply = message.reply();
  const { buffer, bodyEnd } = message;
  const start = message.bodyStart + message.headerLength;
  const nowMs = consumer.nowMs;
  consumer.used(nowMs);
  // By far the most frequent: nothing, or `+ACK`.
  const length = bodyEnd - start;
  const payload = length === 0 ? "" : length === 4 && buffer[start] === PLUS && buffer[start + 1] === 65 && buffer[start + 2] === 67 && buffer[start + 3] === 75 ? ACK : buffer.latin1Slice(start, bodyEnd);
  const { seq, delivery, deliveries } = address;
  if (payload === "" || payload === ACK || payload === OK) {
    if (settle(consumer, seq, delivery, deliveries, nowMs)) confirm(consumer, reply);
    return;
  }
  if (payload.startsWith(NEXT)) {
    if (settle(consumer, seq, delivery, deliveries, nowMs)) consumer.ask(payload.slice(NEXT.length), reply, origin);
    return;
  }
  if (payload.startsWith(NAK)) refuse(consumer, seq, delivery, deliveries, payload.slice(NAK.length).trim());
  else if (payload === PROGRESS) progress(consumer, seq);
  else if (payload.startsWith(TERMINATE)) {
    if (!terminate(consumer, seq, delivery, deliveries, payload.slice(TERMINATE.length).trim())) return;
  }
  confirm(consumer, reply);
}

function confirm(consumer: Consumer, reply: string): void {
  if (reply !== "") consumer.host.confirm(consumer, reply);
}

/** False when the message can not have been delivered: then nobody gets an answer. */
function settle(consumer: Consumer, seq: number, delivery: number, deliveries: number, nowMs: number): boolean {
  if (!isPlausible(consumer, seq)) return isAnswered(consumer, seq, nowMs);
  if (consumer.state.settling === "through") {
    if (consumer.settleThrough(delivery, seq)) consumer.lastAckedMs = nowMs;
    return true;
  }
  const sentMs = consumer.samplePercent > 0 ? consumer.state.pending.timeOf(seq) : 0;
  settleOne(consumer, seq, nowMs);
  if (sentMs > 0) sample(consumer, seq, delivery, deliveries, nowMs - sentMs);
  return true;
}

function isPlausible(consumer: Consumer, seq: number): boolean {
  return seq > 0 && seq <= consumer.host.stream.store.state.lastSeq && seq < consumer.state.next;
}

/** With flow control what can not have been delivered is answered all the same, and changes nothing. */
function isAnswered(consumer: Consumer, seq: number, nowMs: number): boolean {
  if (seq === 0 || consumer.config.flow_control !== true) return false;
  consumer.lastAckedMs = nowMs;
  return true;
}

/** The message is done with; also when only its count is left, after too many deliveries. */
function settleOne(consumer: Consumer, seq: number, nowMs: number): void {
  consumer.lastAckedMs = nowMs;
  if (consumer.settle(seq)) consumer.host.settled(seq);
  else if (consumer.host.stream.config.retention === "workqueue") settleUnknown(consumer, seq);
}

/** A message that this consumer does not know to be pending, for example after a reset: in a work queue it goes all the same, unless another consumer needs it. */
function settleUnknown({ host }: Consumer, seq: number): void {
  const subject = host.stream.store.subjectOf(seq);
  if (subject !== undefined && !host.isNeeded(seq, subject)) host.settled(seq, subject);
}

function sample(consumer: Consumer, seq: number, delivery: number, deliveries: number, sinceMs: number): void {
  const { samplePercent, context, streamName: stream, name } = consumer;
  if (samplePercent < 100 && context.random.integer(100) >= samplePercent) return;
  consumer.host.stream.account.advise(`METRIC.CONSUMER.ACK.${stream}.${name}`, "consumer_ack", {
    stream,
    consumer: name,
    consumer_seq: delivery,
    stream_seq: seq,
    ack_time: Math.round(sinceMs * 1e6),
    deliveries,
  });
}

function refuse(consumer: Consumer, seq: number, delivery: number, deliveries: number, delay: string): void {
  const { state, streamName: stream, name, queue } = consumer;
  if (delivery <= state.floor.delivery || delivery > state.delivered.delivery + 1 || !state.pending.has(seq)) return;
  consumer.advise("MSG_NAKED", "nak", { stream, consumer: name, consumer_seq: delivery, stream_seq: seq, deliveries });
  const delayMs = readDelay(delay);
  if (delayMs === undefined) {
    queue.push(seq);
    consumer.wake();
    return;
  }
  queue.remove(seq);
  const ackWaitMs = (consumer.config.ack_wait ?? 0) / 1e6;
  const atMs = consumer.nowMs - ackWaitMs + delayMs;
  touch(consumer, seq, atMs);
  consumer.checkBy(atMs + consumer.waitMs(seq));
}

const delayShape = object({ delay: duration }, "ConsumerNakOptions");

/** Milliseconds; undefined when there is no delay, or none that can be read. */
function readDelay(text: string): number | undefined {
  if (text === "") return undefined;
  if (text.startsWith("{")) {
    try {
      return (decodeJson(fromByteString(text), delayShape, false).delay ?? 0) / 1e6;
    } catch (error) {
      if (error instanceof JsonError) return undefined;
      throw error;
    }
  }
  const parsed = parseDuration(fromByteString(text));
  return parsed.ok ? Number(parsed.ns) / 1e6 : undefined;
}

function progress(consumer: Consumer, seq: number): void {
  if (!consumer.state.pending.has(seq)) return;
  const nowMs = consumer.nowMs;
  touch(consumer, seq, nowMs);
  consumer.lastDeliveredMs = nowMs;
}

function touch(consumer: Consumer, seq: number, atMs: number): void {
  consumer.state.pending.touch(seq, atMs);
  consumer.journal?.addTouched(seq, atMs);
  consumer.host.changed(consumer);
}

function terminate(consumer: Consumer, seq: number, delivery: number, deliveries: number, reason: string): boolean {
  const { nowMs } = consumer;
  if (!isPlausible(consumer, seq)) return isAnswered(consumer, seq, nowMs);
  if (consumer.state.settling === "through") {
    if (consumer.settleThrough(delivery, seq)) consumer.lastAckedMs = nowMs;
  } else settleOne(consumer, seq, nowMs);
  const { streamName: stream, name } = consumer;
  consumer.advise("MSG_TERMINATED", "terminated", {
    stream,
    consumer: name,
    consumer_seq: delivery,
    stream_seq: seq,
    deliveries,
    ...(reason === "" ? {} : { reason: fromByteString(reason) }),
  });
  return true;
}

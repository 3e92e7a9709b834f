/**
 * One consumer: what is delivered next, to whom, and what comes back. The pieces have their own files: what is remembered (`state.ts`), how messages leave
 * (`push.ts`, `pull.ts`), acknowledgements (`acks.ts`), idleness (`lifetime.ts`), pauses (`pause.ts`). This is where they meet.
 *
 * A message is first looked at, then offered, and only when somebody took it does the state move: so nothing has to be taken back. Nothing is delivered that
 * is not committed. `numPending` is exact whenever something is delivered, and zero means that there is no need to look into the store.
 */
import { toByteString } from "../../util/bytes.ts";
import type { InternalLink } from "../../links/internal/index.ts";
import type { JetStreamContext } from "../context.ts";
import type { PurgeNotice } from "../seams.ts";
import { inSlices, type Sliced } from "../slices.ts";
import { StoredMessage } from "../store/index.ts";
import { hasWildcard, isSubsetOf, type Subscriber, subjectsOverlap } from "../../routing/index.ts";
import type { ConsumerConfig } from "../wire.ts";
import { AckSubjects } from "./ack-subject.ts";
import { Alarm } from "./alarm.ts";
import { filtersOf, isPersistent } from "./effective.ts";
import { type ConsumerHost, Outcome, type OutletOwner, type StopReason } from "./host.ts";
import { Journal } from "./journal.ts";
import { Lifetime } from "./lifetime.ts";
import { Pause } from "./pause.ts";
import { PullOutlet } from "./pull.ts";
import { PushOutlet } from "./push.ts";
import { RedeliveryQueue } from "./redeliveries.ts";
import { ReplayPace } from "./replay.ts";
import type { Frozen } from "./start.ts";
import type { ConsumerState } from "./state.ts";
import { samplingPercent } from "./validate.ts";
import { NOTHING, SEARCHING, UNCOMMITTED, Walk } from "./walk.ts";

/** Messages between two looks at the clock. */
const CLOCK_EVERY = 32;
/** Messages that are found due in one go. */
const QUEUED_AT_ONCE = 16_384;
/** Timers for redelivery ring a little late, so that messages of one moment go together. */
const CHECK_SLACK_MS = 1;
/** And later the more are pending: looking at all of them must not take more than a small part of the time. */
const CHECKED_PER_MS = 10_000;

/** The message on offer; all consumers share it, since one delivers at a time. */
const view = new StoredMessage();
const offer = { message: view, ack: "", header: "", bodyEnd: 0 };

/** Why a pending message was settled without its client. */
export const GONE = "Unacknowledged message was deleted";

export class Consumer implements OutletOwner {
  readonly queue = new RedeliveryQueue();
  readonly acks: AckSubjects;
  readonly lifetime: Lifetime;
  readonly pause: Pause;
  /** Undefined when nothing of this consumer is kept. */
  readonly journal: Journal | undefined;
  readonly push: PushOutlet | undefined;
  readonly pull: PullOutlet | undefined;
  readonly walk: Walk;
  /** Milliseconds since the Unix epoch; 0: never since the start. */
  lastDeliveredMs = 0;
  lastAckedMs = 0;
  samplePercent: number;
  /** It would deliver if there were anything: new messages wake it. */
  isHungry = false;
  isClosed = false;
  // The registry's marks.
  /** In the queue of those to run. */
  isWoken = false;
  isAwaitingCommit = false;
  isDirty = false;
  /** The last round over matching consumers that came by. */
  round = 0;
  /** Number in the log. */
  logId = 0;
  /** Messages that were delivered under other filters may be pending. */
  hasStrays = false;
  readonly #replay: ReplayPace | undefined;
  readonly #check: Alarm;
  readonly #outlet: PushOutlet | PullOutlet;
  #counted: Promise<void> | undefined;

  constructor(
    readonly host: ConsumerHost,
    readonly name: string,
    public config: ConsumerConfig,
    readonly createdNs: bigint,
    readonly state: ConsumerState,
    /** Sequences to deliver first (see `Start`). */
    frozen?: Frozen,
  ) {
    const { stream } = host;
    const { context } = this;
    this.walk = new Walk(stream.store, state, filtersOf(config).map(toByteString), frozen);
    this.samplePercent = samplingPercent(config.sample_freq);
    this.acks = new AckSubjects(stream.account, stream.name, name);
    this.journal = isPersistent(stream, config) ? new Journal() : undefined;
    this.pause = new Pause(this);
    this.#check = new Alarm(context.clock, () => this.checkPending());
    this.#replay = config.replay_policy === "original" ? new ReplayPace(context.clock, stream.store.state.lastSeq, () => this.wake()) : undefined;
    const isPush = config.deliver_subject !== undefined;
    this.push = isPush ? new PushOutlet(this, { flowPrefix: this.acks.flowPrefix, burstBytes: this.#burstBytes() }) : undefined;
    this.pull = isPush ? undefined : new PullOutlet(this);
    const outlet = this.push ?? this.pull;
    if (outlet === undefined) throw new Error("a consumer pushes or is pulled");
    this.#outlet = outlet;
    this.lifetime = new Lifetime(this);
  }

  /** Counts what waits, and begins. `checkAfterMs`: when messages that were pending before a restart are looked at first. */
  start(checkAfterMs?: number): void {
    this.recount();
    this.pause.start();
    this.push?.checkInterest();
    this.lifetime.start(this.push?.isActive ?? false);
    if (checkAfterMs !== undefined && this.state.pending.size > 0 && this.redeliversByTime) this.#check.set(this.nowMs + checkAfterMs);
    this.wake();
  }

  get context(): JetStreamContext {
    return this.host.stream.account.context;
  }

  get link(): InternalLink {
    return this.host.stream.account.link;
  }

  get streamName(): string {
    return this.host.stream.name;
  }

  get nowMs(): number {
    return this.context.clock.nowMs();
  }

  /** Byte strings; none: everything. */
  get filters(): readonly string[] {
    return this.walk.filters;
  }

  get numPending(): number {
    return this.walk.numPending;
  }

  get isCounting(): boolean {
    return this.walk.isCounting;
  }

  /** Settled when the messages that wait are counted; undefined when they are. */
  get counted(): Promise<void> | undefined {
    return this.isCounting ? this.#counted : undefined;
  }

  /** Counts what waits anew. Nothing is delivered until that is done. */
  recount(): void {
    this.#goOn(this.walk.recount());
  }

  #goOn(counting: Sliced<void> | undefined): void {
    if (counting === undefined) return;
    const work = inSlices(this.context, counting).then(
      () => this.wake(),
      (error: unknown) => this.context.log.error(`Messages for consumer '${this.streamName} > ${this.name}' could not be counted: ${error instanceof Error ? error.message : String(error)}`),
    );
    // Whoever waits, waits for the latest.
    this.#counted = work.then(() => this.counted);
  }

  get numAckPending(): number {
    return this.state.pending.size;
  }

  get numRedeliveries(): number {
    return this.queue.size;
  }

  get lastDelivery(): number {
    return this.state.delivered.delivery;
  }

  get lastPassed(): number {
    return this.state.next - 1;
  }

  get isPaused(): boolean {
    return this.pause.isPaused;
  }

  /** Byte string; empty for a pull consumer. */
  get deliverSubject(): string {
    return toByteString(this.config.deliver_subject ?? "");
  }

  /** Whether deliveries are acknowledged one by one, or up to one. */
  get takesAcks(): boolean {
    return this.config.ack_policy === "explicit" || this.config.ack_policy === "all";
  }

  /** Whether pending messages come again when they are not acknowledged in time. A first step of 0 in `backoff` means that they do not. */
  get redeliversByTime(): boolean {
    return this.takesAcks && (this.config.ack_wait ?? 0) > 0;
  }

  wake(): void {
    this.host.wake(this);
  }

  answer(reply: string, text: string): void {
    this.host.answer(reply, text);
  }

  /** Somebody asks for messages. Byte strings. */
  ask(payload: string, reply: string, origin: Subscriber | undefined): void {
    if (this.pull !== undefined) this.pull.request(payload, reply, origin);
    else if (reply !== "") this.answer(reply, "409 Consumer is push based");
  }

  used(nowMs?: number): void {
    this.lifetime.used(nowMs);
  }

  interestChanged(active: boolean): void {
    this.lifetime.interestChanged(active);
    if (active) this.wake();
  }

  advise(kind: string, type: string, fields: Readonly<Record<string, unknown>>): void {
    this.host.stream.account.advise(`ADVISORY.CONSUMER.${kind}.${this.streamName}.${this.name}`, type, fields);
  }

  // Delivery

  /** Delivers up to `quantum` messages, until `untilMs` (monotonic). Whether there is more to do at once. */
  run(quantum: number, untilMs: number): boolean {
    this.isHungry = false;
    if (this.isClosed || this.isCounting) return false;
    let nowMs = this.nowMs;
    for (let n = 1; n <= quantum; n++) {
      if (this.isPaused) {
        this.#outlet.drained();
        return false;
      }
      if (!this.#outlet.isReady) return false;
      const seq = this.#look(nowMs);
      if (seq <= NOTHING) return this.#rest(seq);
      const isRepeated = this.state.pending.has(seq);
      if (!isRepeated && this.#replay?.mayDeliver(view, nowMs) === false) return false;
      if (!this.#deliver(seq, isRepeated, nowMs)) {
        // Requests that are not eligible wait for other figures, which come with more messages; to those that do not wait there is nothing for them.
        this.pull?.drained();
        this.isHungry = this.pull !== undefined && this.#outlet.isReady;
        return false;
      }
      if (n % CLOCK_EVERY === 0) {
        nowMs = this.nowMs;
        if (this.context.clock.monotonicMs() > untilMs) return true;
      }
    }
    return true;
  }

  /** Nothing to deliver now: who wants no waiting is told, and new messages wake the consumer. Whether to look on. */
  #rest(found: number): boolean {
    if (found === SEARCHING) return true;
    if (found === UNCOMMITTED) this.host.wakeOnCommit(this);
    else if (!this.isStalled) this.#outlet.drained();
    this.isHungry = true;
    return false;
  }

  /** As many messages are pending as may be. */
  get isStalled(): boolean {
    const max = this.config.max_ack_pending ?? 0;
    return max > 0 && this.state.settling !== "none" && this.state.pending.size >= max;
  }

  /** The next message to deliver, in `view`. */
  #look(nowMs: number): number {
    const { queue, state } = this;
    for (let seq = queue.peek(); seq !== 0; seq = queue.peek()) {
      if (!state.pending.has(seq)) queue.remove(seq);
      else if (this.#isExhausted(seq)) this.exhaust(seq);
      else if (this.host.stream.store.load(seq, view)) return seq;
      else this.settleGone(seq, nowMs);
    }
    return this.isStalled ? NOTHING : this.walk.look(view);
  }

  /** False when nobody takes it. */
  #deliver(seq: number, isRepeated: boolean, nowMs: number): boolean {
    const { state } = this;
    const count = isRepeated ? state.deliveriesOf(seq) + 1 : 1;
    const ack = this.acks.of(view, count, state.delivered.delivery + 1, isRepeated ? this.numPending : Math.max(0, this.numPending - 1));
    const { headers_only: withoutPayload } = this.config;
    const header = withoutPayload === true ? `Nats-Msg-Size: ${view.end - view.bodyStart}\r\n` : "";
    const { subject } = view;
    offer.ack = ack;
    offer.header = header;
    offer.bodyEnd = withoutPayload === true ? view.bodyStart : view.end;
    if (this.#outlet.offer(offer, nowMs) === Outcome.Blocked) return false;
    this.lastDeliveredMs = nowMs;
    this.lifetime.used(nowMs);
    if (isRepeated) this.#delivered(seq, nowMs);
    else this.#deliveredFirst(seq, subject, nowMs);
    if (this.config.ack_policy === "flow_control" && this.isStalled) this.push?.ask();
    return true;
  }

  #deliveredFirst(seq: number, subject: string, nowMs: number): void {
    const { state } = this;
    state.deliver(seq, nowMs);
    this.walk.delivered();
    this.#replay?.delivered(view);
    if (state.settling === "none") {
      if (this.journal !== undefined) this.journal.isDirty = true;
      this.host.changed(this);
      this.host.settled(seq, subject);
      return;
    }
    this.journal?.addDelivered(seq, state.delivered.delivery);
    this.host.changed(this);
    if (this.redeliversByTime) this.#check.setBy(nowMs + this.waitMs(seq) + CHECK_SLACK_MS);
  }

  #delivered(seq: number, nowMs: number): void {
    this.queue.remove(seq);
    this.state.redeliver(seq, nowMs);
    this.journal?.addRedelivered(seq, this.state.redelivered.get(seq) ?? 0);
    this.host.changed(this);
    if (this.redeliversByTime) this.#check.setBy(nowMs + this.waitMs(seq) + CHECK_SLACK_MS);
  }

  // Redelivery

  /** How long the last delivery of a message may go unacknowledged, milliseconds. */
  waitMs(seq: number): number {
    const { backoff } = this.config;
    if (backoff === undefined || backoff.length === 0) return (this.config.ack_wait ?? 0) / 1e6;
    return backoff[Math.min(this.state.deliveriesOf(seq) - 1, backoff.length - 1)] / 1e6;
  }

  #isExhausted(seq: number): boolean {
    const max = this.config.max_deliver ?? -1;
    return max > 0 && this.state.deliveriesOf(seq) >= max;
  }

  /** Queues what is due, in the order of sequences. */
  checkPending(): void {
    if (!this.redeliversByTime || this.isClosed) return;
    const nowMs = this.nowMs;
    const { pending } = this.state;
    let nextMs = Number.POSITIVE_INFINITY;
    let queued = 0;
    for (let slot = pending.head, after = slot; slot >= 0; slot = after) {
      after = pending.after(slot);
      const seq = pending.seqAt(slot);
      if (this.queue.has(seq)) continue;
      const dueMs = pending.timeAt(slot) + this.waitMs(seq);
      if (dueMs > nowMs) nextMs = Math.min(nextMs, dueMs);
      else if (queued === QUEUED_AT_ONCE) {
        nextMs = nowMs;
        break;
      } else {
        queued++;
        if (this.config.max_deliver === 1) this.exhaust(seq);
        else this.queue.push(seq);
      }
    }
    this.#check.set(nextMs + CHECK_SLACK_MS + pending.size / CHECKED_PER_MS);
    if (queued > 0) this.wake();
  }

  /** Pending messages are looked at `atMs` at the latest. */
  checkBy(atMs: number): void {
    if (this.redeliversByTime) this.#check.setBy(atMs + CHECK_SLACK_MS);
  }

  /** A message has used up its deliveries. */
  exhaust(seq: number): void {
    const deliveries = this.config.max_deliver ?? 0;
    this.queue.remove(seq);
    this.state.exhaust(seq);
    this.journal?.addExhausted(seq);
    this.lastDeliveredMs = this.nowMs;
    this.host.changed(this);
    this.advise("MAX_DELIVERIES", "max_deliver", { stream: this.streamName, consumer: this.name, stream_seq: seq, deliveries });
    this.wake();
  }

  // Settling

  /** Settles a message that is pending, or was given up; false when it is neither. */
  settle(seq: number): boolean {
    if (this.queue.size > 0) this.queue.remove(seq);
    const hadCount = this.state.redelivered.size > 0 && this.state.redelivered.has(seq);
    const stalled = this.isStalled;
    if (!this.state.settle(seq) && !hadCount) return false;
    this.journal?.addSettled(seq);
    this.host.changed(this);
    if (stalled) this.wake();
    return true;
  }

  /** Settles everything up to a message; false when that was done before. */
  settleThrough(delivery: number, seq: number): boolean {
    const previous = this.state.floor.seq;
    const stalled = this.isStalled;
    const done = this.state.settleThrough(delivery, seq, (settled) => void this.queue.remove(settled));
    if (!done) return false;
    if (this.journal !== undefined) this.journal.isDirty = true;
    this.host.changed(this);
    this.host.settledRange(previous + 1, seq);
    if (stalled) this.wake();
    return true;
  }

  /** The client says, by flow control, that it has everything up to `seq`. `delivery` may be 0. */
  acknowledgeThrough(delivery: number, seq: number): void {
    if (seq >= this.state.next) return;
    const known = delivery > 0 ? delivery : this.state.pending.deliveryOf(seq);
    if (this.settleThrough(known > 0 ? known : this.state.delivered.delivery, seq)) this.lastAckedMs = this.nowMs;
  }

  /** A pending message that left the stream: nobody can acknowledge it any more. */
  settleGone(seq: number, nowMs: number, reason = GONE): void {
    const delivery = this.state.pending.deliveryOf(seq);
    const deliveries = this.#deliveriesTold(seq);
    this.lastAckedMs = nowMs;
    // As with every termination: where acknowledgements count for all before, this one does, too.
    if (this.state.settling === "through") this.settleThrough(delivery, seq);
    else this.settle(seq);
    this.#adviseGone(seq, delivery, deliveries, reason);
  }

  /** As the reference has it for a message that went: the first delivery again does not count. */
  #deliveriesTold(seq: number): number {
    return this.state.redelivered.get(seq) ?? 1;
  }

  #adviseGone(seq: number, delivery: number, deliveries: number, reason: string): void {
    const { streamName: stream, name: consumer } = this;
    this.advise("MSG_TERMINATED", "terminated", { stream, consumer, consumer_seq: delivery, stream_seq: seq, deliveries, reason });
  }

  // What happens to the stream

  /** A matching message was appended. */
  stored(seq: number): void {
    this.walk.stored(seq);
    if (this.isHungry) this.host.wakeOnCommit(this);
  }

  /** A matching message left. */
  removed(seq: number): void {
    const { state } = this;
    if (state.pending.has(seq)) {
      this.settleGone(seq, this.nowMs);
      return;
    }
    if (state.redelivered.has(seq)) {
      state.redelivered.delete(seq);
      this.journal?.addSettled(seq);
      this.host.changed(this);
    }
    this.walk.removed(seq);
  }

  purged({ below, filter, only }: PurgeNotice): void {
    const { state, filters } = this;
    const { store } = this.host.stream;
    if (filter !== undefined && filters.length > 0 && !filters.some((own) => subjectsOverlap(own, filter))) return;
    const before = positionOf(state);
    // Roll-ups come with every message of some streams: they must not cost a count.
    const isOwn = only !== undefined && (filters.length === 0 || (filter !== undefined && !hasWildcard(filter)));
    if (isOwn) this.walk.removed(only);
    const { size } = state.pending;
    const delivery = only === undefined ? 0 : state.pending.deliveryOf(only);
    const deliveries = only === undefined ? 0 : this.#deliveriesTold(only);
    if (filter === undefined || (filters.length > 0 && filters.every((own) => isSubsetOf(own, filter)))) {
      const first = filter === undefined ? Math.max(store.state.firstSeq, below) : (store.next([filter], 1, undefined) || store.state.lastSeq + 1);
      state.purgeBelow(first);
    } else {
      const { firstSeq } = store.state;
      // A floor that is behind the first message already stays where settling puts it.
      const isRelated = filters.length === 0 || filters.some((own) => isSubsetOf(own, filter) || isSubsetOf(filter, own));
      const isBehind = state.floor.seq >= firstSeq;
      if (isRelated) state.purgeBelow(firstSeq);
      if (only !== undefined && (isBehind || !isRelated)) state.settle(only);
      else state.dropPending(only === undefined ? (seq) => !store.has(seq) : (seq) => seq === only);
    }
    if (state.pending.size < size) this.lastAckedMs = this.nowMs;
    if (only !== undefined && delivery > 0) this.#adviseGone(only, delivery, deliveries, GONE);
    if (state.pending.size === 0) this.queue.clear();
    else if (this.queue.size > 0) for (const seq of this.queue.values()) if (!state.pending.has(seq)) this.queue.remove(seq);
    if (!isOwn) this.recount();
    if (positionOf(state) !== before) this.rewritten();
    this.wake();
  }

  /** The stream begins far behind the floor: what is below is settled. */
  liftFloor(first: number): void {
    const { state } = this;
    for (let lowest = state.pending.firstSeq; lowest !== 0 && lowest < first; lowest = state.pending.firstSeq) {
      this.settleGone(lowest, this.nowMs, "Message deleted by stream limits");
    }
    if (state.floor.seq >= first - 1) return;
    state.purgeBelow(first);
    this.rewritten();
  }

  /** The state changed by more than events tell. */
  rewritten(): void {
    this.journal?.rewrite();
    this.host.changed(this);
  }

  // Life

  /** Takes up another configuration, which was checked. */
  update(config: ConsumerConfig, filtersChanged: boolean): void {
    const previous = this.config;
    this.config = config;
    this.samplePercent = samplingPercent(config.sample_freq);
    if (filtersChanged) {
      this.#goOn(this.walk.restart(filtersOf(config).map(toByteString)));
      if (this.state.pending.size > 0 || this.state.redelivered.size > 0) this.hasStrays = true;
    }
    this.#outlet.configChanged(config);
    if (previous.deliver_subject !== config.deliver_subject) this.#requeueAll();
    if (previous.ack_wait !== config.ack_wait || JSON.stringify(previous.backoff) !== JSON.stringify(config.backoff)) this.checkBy(this.nowMs);
    if (previous.inactive_threshold !== config.inactive_threshold) this.lifetime.start(this.push?.isActive ?? false);
    this.wake();
  }

  #requeueAll(): void {
    const { pending } = this.state;
    for (let slot = pending.head; slot >= 0; slot = pending.after(slot)) this.queue.push(pending.seqAt(slot));
  }

  /** Starts anew at `next`. */
  reset(next: number): void {
    this.state.restart(next);
    this.queue.clear();
    this.#goOn(this.walk.restart(this.filters));
    this.lastAckedMs = this.lastDeliveredMs = 0;
    this.hasStrays = false;
    this.#check.cancel();
    this.#outlet.restarted();
    this.rewritten();
    this.wake();
  }

  stop(reason: StopReason): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#check.cancel();
    this.#replay?.stop();
    this.pause.stop();
    this.lifetime.stop();
    this.#outlet.stop(reason);
  }

  #burstBytes(): number {
    const { stream } = this.host;
    if (stream.config.max_msg_size > 0) return stream.config.max_msg_size;
    const { maxPayload } = this.link.account.limits;
    return maxPayload > 0 ? maxPayload : this.context.settings.maxPayload;
  }
}

/** Changes whenever a purge changes what is remembered. */
function positionOf({ next, floor, delivered, pending, redelivered }: ConsumerState): string {
  return `${next} ${floor.seq} ${floor.delivery} ${delivered.seq} ${pending.size} ${redelivered.size}`;
}

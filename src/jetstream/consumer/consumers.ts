/**
 * The consumers of one stream: who they are, whom a message concerns, and whose turn it is to deliver.
 *
 * Nothing is delivered while bytes are being parsed. Whatever makes a delivery possible (a commit, a request, an acknowledgement, a subscription) wakes a consumer;
 * at the end of the turn those that are awake deliver in turns, a quantum each, for a few milliseconds at most, and the rest goes on in the next turn.
 */
import { toByteString } from "../../util/bytes.ts";
import { timestamp } from "../../util/timestamp.ts";
import { shortHash } from "../../util/shorthash.ts";
import { apiError } from "../api/errors.ts";
import type { ConsumerStream, PurgeNotice, StreamConsumers } from "../seams.ts";
import { inSlices, type Sliced } from "../slices.ts";
import { type Listing, StoredMessage } from "../store/index.ts";
import type { ConsumerConfig, ConsumerInfo, StreamConfig } from "../wire.ts";
import { Consumer } from "./consumer.ts";
import { checkCapacity, checkWorkQueue } from "./admission.ts";
import { inWireOrder, withThreshold } from "./config.ts";
import { isPersistent } from "./effective.ts";
import type { ConsumerHost, StopReason } from "./host.ts";
import { type ArchivedState, archivedState, type ConfigDetail, consumerInfo, restoreState } from "./info.ts";
import { ConsumerMatches } from "./matches.ts";
import { ConsumerPersistence } from "./persistence.ts";
import { type Offline, recoverConsumers, reconcile, storedConfig } from "./recovery.ts";
import { type Frozen, listOf, startOf } from "./start.ts";
import { ConsumerState, settlingOf } from "./state.ts";
import { checkUpdate, sameConfig, sameFilters } from "./update.ts";

/** Time of one turn for deliveries, and messages of one consumer until it is the next one's turn. */
const SLICE_MS = 4;
const QUANTUM = 256;
/** Pending messages of before a restart are looked at after this long, at the latest. */
const CHECK_MIN_MS = 500;
const CHECK_SPAN_MS = 1000;
/** Floors that fell far behind the stream are lifted after this long. */
const LIFT_MIN_MS = 60_000;
const LIFT_SPAN_MS = 60_000;
const FLOOR_LAG_MAX = 50;

export type Action = "" | "create" | "update";

/** As long as a name of a file may be: there the reference keeps consumers. */
const STORED_NAME_MAX_BYTES = 255;

const view = new StoredMessage();

/** The list that a new consumer begins with, while it is made. */
interface ListMaking {
  listing: Listing | undefined;
  /** Messages went that nobody was told of one by one: it has to be made again. */
  isSpoilt: boolean;
}

export class Consumers implements StreamConsumers, ConsumerHost {
  readonly #byName = new Map<string, Consumer>();
  readonly #offline = new Map<string, Offline>();
  readonly #matches = new ConsumerMatches();
  readonly #persistence: ConsumerPersistence;
  /** Consumers with pending messages that their filters do not match any more. */
  readonly #strays = new Set<Consumer>();
  #ready: Consumer[] = [];
  #awaitingCommit: Consumer[] = [];
  /** To send at the end of the turn. */
  #answers: { readonly reply: string; readonly header: string; readonly payload: string }[] = [];
  #direct = 0;
  #scheduled = false;
  #closed = false;
  #lift: { cancel(): void } | undefined = undefined;
  readonly #lists = new Set<ListMaking>();
  /** Registered for the end of the turn. */
  readonly #turn = { flush: (): void => this.#endTurn() };

  constructor(readonly stream: ConsumerStream) {
    this.#persistence = new ConsumerPersistence(
      stream,
      () => this.#schedule(),
      () => this.#byName.values(),
    );
  }

  // Who there is

  get count(): number {
    return this.#byName.size;
  }

  get visibleCount(): number {
    return this.#byName.size - this.#direct;
  }

  get(name: string): Consumer | undefined {
    return this.#byName.get(name);
  }

  /** Why a consumer of that name cannot be used here; undefined when it can, or does not exist. */
  offlineReason(name: string): string | undefined {
    return this.#offline.get(name)?.reason;
  }

  offline(): ReadonlyMap<string, Offline> {
    return this.#offline;
  }

  all(): Iterable<Consumer> {
    return this.#byName.values();
  }

  /** Sorted by name; without direct ones unless asked for. */
  sorted(direct: boolean): Consumer[] {
    return [...this.#byName.values()].filter(({ config }) => direct || config.direct !== true).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  infos({ withConfig, direct }: { readonly withConfig: boolean; readonly direct: boolean }): ConsumerInfo[] {
    const detail: ConfigDetail = withConfig ? "stored" : "none";
    return this.sorted(direct).map((consumer) => consumerInfo(consumer, detail));
  }

  violating(limits: StreamConfig["consumer_limits"]): string[] {
    const { max_ack_pending: pending = 0, inactive_threshold: threshold = 0 } = limits;
    return this.sorted(false)
      .filter(({ config }) => (pending > 0 && (config.max_ack_pending ?? 0) > pending) || (threshold > 0 && (config.inactive_threshold ?? 0) > threshold))
      .map(({ name }) => name);
  }

  /** Changes when the stream is made anew: how copies recognise their origin. */
  get streamIdentity(): string {
    return shortHash(timestamp(this.stream.createdNs));
  }

  // Making, changing, ending

  /**
   * Creates or updates a consumer of a normalised configuration; a promise when the list of messages that it begins with takes long to make. Throws `ApiError`.
   * It delivers nothing before the end of the turn.
   */
  apply(name: string, config: ConsumerConfig, action: Action): Consumer | Promise<Consumer> {
    const present = this.#change(name, config, action);
    if (present !== undefined) return present;
    const { store, config: stream } = this.stream;
    const list = listOf(store, stream, config);
    if (list !== undefined && !Array.isArray(list)) return this.#createListed(name, config, action);
    return this.#create(name, config, list === undefined ? undefined : { sequences: list, end: store.state.lastSeq });
  }

  /** Makes the list first; messages come and go meanwhile. */
  async #createListed(name: string, config: ConsumerConfig, action: Action): Promise<Consumer> {
    const making: ListMaking = { listing: undefined, isSpoilt: false };
    this.#lists.add(making);
    try {
      for (;;) {
        const frozen = await inSlices(this.stream.account.context, this.#makeList(config, making));
        if (this.#closed) throw apiError(10059);
        if (!making.isSpoilt) return this.#change(name, config, action) ?? this.#create(name, config, frozen);
      }
    } finally {
      this.#lists.delete(making);
    }
  }

  *#makeList(config: ConsumerConfig, making: ListMaking): Sliced<Frozen> {
    const { store, config: stream } = this.stream;
    making.isSpoilt = false;
    const list = listOf(store, stream, config) ?? [];
    if (Array.isArray(list)) return { sequences: list, end: store.state.lastSeq };
    making.listing = list;
    while (!list.step()) yield;
    return { sequences: list.found, end: list.end };
  }

  /** The consumer of that name, brought up to date; undefined when there is none, and one may be made. */
  #change(name: string, config: ConsumerConfig, action: Action): Consumer | undefined {
    const offline = this.offlineReason(name);
    if (offline !== undefined) throw apiError(10195, { err: offline });
    const present = this.#byName.get(name);
    if (present !== undefined) {
      const { pause_until, deliver_policy, opt_start_seq, opt_start_time } = present.config;
      // Only PAUSE changes the moment; and who copies from here goes on from where it is.
      const kept = inWireOrder({ ...config, ...(config.sourcing === true ? { deliver_policy, opt_start_seq, opt_start_time } : {}), pause_until });
      if (action === "create" && !sameConfig(present.config, kept)) throw apiError(10148);
      this.#update(present, kept);
      if (present.isPaused) present.pause.advise();
      return present;
    }
    if (action === "update") throw apiError(10149);
    checkCapacity(this.stream, config, this.#byName.values());
    checkWorkQueue(this.stream, config, true, this.#byName.values());
    return undefined;
  }

  #create(name: string, wanted: ConsumerConfig, list: Frozen | undefined): Consumer {
    const { context } = this.stream.account;
    const config = withThreshold(wanted, wanted.durable_name !== undefined);
    if (isPersistent(this.stream, config) && toByteString(name).length > STORED_NAME_MAX_BYTES) throw storeError();
    const start = startOf(this.stream.store, config, list);
    const consumer = new Consumer(this, name, config, context.clock.nowNs(), new ConsumerState(settlingOf(config.ack_policy), start.next), start.frozen);
    try {
      this.#persistence.define(consumer);
    } catch (error) {
      this.#persistence.deleted(consumer);
      consumer.stop("replaced");
      context.log.error(`Consumer '${this.stream.account.name} > ${this.stream.name} > ${name}' can not be written: ${error instanceof Error ? error.message : String(error)}`);
      throw storeError();
    }
    this.#add(consumer);
    consumer.start();
    const { name: stream } = this.stream;
    consumer.advise("CREATED", "consumer_action", { stream, consumer: name, action: "create" });
    if (consumer.isPaused) consumer.pause.advise();
    return consumer;
  }

  #add(consumer: Consumer): void {
    this.#byName.set(consumer.name, consumer);
    this.#matches.add(consumer);
    if (consumer.config.direct === true) this.#direct++;
  }

  #update(consumer: Consumer, wanted: ConsumerConfig): void {
    const config = withThreshold(wanted, consumer.config.durable_name !== undefined);
    const others = [...this.#byName.values()].filter((other) => other !== consumer);
    checkWorkQueue(this.stream, config, false, others);
    checkUpdate(consumer.config, config, () => consumer.push !== undefined && this.stream.account.link.hasInterest(consumer.deliverSubject));
    if (sameConfig(consumer.config, config)) return;
    const filtersChanged = !sameFilters(consumer.config, config);
    if (filtersChanged) this.#matches.remove(consumer);
    consumer.update(config, filtersChanged);
    if (filtersChanged) {
      this.#matches.add(consumer);
      if (consumer.hasStrays) this.#strays.add(consumer);
      this.#recheckAll();
    }
    this.redefine(consumer);
  }

  /** Writes down a changed configuration. */
  redefine(consumer: Consumer): void {
    try {
      this.#persistence.define(consumer);
    } catch (error) {
      // It is tried again with the next write.
      this.stream.account.context.log.error(`Consumer '${consumer.name}' can not be written: ${error instanceof Error ? error.message : String(error)}`);
      this.#schedule();
    }
  }

  /** Sets the moment until which nothing is delivered; undefined: goes on at once. */
  pause(consumer: Consumer, until: string | undefined): void {
    consumer.config = inWireOrder({ ...consumer.config, pause_until: until });
    consumer.pause.changed();
    this.redefine(consumer);
  }

  /** A name nobody has. */
  unusedName(): string {
    for (;;) {
      const name = shortHash(this.stream.account.context.nuid());
      if (!this.#byName.has(name) && !this.#offline.has(name)) return name;
    }
  }

  /** Ends a consumer, with its advisory. */
  delete(consumer: Consumer): void {
    if (this.#byName.get(consumer.name) !== consumer) return;
    this.#byName.delete(consumer.name);
    this.#matches.remove(consumer);
    this.#strays.delete(consumer);
    if (consumer.config.direct === true) this.#direct--;
    this.#end(consumer);
    this.#persistence.deleted(consumer);
    if (this.stream.config.retention === "interest") this.#recheckAll();
  }

  /** Forgets a consumer that could not be loaded. False when there is none. */
  deleteOffline(name: string): boolean {
    const offline = this.#offline.get(name);
    if (offline === undefined) return false;
    this.#offline.delete(name);
    this.#persistence.drop(offline.id);
    return true;
  }

  #end(consumer: Consumer): void {
    consumer.advise("DELETED", "consumer_action", { stream: this.stream.name, consumer: consumer.name, action: "delete" });
    consumer.stop("deleted");
  }

  /** Messages may have lost the last consumer that needed them. */
  #recheckAll(): void {
    if (this.stream.config.retention !== "interest") return;
    const { firstSeq, lastSeq } = this.stream.store.state;
    this.stream.settledRange(firstSeq, lastSeq);
  }

  /** Starts a consumer anew at `next`. */
  reset(consumer: Consumer, next: number): void {
    consumer.reset(next);
    this.#strays.delete(consumer);
    this.redefine(consumer);
    // Who goes beyond the end says nothing about what is there.
    if (next <= this.stream.store.state.lastSeq + 1) this.#recheckAll();
  }

  expired(consumer: Consumer): void {
    this.delete(consumer);
  }

  deleteAll(): void {
    this.#closed = true;
    for (const consumer of this.#byName.values()) this.#end(consumer);
    this.#byName.clear();
    this.#lift?.cancel();
    this.#persistence.abandon();
  }

  stop(): void {
    this.#stopAll("shutdown");
    this.#persistence.close();
  }

  #stopAll(reason: StopReason): void {
    this.#closed = true;
    this.#lift?.cancel();
    for (const consumer of this.#byName.values()) consumer.stop(reason);
  }

  // What happens to messages

  hasInterest(subject: string): boolean {
    return this.#matches.any(subject);
  }

  isNeeded(seq: number, subject: string): boolean {
    if (this.#matches.some(subject, needs, seq)) return true;
    for (const consumer of this.#strays) if (consumer.state.pending.has(seq)) return true;
    return false;
  }

  stored(seq: number, subject: string): void {
    this.#matches.each(subject, stored, seq);
  }

  committed(_seq: number): void {
    if (this.#awaitingCommit.length > 0) {
      const woken = this.#awaitingCommit;
      this.#awaitingCommit = [];
      for (const consumer of woken) {
        consumer.isAwaitingCommit = false;
        this.#enqueue(consumer);
      }
    }
    if (this.#ready.length > 0) this.#deliver();
  }

  takenBack(firstSeq: number): void {
    for (const list of this.#lists) list.isSpoilt = true;
    for (const consumer of this.#byName.values()) {
      if (consumer.state.next > firstSeq) consumer.state.next = firstSeq;
      consumer.recount();
    }
  }

  removed(seq: number, subject: string): void {
    this.#matches.each(subject, removed, seq);
    for (const consumer of this.#strays) consumer.removed(seq);
    if (this.#lists.size > 0) for (const { listing } of this.#lists) listing?.removed(seq);
    if (this.#byName.size > 0) this.#liftLater();
  }

  *purged(notice: PurgeNotice): Iterable<void> {
    for (const list of this.#lists) list.isSpoilt = true;
    for (const consumer of [...this.#byName.values()]) {
      if (this.#byName.get(consumer.name) === consumer) consumer.purged(notice);
      yield;
    }
  }

  streamUpdated(_previous: StreamConfig): void {
    // The stream itself looks what nobody needs any more; limits act on later requests.
  }

  /** Floors that lag far behind the first message are lifted by and by. */
  #liftLater(): void {
    if (this.#lift !== undefined || this.#closed) return;
    const { clock, random } = this.stream.account.context;
    this.#lift = clock.after(LIFT_MIN_MS + random.integer(LIFT_SPAN_MS), () => {
      this.#lift = undefined;
      const { firstSeq } = this.stream.store.state;
      for (const consumer of this.#byName.values()) if (consumer.state.floor.seq + FLOOR_LAG_MAX < firstSeq) consumer.liftFloor(firstSeq);
    });
  }

  settled(seq: number, subject?: string): void {
    const { config, store } = this.stream;
    if (config.retention === "limits") return;
    if (subject !== undefined) return this.stream.settled(seq, subject);
    // Only filters make the subject matter.
    if (config.retention === "interest" && (this.#matches.hasFiltered || this.#strays.size > 0)) {
      if (store.load(seq, view)) this.stream.settled(seq, view.subject);
    } else this.stream.settled(seq, "");
  }

  settledRange(first: number, last: number): void {
    if (this.stream.config.retention !== "limits") this.stream.settledRange(first, last);
  }

  // Turns

  wake(consumer: Consumer): void {
    if (this.#closed) return;
    this.#enqueue(consumer);
    this.#schedule();
  }

  wakeOnCommit(consumer: Consumer): void {
    if (consumer.isAwaitingCommit) return;
    consumer.isAwaitingCommit = true;
    this.#awaitingCommit.push(consumer);
  }

  answer(reply: string, text: string): void {
    this.respond(reply, `NATS/1.0 ${text}\r\n\r\n`, "");
  }

  /** Publishes an answer at the end of the turn, before deliveries. Byte strings. */
  respond(reply: string, header: string, payload: string): void {
    this.#answers.push({ reply, header, payload });
    this.#schedule();
  }

  changed(consumer: Consumer): void {
    this.#persistence.changed(consumer);
  }

  confirm(_consumer: Consumer, reply: string): void {
    this.#persistence.confirm(reply);
  }

  #enqueue(consumer: Consumer): void {
    if (consumer.isWoken || consumer.isClosed) return;
    consumer.isWoken = true;
    this.#ready.push(consumer);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.stream.account.context.atEndOfTurn(this.#turn);
  }

  #endTurn(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    this.#sendAnswers();
    // Whoever refuses a message hears that it was heard before the message comes again.
    this.#persistence.flush();
    if (this.#ready.length > 0) this.#deliver();
  }

  flush(): void {
    this.#persistence.flush();
  }

  #sendAnswers(): void {
    if (this.#answers.length === 0) return;
    const answers = this.#answers;
    this.#answers = [];
    for (const { reply, header, payload } of answers) this.stream.account.link.publish(reply, "", header, payload);
  }

  /** Those that are awake deliver, in turns. */
  #deliver(): void {
    const { clock } = this.stream.account.context;
    const untilMs = clock.monotonicMs() + SLICE_MS;
    const ready = this.#ready;
    let at = 0;
    for (; at < ready.length; at++) {
      const consumer = ready[at];
      consumer.isWoken = false;
      if (consumer.run(QUANTUM, untilMs)) this.#enqueue(consumer);
      if (clock.monotonicMs() >= untilMs) {
        at++;
        break;
      }
    }
    this.#ready = ready.slice(at);
    if (this.#ready.length > 0) this.#schedule();
  }

  // Backups and restarts

  export(): { readonly name: string; readonly config: unknown; readonly state: unknown }[] {
    return this.sorted(false).map(({ name, config, state }) => ({ name, config, state: archivedState(state) }));
  }

  /** Throws with the reason when the configuration cannot be understood. */
  import(name: string, config: unknown, state: unknown): void {
    const known = storedConfig(config);
    const restored = new ConsumerState(settlingOf(known.ack_policy), 1);
    restoreState(restored, (state ?? {}) as ArchivedState);
    reconcile(restored, this.stream.store);
    const consumer = new Consumer(this, name, known, this.stream.account.context.clock.nowNs(), restored);
    this.#add(consumer);
    this.#persistence.define(consumer);
    this.#begin(consumer);
  }

  recover(): void {
    const recovered = recoverConsumers(this.stream, this.#persistence);
    for (const { id, name, config, createdNs, state, damage } of recovered.consumers) {
      reconcile(state, this.stream.store);
      const consumer = new Consumer(this, name, config, createdNs, state);
      consumer.logId = id;
      this.#add(consumer);
      this.#begin(consumer);
      // The next record is a whole state, which the next start can go on from.
      if (damage !== "") consumer.rewritten();
    }
    for (const offline of recovered.offline) this.#offline.set(offline.name, offline);
  }

  #begin(consumer: Consumer): void {
    const soonMs = CHECK_MIN_MS + this.stream.account.context.random.integer(CHECK_SPAN_MS);
    consumer.start(Math.min((consumer.config.ack_wait ?? 0) / 1e6, soonMs));
  }
}

function storeError(): Error {
  return apiError(10012, { err: "error creating store for consumer" });
}

function stored(consumer: Consumer, seq: number): void {
  consumer.stored(seq);
}

function removed(consumer: Consumer, seq: number): void {
  consumer.removed(seq);
}

function needs(consumer: Consumer, seq: number): boolean {
  return consumer.state.needs(seq);
}

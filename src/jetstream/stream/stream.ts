/**
 * A stream: messages of some subjects, kept in a store. Here is its life (made, read back, changed, deleted, stopped) and what its parts share: appending, removing, and
 * the end of the turn, when everything stored in the turn is committed, acknowledged and handed on.
 *
 * The parts, each of which knows the stream and not the others' insides: `ingest` judges and stores what is published, `trimmer` enforces limits, `expiry` ages, `dedup` remembers
 * ids, `atomicBatches` and `fastBatches` gather, `schedules` fire, `republisher` copies, `purger` removes, `direct` answers reads.
 */
import { DiskError, type Timer } from "../../platform/index.ts";
import type { InternalSubscription } from "../../links/internal/index.ts";
import type { Message } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import type { JetStreamAccount } from "../account.ts";
import { errorBody } from "../api/errors.ts";
import { Consumers } from "../consumer/index.ts";
import { makeReplenisher } from "../mirror/index.ts";
import type { AssetFiles, AssetStream, ConsumerStream, Replenisher, SourcedStream, StreamConsumers } from "../seams.ts";
import { finishNow, inSlices, type Sliced } from "../slices.ts";
import { type MessageStore, type NewMessage, type RemovedMessage, StoredMessage, openAssetFiles } from "../store/index.ts";
import type { StreamConfig, StreamInfo } from "../wire.ts";
import { PublishAcks } from "./acks.ts";
import { AtomicBatches } from "./atomicbatch.ts";
import { DuplicateWindow } from "./dedup.ts";
import { DirectReader } from "./direct.ts";
import { Expiry } from "./expiry.ts";
import { FastBatches } from "./fastbatch.ts";
import { type StreamFolder, openFolder } from "./folder.ts";
import { H, headerOf } from "./headers.ts";
import { listedInfo } from "./info.ts";
import { Ingest } from "./ingest.ts";
import { Mark } from "./judgement.ts";
import { Purger } from "./purge.ts";
import { Republisher } from "./republish.ts";
import { Retention } from "./retention.ts";
import { Schedules } from "./schedules.ts";
import { type OpenedStore, openStore, storeOptions } from "./openstore.ts";
import { Sourcing } from "./sourcing.ts";
import { Stamp } from "./stamp.ts";
import { Sweeps } from "./sweep.ts";
import { Traces } from "./tracing.ts";
import { Trimmer } from "./trim.ts";

/** Removals that no message follows are written after this long. */
const LATE_FLUSH_MS = 100;
const view = new StoredMessage();

/** A power failure came while the stream was being made, and nobody was told that it exists. What there was of it is gone. */
export class UnfinishedError extends Error {}

export class Stream implements AssetStream, ConsumerStream, SourcedStream {
  readonly name: string;
  /** Byte string. */
  readonly nameBytes: string;
  readonly folder: StreamFolder;
  readonly files: AssetFiles;
  readonly store: MessageStore;
  readonly consumers: StreamConsumers;
  readonly acks: PublishAcks;
  readonly traces = new Traces();
  readonly stamp: Stamp;
  readonly dedup: DuplicateWindow;
  readonly trimmer: Trimmer;
  readonly expiry: Expiry;
  readonly schedules: Schedules;
  readonly republisher: Republisher;
  readonly atomicBatches: AtomicBatches;
  readonly fastBatches: FastBatches;
  readonly purger: Purger;
  readonly sweeps: Sweeps;
  readonly ingest: Ingest;
  readonly direct: DirectReader;
  readonly #retention: Retention;
  readonly #sourcing: Sourcing;
  /** Fills the stream from others; undefined for most. */
  replenisher: Replenisher | undefined = undefined;
  /** Of a new stream: settled when a power failure cannot take it back any more; undefined when it need not, or already does. */
  lasting: Promise<void> | undefined = undefined;
  /** Highest sequence given out. */
  lastSeq: number;
  /** Message id of the last stored message; empty when it has none. */
  lastMsgId = "";
  readonly #subscriptions = new Map<string, InternalSubscription>();
  /** Sequences without messages that are not committed yet. */
  #passedOver = 0;
  /** Bytes that the account counts for this stream. */
  #countedBytes = 0;
  #touched = false;
  #closed = false;
  /** A write failed, and none succeeded since. */
  #writeError: Error | undefined = undefined;
  #lateFlush: Timer | undefined = undefined;
  #pruning: Timer | undefined = undefined;

  private constructor(
    readonly account: JetStreamAccount,
    public config: StreamConfig,
    readonly createdNs: bigint,
    opened: OpenedStore,
  ) {
    this.name = config.name;
    this.nameBytes = toByteString(config.name);
    const { context } = account;
    this.files = openAssetFiles(context, account.name, config.name);
    this.folder = openFolder(account, config.name, config.storage, this.files);
    this.store = opened.store;
    opened.events = {
      onCommitted: (seq) => this.#onCommitted(seq),
      onFailed: (firstSeq, error) => this.#onFailed(firstSeq, error),
    };
    this.lastSeq = this.store.state.lastSeq;
    this.acks = new PublishAcks(account.link, config.name, context.settings.domain);
    this.stamp = new Stamp(context.clock);
    this.dedup = new DuplicateWindow(windowMs(config));
    this.sweeps = new Sweeps(this);
    this.purger = new Purger(this);
    this.trimmer = new Trimmer(this);
    this.expiry = new Expiry(this);
    this.schedules = new Schedules(this);
    this.republisher = new Republisher(this);
    this.#retention = new Retention(this);
    this.#sourcing = new Sourcing(this);
    this.consumers = new Consumers(this);
    this.ingest = new Ingest(this);
    this.atomicBatches = new AtomicBatches(this);
    this.fastBatches = new FastBatches(this);
    this.direct = new DirectReader(this);
    this.countUsage();
  }

  // Life

  /** Makes a stream of a normalised configuration. Throws when its files cannot be made, and leaves nothing of it. */
  static create(account: JetStreamAccount, config: StreamConfig, createdNs: bigint): Stream {
    const folder = openFolder(account, config.name, config.storage, openAssetFiles(account.context, account.name, config.name));
    folder.make();
    const stream = new Stream(account, config, createdNs, finishNow(openStore(account, config, folder)));
    try {
      stream.lasting = stream.folder.writeConfig(config, createdNs);
    } catch (error) {
      stream.#remove();
      throw error;
    }
    finishNow(stream.#recoverState(false));
    stream.#open();
    return stream;
  }

  /** Makes a stream in memory with what a restore has put there for it, in slices. */
  static takeOver(account: JetStreamAccount, config: StreamConfig, createdNs: bigint, staged: OpenedStore): Promise<Stream> {
    return inSlices(account.context, Stream.#takingOver(account, config, createdNs, staged));
  }

  static *#takingOver(account: JetStreamAccount, config: StreamConfig, createdNs: bigint, staged: OpenedStore): Sliced<Stream> {
    const stream = new Stream(account, config, createdNs, staged);
    yield* stream.#recoverState(true);
    stream.#retention.recover();
    stream.#open();
    return stream;
  }

  /** Reads a stream back from its folder, in slices; nobody sees it before all of it is there. Rejects with the reason when it cannot be, or with `UnfinishedError`. */
  static recover(account: JetStreamAccount, folder: string): Promise<Stream> {
    return inSlices(account.context, Stream.#recovering(account, folder));
  }

  static *#recovering(account: JetStreamAccount, path: string): Sliced<Stream> {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const folder = openFolder(account, name, "file", openAssetFiles(account.context, account.name, name));
    if (folder.isUnfinished) {
      folder.remove();
      throw new UnfinishedError();
    }
    const { config, createdNs } = folder.readConfig();
    const stream = new Stream(account, config, createdNs, yield* openStore(account, config, folder));
    try {
      stream.#dropHalfBatch();
      const isUnclean = stream.folder.takeCleanMark() !== true;
      yield* stream.#recoverState(isUnclean);
      stream.consumers.recover();
      if (isUnclean) stream.#retention.recover();
    } catch (error) {
      stream.#close();
      throw error;
    }
    stream.#open();
    return stream;
  }

  /** Everything that follows from what is stored. `unclean`: the last turn may be incomplete. */
  *#recoverState(unclean: boolean): Sliced<void> {
    const { state } = this.store;
    this.lastSeq = state.lastSeq;
    this.stamp.atLeast(state.lastSeconds, state.lastNanos);
    yield* this.#recoverIds();
    if (unclean) yield* this.trimmer.recover();
    yield* this.expiry.recover();
    this.schedules.recover();
    this.countUsage();
  }

  #open(): void {
    this.expiry.start();
    this.account.add(this);
    this.#subscribe();
    this.#replenish();
    this.direct.configure();
    this.touch();
  }

  /** Takes up another configuration, which is allowed (`checkUpdate`). A promise when what is over its limits takes a while to go. Throws when it cannot be written. */
  update(config: StreamConfig): Promise<unknown> | undefined {
    this.settle();
    const previous = this.config;
    this.folder.writeConfig(config, this.createdNs);
    this.config = config;
    this.dedup.windowMs = windowMs(config);
    if (this.dedup.windowMs === 0) this.dedup.clear();
    this.store.configure(storeOptions(this.account, config));
    this.ingest.configure();
    this.trimmer.configure();
    this.republisher.configure();
    const trimmed = this.trimmer.trimAll();
    this.expiry.configure();
    this.schedules.configure();
    if (!config.allow_atomic) this.atomicBatches.dropAll();
    if (!config.allow_batched) this.fastBatches.dropAll();
    this.#subscribe();
    this.consumers.streamUpdated(previous);
    this.#retention.changed(previous);
    this.#replenish();
    this.direct.configure();
    this.touch();
    return trimmed instanceof Promise ? trimmed : undefined;
  }

  /** Ends the stream and removes all it has. */
  delete(): void {
    this.account.remove(this);
    this.#unsubscribe();
    this.replenisher?.stop(true);
    this.consumers.deleteAll();
    this.#remove();
  }

  /** The server stops: everything is written, nothing is removed. */
  stop(): void {
    if (this.#closed) return;
    this.#unsubscribe();
    this.replenisher?.stop(false);
    this.settle();
    this.consumers.stop();
    this.schedules.save();
    this.#close();
    this.folder.leaveCleanMark();
  }

  #close(): void {
    this.#endTimers();
    this.store.close();
    this.#giveUsageBack();
  }

  #remove(): void {
    this.#endTimers();
    this.store.destroy();
    this.#giveUsageBack();
    this.folder.remove();
  }

  #endTimers(): void {
    this.#closed = true;
    this.expiry.stop();
    this.schedules.stop();
    this.atomicBatches.dropAll();
    this.fastBatches.dropAll();
    this.direct.stop();
    this.#lateFlush?.cancel();
    this.#pruning?.cancel();
  }

  #giveUsageBack(): void {
    this.account.addUsage(this.config.storage, -this.#countedBytes);
    this.#countedBytes = 0;
  }

  // Subjects

  #subscribe(): void {
    const wanted = new Set((this.config.subjects ?? []).map(toByteString));
    for (const [subject, subscription] of this.#subscriptions) {
      if (wanted.has(subject)) continue;
      this.account.link.unsubscribe(subscription);
      this.#subscriptions.delete(subject);
    }
    for (const subject of wanted) {
      if (this.#subscriptions.has(subject)) continue;
      this.#subscriptions.set(
        subject,
        this.account.link.subscribe(subject, (message, published) => this.ingest.receive(message, published)),
      );
    }
  }

  #unsubscribe(): void {
    for (const subscription of this.#subscriptions.values()) this.account.link.unsubscribe(subscription);
    this.#subscriptions.clear();
    this.direct.close();
  }

  #replenish(): void {
    const { config } = this;
    const wanted = config.mirror !== undefined || config.sources !== undefined;
    // A mirror that is promoted may have sources at once.
    const isOther = (this.replenisher?.mirrorInfo() === undefined) !== (config.mirror === undefined);
    if (!wanted || isOther) {
      this.replenisher?.stop(true);
      this.replenisher = undefined;
    }
    if (!wanted) return;
    if (this.replenisher !== undefined) this.replenisher.update(config);
    else {
      const replenisher = makeReplenisher(this);
      this.replenisher = replenisher;
      replenisher.start();
    }
  }

  // What parts do to the store

  /** Appends and counts; what follows from the message is its caller's. */
  append(message: NewMessage): number {
    const { store } = this;
    const { subject } = message;
    const previous = this.republisher.isOn ? (store.subjectState(subject)?.last ?? 0) : 0;
    const seq = store.append(message);
    const size = store.sizeOf(subject.length, message.headerEnd - message.headerStart, message.bodyEnd - message.bodyStart);
    this.lastSeq = seq;
    this.#countedBytes += size;
    this.account.addUsage(this.config.storage, size);
    if (this.consumers.count > 0) this.consumers.stored(seq, subject);
    if (this.republisher.isOn) this.republisher.appended(seq, previous);
    if (this.expiry.watchesAge) this.expiry.appended(message.seconds * 1000);
    this.touch();
    return seq;
  }

  /** Uses a sequence up without a message. */
  skip(seconds: number, nanos: number): number {
    const seq = this.lastSeq + 1;
    this.store.skip(seq, seconds, nanos);
    this.lastSeq = seq;
    this.touch();
    return seq;
  }

  removeMessage(seq: number, erase: boolean): RemovedMessage | undefined {
    const removed = this.store.remove(seq, erase);
    if (removed === undefined) return undefined;
    this.#countedBytes -= removed.bytes;
    this.account.addUsage(this.config.storage, -removed.bytes);
    this.consumers.removed(seq, removed.subject);
    this.schedules.removed(seq, removed.subject);
    this.touch();
    return removed;
  }

  /** Accounted bytes of a stored message; 0 when it is not there. */
  storedSize(seq: number): number {
    if (!this.store.load(seq, view)) return 0;
    return this.store.sizeOf(view.subject.length, view.bodyStart - view.headerStart, view.end - view.bodyStart);
  }

  /** Sequences up to `seq` are used up without messages. */
  passOver(seq: number, seconds: number, nanos: number): void {
    this.store.skip(seq, seconds, nanos);
    this.movedTo(seq);
    this.touch();
  }

  /** The store ends at `seq` now, without messages that wait to be committed. */
  movedTo(seq: number): void {
    if (seq <= this.lastSeq) return;
    this.#passedOver += seq - this.lastSeq;
    this.lastSeq = seq;
  }

  /** Whether more waits to be committed than may. */
  isOverrun(): boolean {
    const { maxBufferedBytes, maxBufferedMessages } = this.account.context.settings;
    return this.lastSeq - this.#passedOver - this.store.committedSeq > maxBufferedMessages || this.store.uncommittedBytes > maxBufferedBytes;
  }

  rememberId(id: string, seq: number): void {
    if (this.dedup.windowMs <= 0) return;
    this.dedup.add(id, seq, this.stamp.ms);
    this.#pruneIds();
  }

  #pruneIds(): void {
    if (this.#pruning !== undefined) return;
    const { clock } = this.account.context;
    this.#pruning = clock.after(Math.max(50, this.dedup.windowMs), () => {
      this.#pruning = undefined;
      if (this.dedup.prune(clock.nowMs()) !== undefined) this.#pruneIds();
    });
  }

  /** Brings the account's figure to what the store has; after changes of many messages. */
  countUsage(): void {
    const { bytes } = this.store.state;
    if (bytes === this.#countedBytes) return;
    this.account.addUsage(this.config.storage, bytes - this.#countedBytes);
    this.#countedBytes = bytes;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  // End of turn

  /** The end of this turn has work for the stream. */
  touch(): void {
    if (this.#touched || this.#closed) return;
    this.#touched = true;
    this.account.context.atEndOfTurn(this);
  }

  flush(): void {
    this.#touched = false;
    this.#finishTurn();
  }

  /** Finishes now what the end of the turn would: who looks at the stream sees a state in which everything published was dealt with. */
  settle(): void {
    if (this.#touched && !this.#closed) this.#finishTurn();
  }

  /** As `settle`; the promise, where there is one, resolves when what was done is as safe as the sync policy asks for. Before a request that changed messages is answered. */
  commit(): Promise<void> | undefined {
    this.settle();
    return this.account.context.settings.syncIntervalMs === "always" && this.store.kind === "file" ? this.store.sync() : undefined;
  }

  #finishTurn(): void {
    if (this.#closed) return;
    this.stamp.endTurn();
    this.consumers.flush();
    this.store.flush();
    if (this.trimmer.run()) this.#flushLater();
    this.acks.send(this.store.committedSeq);
    this.traces.send(this.store.committedSeq);
    this.countUsage();
    this.direct.answer();
  }

  #flushLater(): void {
    this.#lateFlush ??= this.account.context.clock.after(LATE_FLUSH_MS, () => {
      this.#lateFlush = undefined;
      this.touch();
    });
  }

  #onCommitted(seq: number): void {
    this.#writeError = undefined;
    this.#passedOver = 0;
    if (this.republisher.isOn) this.republisher.committed(seq);
    this.acks.send(seq);
    this.traces.send(seq);
    if (this.consumers.count > 0) this.consumers.committed(seq);
  }

  /** What keeps messages from being stored now; undefined when nothing does. */
  get writeError(): string | undefined {
    return this.#writeError?.message;
  }

  #tellFailure(error: Error): void {
    const { account, name } = this;
    account.context.log.error(`JetStream stream '${account.name} > ${name}' can not store messages: ${error.message}`);
    if (error instanceof DiskError && error.code === "ENOSPC") account.context.outOfStorage(name);
  }

  #onFailed(firstSeq: number, error: Error): void {
    if (this.#writeError === undefined) this.#tellFailure(error);
    this.#writeError = error;
    const refusal = errorBody(10077, { err: "insufficient storage resources available" });
    this.lastSeq = this.store.state.lastSeq;
    this.acks.takeBack(firstSeq, refusal);
    this.traces.takeBack(firstSeq, refusal);
    this.fastBatches.takeBack(firstSeq, refusal);
    this.dedup.takeBack(firstSeq);
    this.trimmer.takeBack(firstSeq);
    this.republisher.takeBack(firstSeq);
    this.consumers.takenBack(firstSeq);
    this.#dropHalfBatch();
    this.schedules.recover();
    this.lastMsgId = this.#storedLastId();
    this.countUsage();
  }

  // Recovery

  /** An atomic batch is stored in one go; when the end of it is missing, the rest goes too. */
  #dropHalfBatch(): void {
    for (let seq = this.store.previous([], this.store.state.lastSeq, view); seq > 0 && (view.marks & Mark.MoreOfBatch) !== 0; seq = this.store.previous([], seq, view)) this.store.remove(seq, false);
  }

  *#recoverIds(): Sliced<void> {
    this.lastMsgId = this.#storedLastId();
    if (this.dedup.windowMs <= 0) return;
    const fromMs = this.account.context.clock.nowMs() - this.dedup.windowMs;
    const seconds = Math.floor(fromMs / 1000);
    const { store } = this;
    for (let seq = store.nextMarked(Mark.MsgId, store.seqAtTime(seconds, 0)); seq > 0; seq = store.nextMarked(Mark.MsgId, seq + 1)) {
      if (!store.load(seq, view)) continue;
      const id = headerOf(view.buffer, view.headerStart, view.bodyStart, H.MsgId);
      if (id !== undefined && id !== "") this.dedup.add(id, seq, view.seconds * 1000 + view.nanos / 1e6);
      yield;
    }
    if (this.dedup.size > 0) this.#pruneIds();
  }

  #storedLastId(): string {
    if (!this.store.load(this.store.state.lastSeq, view)) return "";
    return headerOf(view.buffer, view.headerStart, view.bodyStart, H.MsgId) ?? "";
  }

  // Seams

  /** As LIST shows it. */
  info(): StreamInfo {
    return listedInfo(this);
  }

  get positionsFile(): string | undefined {
    return this.folder?.positions;
  }

  get consumerFolder(): string | undefined {
    return this.config.storage === "memory" ? undefined : this.folder.consumers;
  }

  settled(seq: number, subject: string): void {
    this.#retention.settled(seq, subject);
  }

  settledRange(first: number, last: number): void {
    this.#retention.settledRange(first, last);
  }

  storeMirrored(seq: number, seconds: number, nanos: number, subject: string, message: Message): boolean {
    const isTaken = this.#sourcing.storeMirrored(seq, seconds, nanos, subject, message);
    if (isTaken) this.direct.mirrored();
    return isTaken;
  }

  skipTo(seq: number): void {
    this.#sourcing.skipTo(seq);
  }

  storeSourced(subject: string, sourceHeader: string, message: Message): boolean {
    return this.#sourcing.storeSourced(subject, sourceHeader, message);
  }
}

function windowMs({ duplicate_window, mirror }: StreamConfig): number {
  return mirror === undefined ? (duplicate_window ?? 0) / 1e6 : 0;
}

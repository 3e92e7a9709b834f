/**
 * Where the rooms of JetStream meet. A stream knows its consumers only as `StreamConsumers`, a consumer knows its stream only as `ConsumerStream`, and what
 * copies from other streams knows the stream it fills as `SourcedStream`; the account both live in is `AssetAccount`. Each can be tested with a plain double
 * of the other side, and a replicated stream can later stand behind the same interfaces.
 */
import type { InternalLink } from "../links/internal/index.ts";
import type { Message } from "../routing/index.ts";
import type { JetStreamContext } from "./context.ts";
import type { MessageStore } from "./store/index.ts";
import type { AccountLimitsBody, ConsumerInfo, SourceInfo, Storage, StreamConfig } from "./wire.ts";

/** Who gets an advisory: the account of the asset, the system account, or a copy (with `account`) there as well. */
export type AdvisoryAudience = "account" | "system" | "both";

/** An account that may use JetStream, as its streams and consumers see it. */
export interface AssetAccount {
  readonly name: string;
  readonly context: JetStreamContext;
  /** How everything in this account subscribes and publishes. */
  readonly link: InternalLink;
  /** Limits of the tier for this number of replicas. Throws 10120 when there is none. */
  limitsFor(replicas: number): AccountLimitsBody;
  /** Counts stored bytes (negative: removed). */
  addUsage(storage: Storage, bytes: number): void;
  /** Why `bytes` more cannot be stored: 10002 (account), 10023 (server), 10120; undefined when they can. Cheap: asked for every message. */
  storeRefusal(storage: Storage, bytes: number, replicas: number): 10002 | 10023 | 10120 | undefined;
  /** Streams of the account by name. */
  stream(name: string): AssetStream | undefined;
  streams(): Iterable<AssetStream>;
  /** Publishes `{type,id,timestamp,...fields,domain?}` if somebody listens; `subject` without `$JS.EVENT.`, `type` without the reverse-DNS part. */
  advise(subject: string, type: string, fields: Readonly<Record<string, unknown>>, audience?: AdvisoryAudience): void;
}

/** What others of the account may ask of a stream. */
export interface AssetStream {
  readonly name: string;
  readonly config: StreamConfig;
  readonly createdNs: bigint;
  readonly store: MessageStore;
  readonly consumers: StreamConsumers;
}

/** A stream as its consumers see it. */
export interface ConsumerStream {
  readonly name: string;
  readonly account: AssetAccount;
  readonly config: StreamConfig;
  /** Changes when a stream of this name is made anew: nanoseconds since the Unix epoch. */
  readonly createdNs: bigint;
  readonly store: MessageStore;
  /** Folder for what consumers keep; exists. Undefined for a stream in memory. */
  readonly consumerFolder: string | undefined;
  /** How files of the stream are kept (encrypted or not). */
  readonly files: AssetFiles;
  /**
   * A consumer has settled `seq` (acknowledged, terminated, or delivered with ack policy none). With limits retention nothing happens; with work queue the message goes;
   * with interest it goes when `StreamConsumers.isNeeded` says no.
   */
  settled(seq: number, subject: string): void;
  /** As `settled` for each message from `first` to `last` that still exists, in slices. */
  settledRange(first: number, last: number): void;
}

/** Why messages left a stream: consumers treat a purge, which moves them forward, differently from single removals. */
export interface PurgeNotice {
  /** Every removed message is below this sequence. */
  readonly below: number;
  /** Undefined: all subjects. Byte string. */
  readonly filter: string | undefined;
  /** The one message that went, where it was just one that was picked from among others. */
  readonly only?: number;
}

/**
 * The consumers of one stream, as the stream sees them. The calls about messages come for every message and have to be cheap also with 10,000 filtered
 * consumers.
 */
export interface StreamConsumers {
  /** Without internal (direct) ones. */
  readonly visibleCount: number;
  /** With internal ones. */
  readonly count: number;
  /** Interest retention: whether any consumer's filter matches. */
  hasInterest(subject: string): boolean;
  /** Interest retention: whether some consumer still has to settle this stored message. */
  isNeeded(seq: number, subject: string): boolean;
  /** Appended to the store, not yet committed. */
  stored(seq: number, subject: string): void;
  /** Everything up to `seq` is committed: it may be delivered. Called once per commit. */
  committed(seq: number): void;
  /** Appended messages from `firstSeq` on were taken back, for lack of disk. */
  takenBack(firstSeq: number): void;
  /** One message left by limits, age, TTL, delete or rollup. */
  removed(seq: number, subject: string): void;
  /** A purge is done: every consumer takes it up, one per step. */
  purged(notice: PurgeNotice): Iterable<void>;
  /** The stream's configuration is now another: retention, limits. */
  streamUpdated(previous: StreamConfig): void;
  /** Names of consumers that would violate these limits, sorted. */
  violating(limits: StreamConfig["consumer_limits"]): string[];
  /** For LIST, `/jsz`, backups: sorted by name. */
  infos(options: { readonly withConfig: boolean; readonly direct: boolean }): ConsumerInfo[];
  /** For a backup: configuration and state of each, in the archive's form. */
  export(): readonly { readonly name: string; readonly config: unknown; readonly state: unknown }[];
  /** For a restore, into a stream that was just made. */
  import(name: string, config: unknown, state: unknown): void;
  /** Reads back what was persisted. The store is complete. */
  recover(): void;
  /** The stream is deleted: consumers end with their advisories, waiting pulls are told. */
  deleteAll(): void;
  /** The server stops: waiting pulls are told `409 Server Shutdown`, state is written. */
  stop(): void;
  /** End of turn: state that was marked is written. Called by the stream before it commits its own messages. */
  flush(): void;
}

/** Small files of an asset, written whole (beside, then renamed) and sealed when encryption at rest is on. */
export interface AssetFiles {
  /** Undefined when there is none; throws `DamagedFileError` when it cannot be trusted or opened with the keys at hand. */
  read(path: string): Buffer | undefined;
  /** Once it returns, no kill takes it back. */
  write(path: string, bytes: Uint8Array): void;
  /** As `write`; with a promise where there was no such file: once it resolves, no power failure takes that back either. */
  make(path: string, bytes: Uint8Array): Promise<void> | undefined;
  /** Seals one block of an append-only file; the result may be longer. */
  seal(bytes: Uint8Array): Uint8Array;
  /** Opens what `seal` made; undefined when it cannot be trusted. */
  open(bytes: Uint8Array): Uint8Array | undefined;
}

export class DamagedFileError extends Error {
  constructor(
    readonly path: string,
    reason: string,
  ) {
    super(`${path}: ${reason}`);
    this.name = "DamagedFileError";
  }
}

/** The stream that a mirror or sources fill. */
export interface SourcedStream {
  readonly account: AssetAccount;
  readonly config: StreamConfig;
  readonly store: MessageStore;
  readonly files: AssetFiles;
  /** Where the positions of sources are kept; undefined for a stream in memory. */
  readonly positionsFile: string | undefined;
  /**
   * Stores a mirrored message under the origin's sequence and time; gaps before it become skipped sequences. `subject` is already transformed. False when it could not be
   * stored (full).
   */
  storeMirrored(seq: number, seconds: number, nanos: number, subject: string, message: Message): boolean;
  /** Skips the mirror forward, so that the next message may be `seq + 1`. */
  skipTo(seq: number): void;
  /**
   * Stores a message of a source under a new sequence, with `sourceHeader` as its `Nats-Stream-Source`. `subject` went through the source's own transforms. False when the
   * limits refuse it: the source tries again from the same message.
   */
  storeSourced(subject: string, sourceHeader: string, message: Message): boolean;
}

/** What fills a stream from others; made anew when the configuration changes. */
export interface Replenisher {
  start(): void;
  /** Ends copying; `removed` also deletes the consumers at the origins. */
  stop(removed: boolean): void;
  /** Takes up a changed configuration, leaving alone what did not change. */
  update(config: StreamConfig): void;
  mirrorInfo(): SourceInfo | undefined;
  sourceInfos(): readonly SourceInfo[] | undefined;
}


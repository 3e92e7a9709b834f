/**
 * When what consumers remember is written down: with the turn when somebody waits for a confirmation, else within a tenth of a second. Confirmations leave
 * only after the write, and with `sync_interval: always` after the sync.
 */
import { DiskError, type Timer } from "../../platform/index.ts";
import type { ConsumerStream } from "../seams.ts";
import type { Consumer } from "./consumer.ts";
import { ConsumerLog, type LogRecord } from "./log.ts";
import { type Definition, RecordKind, RecordWriter, writeChanges, writeWhole } from "./records.ts";

/** Most time that deliveries and unconfirmed acknowledgements wait to be written. */
const DELAY_MS = 100;
/** Consumers copied into a new log in one go. */
const COPIES_PER_STEP = 64;

export class ConsumerPersistence {
  readonly #stream: ConsumerStream;
  readonly #log: ConsumerLog | undefined;
  readonly #writer = new RecordWriter();
  #dirty: Consumer[] = [];
  /** Inboxes that wait for an empty message. */
  #confirmations: string[] = [];
  #timer: Timer | undefined = undefined;
  #syncTimer: Timer | undefined = undefined;
  #lastId = 0;
  #hasFailed = false;
  #closed = false;
  /** Consumers still to be copied into a new log. */
  #toCopy: Consumer[] = [];

  constructor(
    stream: ConsumerStream,
    /** Something has to be written in this turn. */
    private readonly hurry: () => void,
    private readonly consumers: () => Iterable<Consumer>,
  ) {
    this.#stream = stream;
    const folder = stream.consumerFolder;
    this.#log = folder === undefined || stream.config.storage === "memory" ? undefined : new ConsumerLog(stream.account.context, folder, stream.files);
  }

  /** Whether somebody waits for what was not written yet. */
  get isUrgent(): boolean {
    return this.#confirmations.length > 0;
  }

  read(onRecord: (record: LogRecord) => void): void {
    this.#log?.read((record) => {
      this.#lastId = Math.max(this.#lastId, record.id);
      onRecord(record);
    });
  }

  /** A consumer exists, or has another configuration. Written at once, with `sync_interval: always` to the device. Throws `DiskError`. */
  define(consumer: Consumer): void {
    const { journal } = consumer;
    if (journal === undefined || this.#log === undefined) return;
    if (consumer.logId === 0) {
      consumer.logId = ++this.#lastId;
      journal.rewrite();
    }
    this.#log.add(consumer.logId, this.#definition(consumer));
    this.#record(consumer);
    this.#write();
    if (this.#stream.account.context.settings.syncIntervalMs === "always") this.#log.syncNow();
  }

  #definition(consumer: Consumer): Uint8Array {
    const definition: Definition = { name: consumer.name, created: String(consumer.createdNs), config: consumer.config };
    return this.#writer.begin(RecordKind.Defined).text(JSON.stringify(definition)).bytes;
  }

  deleted(consumer: Consumer): void {
    if (consumer.logId === 0 || this.#log === undefined || this.#closed) return;
    this.drop(consumer.logId);
    consumer.logId = 0;
  }

  /** As `deleted`, for one that was not loaded. */
  drop(id: number): void {
    this.#log?.add(id, this.#writer.begin(RecordKind.Deleted).bytes);
    this.#log?.forget(id);
    this.hurry();
  }

  /** Something happened that is written by and by. */
  changed(consumer: Consumer): void {
    if (consumer.journal === undefined || consumer.isDirty) return;
    consumer.isDirty = true;
    this.#dirty.push(consumer);
    this.#timer ??= this.#stream.account.context.clock.after(DELAY_MS, this.#onTimer);
  }

  /** `reply` gets an empty message once everything so far is written. */
  confirm(reply: string): void {
    this.#confirmations.push(reply);
    this.hurry();
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    this.hurry();
    this.#overdue = true;
  };
  #overdue = false;

  /** End of turn. */
  flush(): void {
    if (this.#closed) return;
    if (!this.#overdue && !this.isUrgent && this.#log?.needsWrite !== true) return;
    this.#overdue = false;
    for (const consumer of this.#dirty) this.#record(consumer);
    this.#dirty.length = 0;
    try {
      this.#write();
      this.#hasFailed = false;
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#confirm();
    this.#rewrite();
  }

  #record(consumer: Consumer): void {
    consumer.isDirty = false;
    const { journal, state } = consumer;
    if (journal === undefined || !journal.isDirty || consumer.logId === 0) return;
    if (journal.isWhole) writeWhole(this.#writer, state);
    else writeChanges(this.#writer, state, journal, consumer.nowMs);
    this.#log?.add(consumer.logId, this.#writer.bytes);
    journal.clear();
  }

  #write(): void {
    this.#log?.write();
    const { syncIntervalMs } = this.#stream.account.context.settings;
    if (syncIntervalMs === "always" || this.#log?.needsSync !== true) return;
    this.#syncTimer ??= this.#stream.account.context.clock.after(syncIntervalMs, () => {
      this.#syncTimer = undefined;
      this.#log?.sync().catch((error: unknown) => this.#failed(error));
    });
  }

  /** The disk is full, or worse: it is tried again with the next write. Nobody gets a confirmation meanwhile. */
  #failed(error: unknown): void {
    if (!(error instanceof DiskError)) throw error;
    const { log, clock } = this.#stream.account.context;
    if (!this.#hasFailed) log.error(`Consumers of stream '${this.#stream.account.name} > ${this.#stream.name}' can not be written: ${error.message}`);
    this.#hasFailed = true;
    this.#timer ??= clock.after(DELAY_MS, this.#onTimer);
  }

  #confirm(): void {
    if (this.#confirmations.length === 0) return;
    const waiting = this.#confirmations;
    this.#confirmations = [];
    const { context, link } = this.#stream.account;
    const publish = (): void => {
      for (const reply of waiting) link.publish(reply, "", "", "");
    };
    if (this.#log === undefined || context.settings.syncIntervalMs !== "always") publish();
    else this.#log.sync().then(publish, (error: unknown) => this.#failed(error));
  }

  // Writing anew

  /** Begins or goes on with a new log when the present one holds too much that is not true any more. */
  #rewrite(): void {
    const log = this.#log;
    if (log === undefined) return;
    try {
      if (log.wantsRewrite) {
        log.beginRewrite();
        this.#toCopy = [...this.consumers()];
      }
      if (!log.isRewriting || this.#isEnding) return;
      for (let left = COPIES_PER_STEP; left > 0; left--) {
        const consumer = this.#toCopy.pop();
        if (consumer === undefined) break;
        this.#copy(log, consumer);
      }
      if (this.#toCopy.length > 0) {
        this.#overdue = true;
        this.hurry();
        return;
      }
      this.#isEnding = true;
      log
        .endRewrite()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => (this.#isEnding = false));
    } catch (error) {
      this.#failed(error);
    }
  }
  #isEnding = false;

  #copy(log: ConsumerLog, consumer: Consumer): void {
    if (consumer.logId === 0) return;
    // What is in the journal becomes part of both files before the copy, so that nothing of it comes twice.
    this.#record(consumer);
    const definition = Buffer.from(this.#definition(consumer));
    writeWhole(this.#writer, consumer.state);
    log.copy(consumer.logId, [definition, this.#writer.bytes]);
  }

  close(): void {
    if (this.#closed) return;
    this.#overdue = true;
    this.flush();
    this.#cancel();
    this.#log?.close();
  }

  /** The files go. */
  abandon(): void {
    if (this.#closed) return;
    this.#cancel();
    this.#log?.abandon();
  }

  #cancel(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#syncTimer?.cancel();
  }
}

/**
 * The store of a stream that is being restored: filled before there is a stream. In memory the stream takes it over; in files it is closed, and its folder, which until
 * then has a name that the next start removes, becomes the stream's and is read back like any other. Either way nobody ever sees half a stream, and another
 * one of the same name may be made while this one fills.
 */
import type { JetStreamAccount } from "../account.ts";
import type { StreamConsumers } from "../seams.ts";
import { type MessageStore, openAssetFiles, openFileStore, openMemoryStore, type StoreEvents } from "../store/index.ts";
import type { StreamConfig } from "../wire.ts";
import { openFolder, type StreamFolder } from "./folder.ts";
import { H, PublishHeaders } from "./headers.ts";
import { marksOf } from "./ingest.ts";
import { Mark } from "./judgement.ts";
import { Stream } from "./stream.ts";
import { parseTtl } from "./ttl.ts";

export class StagedStore {
  readonly store: MessageStore;
  /** The stream's, once it has taken the store over. */
  events: StoreEvents | undefined = undefined;
  /** Why a write failed. */
  failure: Error | undefined = undefined;
  readonly #folder: StreamFolder | undefined;
  readonly #headers = new PublishHeaders();

  /** Throws when the files cannot be made. */
  constructor(
    private readonly account: JetStreamAccount,
    readonly config: StreamConfig,
    readonly createdNs: bigint,
  ) {
    const events: StoreEvents = {
      onCommitted: (seq) => this.events?.onCommitted(seq),
      onFailed: (firstSeq, error) => {
        this.failure = error;
        this.events?.onFailed(firstSeq, error);
      },
    };
    const { context, name: accountName } = account;
    const { name, max_bytes, compression } = config;
    const firstSeq = config.first_seq ?? 1;
    if (config.storage === "memory") {
      this.#folder = undefined;
      this.store = openMemoryStore({ events, firstSeq });
      return;
    }
    const files = openAssetFiles(context, accountName, name);
    this.#folder = openFolder(account, `.${context.nuid()}`, "file", files);
    this.#folder.make();
    this.#folder.writeConfig(config, createdNs);
    this.store = openFileStore({
      folder: this.#folder.messages,
      name,
      account: accountName,
      context,
      options: { compression, syncIntervalMs: context.settings.syncIntervalMs, async: false },
      maxBytes: max_bytes > 0 ? max_bytes : undefined,
      events,
      firstSeq,
    });
  }

  /** What the stream keeps in its index about a message. */
  marksOf(buffer: Buffer, headerStart: number, bodyStart: number): number {
    if (headerStart === bodyStart) return 0;
    this.#headers.read(buffer, headerStart, bodyStart);
    const isSchedule = this.config.allow_msg_schedules === true && this.#headers.get(H.Schedule) !== undefined;
    return marksOf(this.#headers, this.config.allow_msg_ttl) | (isSchedule ? Mark.Schedule : 0);
  }

  /** Whether the message's own time to live is over. */
  isExpired(buffer: Buffer, headerStart: number, bodyStart: number, seconds: number): boolean {
    if (headerStart === bodyStart || !this.config.allow_msg_ttl) return false;
    this.#headers.read(buffer, headerStart, bodyStart);
    const ttl = parseTtl(this.#headers.get(H.Ttl) ?? "") ?? 0;
    return ttl > 0 && (seconds + ttl) * 1000 <= this.account.context.clock.nowMs();
  }

  /** Turns it into the stream, with its consumers. Throws when it cannot be; then it is gone. */
  async complete(addConsumers: (consumers: StreamConsumers) => void): Promise<Stream> {
    const { account, config, createdNs } = this;
    account.arriving.add(config.name);
    try {
      const stream = this.#folder === undefined ? Stream.takeOver(account, config, createdNs, this) : this.#moveIn(this.#folder);
      return finished(await stream, addConsumers);
    } finally {
      account.arriving.delete(config.name);
    }
  }

  async #moveIn(folder: StreamFolder): Promise<Stream> {
    const { account, config, store } = this;
    store.flush();
    await store.sync();
    store.close();
    const path = `${account.folder}/${config.name}`;
    const { disk } = account.context;
    try {
      if (disk.exists(path)) throw new Error(`folder ${path} exists`);
      disk.rename(folder.path, path);
    } catch (error) {
      folder.remove();
      throw error;
    }
    return Stream.recover(account, path);
  }

  /** Removes everything. */
  abandon(): void {
    this.store.destroy();
    this.#folder?.remove();
  }
}

/** Consumers come in the same turn as the stream: before messages are judged by whether somebody still needs them. */
function finished(stream: Stream, addConsumers: (consumers: StreamConsumers) => void): Stream {
  try {
    addConsumers(stream.consumers);
    void stream.trimmer.trimAll();
  } catch (error) {
    stream.delete();
    throw error;
  }
  return stream;
}

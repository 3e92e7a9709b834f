/** Stores: where the messages of a stream are kept. */
import type { JetStreamContext } from "../context.ts";
import { finishNow, type Sliced } from "../slices.ts";
import { FileStore } from "./file/file-store.ts";
import { StoreFolder } from "./file/store-folder.ts";
import { MemoryStore } from "./memory/memory-store.ts";
import type { MessageStore, StoreEvents, StoreOptions } from "./message-store.ts";

export { SEGMENT_HEADER_BYTES } from "./file/format.ts";
export { discardFolder, removeLeftovers } from "./file/leftovers.ts";
export { openAssetFiles } from "./files/asset-files.ts";
export { MeasuredPace, type SyncPace } from "./sync-pace.ts";
export { StoredMessage } from "./message-store.ts";
export type { Counting, Filters, Listing, MessageStore, NewMessage, RemovedMessage, Scanning, StoreEvents, StoreOptions, StoreState, SubjectState } from "./message-store.ts";

/** An empty store in memory. `firstSeq` is the sequence that the first message gets; 0 and 1 are the same. */
export function openMemoryStore(options: { readonly events: StoreEvents; readonly firstSeq: number }): MessageStore {
  return new MemoryStore(options.firstSeq, options.events);
}

export interface FileStoreSettings {
  /** Folder of this store alone; made if there is none. */
  readonly folder: string;
  /** Of stream and account: for log lines and keys. */
  readonly name: string;
  readonly account: string;
  readonly context: JetStreamContext;
  readonly options: StoreOptions;
  /** Limit of the stream, if it has one: its segments are smaller then. */
  readonly maxBytes?: number;
  readonly events: StoreEvents;
  /** Sequence of the first message ever; what is in the folder counts more. */
  readonly firstSeq: number;
}

/** Opens the store in a folder, with what is in it, in slices. Throws `DiskError`, or an `Error` when no key at hand opens the files. */
export function recoverFileStore({ folder, name, account, context, options, maxBytes, events, firstSeq }: FileStoreSettings): Sliced<MessageStore> {
  return FileStore.open(new StoreFolder(folder, `${account} > ${name}`, context, account, name), options, maxBytes, events, firstSeq);
}

/** The same at once: for a folder that is known to hold little. */
export function openFileStore(settings: FileStoreSettings): MessageStore {
  return finishNow(recoverFileStore(settings));
}

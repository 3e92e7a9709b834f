/** Stores: where the messages of a stream are kept. */
import { MemoryStore } from "./memory/memory-store.ts";
import type { MessageStore, StoreEvents } from "./message-store.ts";

export { StoredMessage } from "./message-store.ts";
export type { Filters, MessageStore, NewMessage, RemovedMessage, StoreEvents, StoreOptions, StoreState, SubjectState } from "./message-store.ts";

/** An empty store in memory. `firstSeq` is the sequence that the first message gets; 0 and 1 are the same. */
export function openMemoryStore(options: { readonly events: StoreEvents; readonly firstSeq: number }): MessageStore {
  return new MemoryStore(options.firstSeq, options.events);
}

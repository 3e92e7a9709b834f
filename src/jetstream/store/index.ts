/** Stores: where the messages of a stream are kept. */
export { StoredMessage } from "./message-store.ts";
export type { Filters, MessageStore, NewMessage, RemovedMessage, StoreEvents, StoreOptions, StoreState, SubjectState } from "./message-store.ts";

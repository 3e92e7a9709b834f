/** The store of a stream is opened before there is a stream: it tells whoever comes to own it. */
import type { JetStreamAccount } from "../account.ts";
import type { Sliced } from "../slices.ts";
import { type MessageStore, openMemoryStore, recoverFileStore, type StoreEvents, type StoreOptions } from "../store/index.ts";
import type { StreamConfig } from "../wire.ts";
import type { StreamFolder } from "./folder.ts";

export interface OpenedStore {
  readonly store: MessageStore;
  /** Its owner's; nothing is written before there is one. */
  events: StoreEvents | undefined;
}

export function storeOptions({ context }: JetStreamAccount, config: StreamConfig): StoreOptions {
  return { compression: config.compression, syncIntervalMs: context.settings.syncIntervalMs, async: config.persist_mode === "async" };
}

/** With what is in the folder. Throws `DiskError`, or an `Error` when no key at hand opens the files. */
export function* openStore(account: JetStreamAccount, config: StreamConfig, folder: StreamFolder): Sliced<OpenedStore> {
  const relay: { events: StoreEvents | undefined } = { events: undefined };
  const events: StoreEvents = {
    onCommitted: (seq) => relay.events?.onCommitted(seq),
    onFailed: (firstSeq, error) => relay.events?.onFailed(firstSeq, error),
  };
  const firstSeq = config.first_seq ?? 1;
  const { name, max_bytes } = config;
  const store =
    config.storage === "memory"
      ? openMemoryStore({ events, firstSeq })
      : yield* recoverFileStore({
          folder: folder.messages,
          name,
          account: account.name,
          context: account.context,
          options: storeOptions(account, config),
          maxBytes: max_bytes > 0 ? max_bytes : undefined,
          events,
          firstSeq,
        });
  return Object.assign(relay, { store });
}

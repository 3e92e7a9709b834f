/**
 * What every room of JetStream gets: the doors to the outside, the settings in force, who this server is, and the end of the turn. One object, made by the
 * engine, handed down.
 */
import type { Logger } from "../log/index.ts";
import type { Clock, Random, StorageDisk } from "../platform/index.ts";
import type { Subscriber } from "../routing/index.ts";
import type { SyncPace } from "./store/index.ts";
import type { Storage } from "./wire.ts";

/** The `jetstream` block in force, defaults filled in; replaced as a whole at reload. */
export interface JetStreamSettings {
  /** `<store_dir>/jetstream`. */
  readonly folder: string;
  readonly maxMemoryBytes: number;
  readonly maxStoreBytes: number;
  /** Empty: none. */
  readonly domain: string;
  readonly strict: boolean;
  /** Undefined: not encrypted. */
  readonly encryption: { readonly key: string; readonly previousKey: string; readonly cipher: "chacha" | "aes" } | undefined;
  readonly syncIntervalMs: number | "always";
  readonly maxBufferedBytes: number;
  readonly maxBufferedMessages: number;
  readonly requestQueueLimit: number;
  readonly infoQueueLimit: number;
  /** 0 means none in all of these. */
  readonly limits: {
    readonly maxAckPending: number;
    readonly maxRequestBatch: number;
    /** Nanoseconds. */
    readonly duplicateWindow: number;
    readonly batch: {
      /** Undefined: 50 atomic and 1,000 fast batches per stream, 1,000 and 50,000 per server. */
      readonly maxInflightPerStream: number | undefined;
      readonly maxInflightTotal: number | undefined;
      readonly maxMessages: number;
      readonly timeoutMs: number;
    };
  };
  /** `js_ack_fc_v2`: ack and flow control subjects carry domain and account. */
  readonly ackSubjectsV2: boolean;
  /** Largest payload a client may send, bytes. */
  readonly maxPayload: number;
  /** Most outbound bytes of one connection. */
  readonly maxPending: number;
}

/** Work at the end of a turn, before anything is sent. */
export interface EndOfTurn {
  flush(): void;
}

export interface JetStreamContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: StorageDisk;
  readonly syncPace: SyncPace;
  readonly log: Logger;
  readonly settings: JetStreamSettings;
  readonly server: { readonly id: string; readonly name: string };
  /** `item.flush()` is called once at the end of this turn; add it again for the next one (also from within `flush`: to go on with sliced work). */
  atEndOfTurn(item: EndOfTurn): void;
  /** As `atEndOfTurn`, but after all was sent, in this turn or a later one: for slices of work that nobody's message waits for. */
  afterTurn(item: EndOfTurn): void;
  /** A new unique id: 22 characters of `0-9A-Za-z`. */
  nuid(): string;
  /** The client block of advisories for whoever published a request; undefined for the server itself. */
  clientInfo(origin: Subscriber | undefined): Readonly<Record<string, unknown>> | undefined;
  /** Bytes now kept by all accounts, for the server's own limits. */
  readonly usage: { memory: number; store: number };
  /** Bytes reserved by `max_bytes` of the streams of all accounts, without one stream that is about to change. */
  reserved(storage: Storage, without?: { readonly account: string; readonly stream: string }): number;
  /** A message was refused because the server keeps as much as it may. */
  exhausted(storage: Storage): void;
  /** The disk has no room for a stream's messages: the system account hears of it. */
  outOfStorage(stream: string): void;
  /** Open batches of the whole server. */
  readonly batches: { atomic: number; fast: number };
}

/** JetStream's API level, as INFO, account info and metadata show it. */
export const API_LEVEL = 5;

/** A store under test: a context with virtual time, a disk with faults, and what the store said. */
import type { EndOfTurn, JetStreamContext, JetStreamSettings } from "../../../../src/jetstream/context.ts";
import { type MessageStore, type NewMessage, openFileStore, openMemoryStore, type StoreOptions, type SyncPace } from "../../../../src/jetstream/store/index.ts";
import { VirtualClock } from "../../../sim/clock.ts";
import { MemoryDisk } from "../../../sim/disk.ts";
import { SeededRandom } from "../../../sim/random.ts";

export const PLAIN: StoreOptions = { compression: "none", syncIntervalMs: 120_000, async: false };
export const ALWAYS: StoreOptions = { ...PLAIN, syncIntervalMs: "always" };

/** No store waits for this device; every store does for that one. */
export const SLOW: SyncPace = { mayWait: () => false, took: () => undefined };
export const QUICK: SyncPace = { mayWait: () => true, took: () => undefined };

const FOLDER = "/js/A/streams/S/messages";

export class World {
  readonly random: SeededRandom;
  readonly clock: VirtualClock;
  readonly disk = new MemoryDisk();
  readonly lines: string[] = [];
  readonly committed: number[] = [];
  readonly failed: number[] = [];
  /** Called with each commit. */
  onCommitted: ((seq: number) => void) | undefined;
  readonly #items: EndOfTurn[] = [];
  encryption: JetStreamSettings["encryption"];
  options = PLAIN;
  syncPace = SLOW;
  maxBytes: number | undefined;
  #ids = 0;

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
    this.clock = new VirtualClock(this.random);
  }

  get folder(): string {
    return FOLDER;
  }

  readonly #say = (text: string): void => void this.lines.push(text);

  /** What stores get of a server. */
  context(): JetStreamContext {
    const settings: JetStreamSettings = {
      folder: "/js",
      maxMemoryBytes: 2 ** 30,
      maxStoreBytes: 2 ** 30,
      domain: "",
      strict: true,
      encryption: this.encryption,
      syncIntervalMs: this.options.syncIntervalMs,
      maxBufferedBytes: 2 ** 27,
      maxBufferedMessages: 10_000,
      requestQueueLimit: 10_000,
      infoQueueLimit: 10_000,
      limits: { maxAckPending: 0, maxRequestBatch: 0, duplicateWindow: 0, batch: { maxInflightPerStream: undefined, maxInflightTotal: undefined, maxMessages: 1000, timeoutMs: 10_000 } },
      ackSubjectsV2: false,
      maxPayload: 2 ** 20,
      maxPending: 2 ** 26,
    };
    const log = { debugOn: false, traceOn: false, info: this.#say, warn: this.#say, error: this.#say, fatal: this.#say, debug: this.#say, trace: this.#say };
    return {
      clock: this.clock,
      random: this.random,
      disk: this.disk,
      syncPace: this.syncPace,
      log,
      settings,
      server: { id: "ID", name: "name" },
      atEndOfTurn: (item) => void this.#items.push(item),
      afterTurn: (item) => void this.#items.push(item),
      nuid: () => `nuid${++this.#ids}`,
      clientInfo: () => undefined,
      usage: { memory: 0, store: 0 },
      reserved: () => 0,
      exhausted: () => undefined,
      outOfStorage: () => undefined,
      batches: { atomic: 0, fast: 0 },
    };
  }

  readonly events = {
    onCommitted: (seq: number): void => {
      this.committed.push(seq);
      this.onCommitted?.(seq);
    },
    onFailed: (firstSeq: number): void => void this.failed.push(firstSeq),
  };

  openFile(firstSeq = 1): MessageStore {
    return openFileStore({ folder: FOLDER, name: "S", account: "A", context: this.context(), options: this.options, maxBytes: this.maxBytes, events: this.events, firstSeq });
  }

  openMemory(firstSeq = 1): MessageStore {
    return openMemoryStore({ events: this.events, firstSeq });
  }

  /** Runs the ends of so many turns, and what promises there are in between. */
  async turns(count: number): Promise<void> {
    for (let i = 0; i < count && this.#items.length > 0; i++) {
      for (const item of this.#items.splice(0)) item.flush();
      for (let depth = 0; depth < 10; depth++) await Promise.resolve();
    }
    for (let depth = 0; depth < 10; depth++) await Promise.resolve();
  }

  /** Forgets what the last process wanted to do. */
  forget(): void {
    this.#items.length = 0;
  }
}

export interface Given {
  readonly subject: string;
  readonly seconds?: number;
  readonly nanos?: number;
  readonly header?: string;
  readonly body?: string;
  readonly marks?: number;
}

/** A message as the stream hands it over, with bytes around it that are not its own. */
export function given({ subject, seconds = 1, nanos = 0, header = "", body = "", marks = 0 }: Given): NewMessage {
  const headerBytes = Buffer.from(`..${header}..`, "latin1");
  const bodyBytes = Buffer.from(`...${body}.`, "latin1");
  return { subject, seconds, nanos, headerBytes, headerStart: 2, headerEnd: 2 + header.length, bodyBytes, bodyStart: 3, bodyEnd: 3 + body.length, marks };
}

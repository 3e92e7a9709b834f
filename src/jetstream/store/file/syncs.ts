/**
 * Getting things to the device: one sync at a time, and whatever is written meanwhile rides on the next one. Files that may go only when something else is on
 * the device are removed here, too.
 */
import type { JetStreamContext } from "../../context.ts";
import type { FileSegment } from "./file-segment.ts";

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** `Mark` is what the caller gave at `begin`. */
export interface SyncEvents<Mark> {
  /** All that was written when this mark was given is on the device. */
  onSynced(mark: Mark): void;
  onSyncFailed(error: unknown): void;
}

export class Syncs<Mark> {
  readonly #unsynced = new Set<FileSegment>();
  #waiters: Waiter[] = [];
  #isFolderDirty = false;
  #isRunning = false;
  #isWanted = false;
  #mark: Mark | undefined;
  #graves: (() => void)[] = [];
  #isClosed = false;

  constructor(
    private readonly context: JetStreamContext,
    private readonly folder: string,
    private readonly events: SyncEvents<Mark>,
  ) {}

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get isClean(): boolean {
    return this.#unsynced.size === 0 && !this.#isRunning && this.#graves.length === 0;
  }

  wrote(segment: FileSegment): void {
    this.#unsynced.add(segment);
  }

  folderChanged(): void {
    this.#isFolderDirty = true;
  }

  forget(segment: FileSegment): void {
    this.#unsynced.delete(segment);
  }

  /** Runs once all that was written by now is on the device. */
  afterwards(action: () => void): void {
    this.#graves.push(action);
  }

  /** Resolves when all that was written by now is on the device. */
  wait(mark: Mark): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ resolve, reject });
    this.begin(mark);
    return promise;
  }

  /** Starts a sync of all that was written by now, or sees to it that another follows the present one. */
  begin(mark: Mark): void {
    this.#mark = mark;
    if (this.#isRunning) {
      this.#isWanted = true;
      return;
    }
    this.#isRunning = true;
    this.#isWanted = false;
    const waiters = this.#waiters;
    const graves = this.#graves;
    const segments = [...this.#unsynced];
    this.#waiters = [];
    this.#graves = [];
    this.#unsynced.clear();
    this.#sync(segments).then(
      () => {
        this.#isRunning = false;
        if (!this.#isClosed) {
          for (const action of graves) action();
          this.events.onSynced(mark);
        }
        for (const waiter of waiters) waiter.resolve();
        this.#next();
      },
      (error: unknown) => {
        this.#isRunning = false;
        for (const segment of segments) this.#unsynced.add(segment);
        this.#graves.unshift(...graves);
        if (!this.#isClosed) this.events.onSyncFailed(error);
        for (const waiter of waiters) waiter.reject(error);
        this.#next();
      },
    );
  }

  async #sync(segments: readonly FileSegment[]): Promise<void> {
    if (this.#isFolderDirty) {
      this.context.disk.syncFolder(this.folder);
      this.#isFolderDirty = false;
    }
    await Promise.all(segments.map((segment) => segment.file.handle.sync()));
  }

  #next(): void {
    if (this.#isClosed) this.#whenIdle?.();
    else if (this.#isWanted && this.#mark !== undefined) this.begin(this.#mark);
  }

  /** At shutdown: syncs what is dirty, waiting for it. */
  syncNow(): void {
    if (this.#isFolderDirty) this.context.disk.syncFolder(this.folder);
    for (const segment of this.#unsynced) segment.file.handle.syncNow();
  }

  /** Nothing is synced any more. `whenIdle` is called when no sync is under way. */
  close(whenIdle: () => void): void {
    this.#isClosed = true;
    this.#unsynced.clear();
    this.#graves = [];
    for (const waiter of this.#waiters) waiter.resolve();
    this.#waiters = [];
    if (this.#isRunning) this.#whenIdle = whenIdle;
    else whenIdle();
  }
  #whenIdle: (() => void) | undefined;
}

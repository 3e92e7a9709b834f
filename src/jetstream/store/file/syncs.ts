/**
 * Getting things to the device: one sync at a time, and whatever is written meanwhile rides on the next one. Files that may go only when something else is on
 * the device are removed here, too. Where publishers wait and the device is quick (`SyncPace`) the loop waits for it, and is done within the turn.
 */
import type { JetStreamContext } from "../../context.ts";
import type { FileSegment } from "./file-segment.ts";

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** What one sync covers. */
interface Round<Mark> {
  readonly mark: Mark;
  readonly segments: readonly FileSegment[];
  readonly waiters: readonly Waiter[];
  readonly graves: readonly (() => void)[];
}

/** `Mark` is what the caller gave at `begin`. */
export interface SyncEvents<Mark> {
  /** All that was written when this mark was given is on the device. */
  onSynced(mark: Mark): void;
  onSyncFailed(error: unknown): void;
}

export class Syncs<Mark> {
  readonly #unsynced = new Set<FileSegment>();
  #unsyncedBytes = 0;
  #waiters: Waiter[] = [];
  #isFolderDirty = false;
  #isRunning = false;
  #isWanted = false;
  /** Somebody waits for what is wanted. */
  #isAwaited = false;
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

  wrote(segment: FileSegment, bytes: number): void {
    this.#unsynced.add(segment);
    this.#unsyncedBytes += bytes;
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
    if (this.#isRunning) this.#isWanted = true;
    else this.#run(mark);
  }

  /** As `begin`, for what publishers wait for. With a quick device it is done when the call returns. */
  commit(mark: Mark): void {
    this.#isAwaited = true;
    this.begin(mark);
  }

  #run(mark: Mark): void {
    const waits = this.#isAwaited && this.context.syncPace.mayWait(this.#unsyncedBytes);
    const round = { mark, waiters: this.#waiters, graves: this.#graves, segments: [...this.#unsynced] };
    this.#isRunning = true;
    this.#isWanted = this.#isAwaited = false;
    this.#waiters = [];
    this.#graves = [];
    this.#unsynced.clear();
    this.#unsyncedBytes = 0;
    const startMs = this.context.clock.monotonicMs();
    const took = (): void => this.context.syncPace.took(this.context.clock.monotonicMs() - startMs, waits);
    if (!waits) {
      this.#sync(round.segments).then(
        () => {
          took();
          this.#isRunning = false;
          this.#succeeded(round);
          this.#next();
        },
        (error: unknown) => {
          this.#isRunning = false;
          this.#failed(round, error);
          this.#next();
        },
      );
      return;
    }
    try {
      this.#syncNow(round.segments);
    } catch (error) {
      this.#isRunning = false;
      this.#failed(round, error);
      return this.#next();
    }
    took();
    // What is written while the commit is told waits for the next sync: commits are told in their order.
    try {
      this.#succeeded(round);
    } finally {
      this.#isRunning = false;
    }
    this.#next();
  }

  #succeeded({ mark, waiters, graves }: Round<Mark>): void {
    if (!this.#isClosed) {
      for (const action of graves) action();
      this.events.onSynced(mark);
    }
    for (const waiter of waiters) waiter.resolve();
  }

  #failed({ segments, graves, waiters }: Round<Mark>, error: unknown): void {
    for (const segment of segments) if (!segment.isDoomed) this.#unsynced.add(segment);
    this.#graves.unshift(...graves);
    if (!this.#isClosed) this.events.onSyncFailed(error);
    for (const waiter of waiters) waiter.reject(error);
  }

  /** All begins at once: a file may lose its name while the sync is under way, and must not be opened again then. */
  async #sync(segments: readonly FileSegment[]): Promise<void> {
    await Promise.all([this.#syncFolder(), ...segments.map((segment) => segment.file.handle.sync())]);
  }

  async #syncFolder(): Promise<void> {
    if (!this.#isFolderDirty) return;
    this.#isFolderDirty = false;
    try {
      await this.context.disk.syncFolder(this.folder);
    } catch (error) {
      this.#isFolderDirty = true;
      throw error;
    }
  }

  #syncNow(segments: Iterable<FileSegment>): void {
    if (this.#isFolderDirty) this.context.disk.syncFolderNow(this.folder);
    this.#isFolderDirty = false;
    for (const segment of segments) segment.file.handle.syncNow();
  }

  #next(): void {
    if (this.#isClosed) this.#whenIdle?.();
    else if (this.#isWanted && this.#mark !== undefined) this.#run(this.#mark);
  }

  /** At shutdown: syncs what is dirty, waiting for it. */
  syncNow(): void {
    this.#syncNow(this.#unsynced);
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

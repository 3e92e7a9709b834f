/**
 * Files of segments that are not needed any more go once what was written since is on the device: it tells again what they told of others. Files whose messages
 * have to be unreadable are overwritten when their name is gone.
 */
import type { StorageFile } from "../../../platform/index.ts";
import type { Background, Job } from "./background.ts";
import type { FileSegment } from "./file-segment.ts";
import type { StoreFolder } from "./store-folder.ts";

/** The part of `Syncs` that counts here. */
export interface RemovalSyncs {
  /** Runs once all that was written by now is on the device. */
  afterwards(action: () => void): void;
  forget(segment: FileSegment): void;
  folderChanged(): void;
}

const SCRAMBLE_STEP_BYTES = 64 * 1024;

export class Removal {
  /** Segments to remove once the log that makes them superfluous is written. */
  #doomed: FileSegment[] = [];

  constructor(
    private readonly folder: StoreFolder,
    private readonly background: Background,
    private readonly syncs: RemovalSyncs,
  ) {}

  /** Something waits for the next write. */
  get isWaiting(): boolean {
    return this.#doomed.length > 0;
  }

  doom(segment: FileSegment): void {
    segment.isSealed = segment.isDoomed = true;
    segment.tail = undefined;
    segment.index = undefined;
    this.#doomed.push(segment);
  }

  /** After a write: sees to it that the files go once that write is on the device. Whether there are any, and a sync is wanted. */
  bury(): boolean {
    const doomed = this.#doomed.filter(({ isCreated }) => isCreated);
    this.#doomed = [];
    // What was told again has to be on the device, not what goes.
    for (const segment of doomed) this.syncs.forget(segment);
    if (doomed.length === 0) return false;
    this.syncs.afterwards(() => this.later(doomed));
    return true;
  }

  /** Removes files beside. */
  later(segments: readonly FileSegment[]): void {
    for (const segment of segments) segment.isDoomed = true;
    this.background.add("remove files", this.#job(segments));
  }

  *#job(segments: readonly FileSegment[]): Job {
    for (const segment of segments) {
      const handle = segment.mustErase ? segment.file.handle : undefined;
      this.folder.removeSegment(segment.id);
      this.syncs.folderChanged();
      if (handle !== undefined) yield* this.scramble(handle);
      segment.file.closeHandle();
      yield;
    }
  }

  /** Overwrites a whole file, whose name is gone, with random bytes. */
  *scramble(handle: StorageFile): Generator<undefined, void, void> {
    const { disk, random } = this.folder.context;
    // Its name must not come back after a power failure, with these contents.
    disk.syncFolderNow(this.folder.path);
    for (let at = 0, end = handle.sizeBytes; at < end; at += SCRAMBLE_STEP_BYTES) {
      handle.write(random.bytes(SCRAMBLE_STEP_BYTES), 0, Math.min(SCRAMBLE_STEP_BYTES, end - at), at);
      yield;
    }
  }

  now(segment: FileSegment): void {
    segment.isDoomed = true;
    segment.file.closeHandle();
    this.folder.removeSegment(segment.id);
    this.syncs.folderChanged();
  }

  closeHandles(): void {
    for (const segment of this.#doomed) segment.file.closeHandle();
  }
}

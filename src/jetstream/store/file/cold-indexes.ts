/** Indexes of full segments that are in memory: a bounded number of those that their files have, too, and no longer than they are used. */
import type { FileSegment } from "./file-segment.ts";

const INDEXES_MAX = 16;

export class ColdIndexes {
  #segments: FileSegment[] = [];

  constructor(
    /** No sync may be using its file. */
    private readonly mayClose: () => boolean,
  ) {}

  add(segment: FileSegment): void {
    this.#segments.push(segment);
  }

  forget(segment: FileSegment): void {
    this.#segments = this.#segments.filter((one) => one !== segment);
  }

  clear(): void {
    this.#segments = [];
  }

  /** Lets the oldest one go when there are too many. */
  limit(): void {
    if (this.#segments.length <= INDEXES_MAX) return;
    const at = this.#segments.findIndex(isAtHand);
    // The one that was just loaded is wanted.
    if (at >= 0 && at < this.#segments.length - 1) this.#letGo(this.#segments.splice(at, 1)[0]);
  }

  /** Lets go of those that were not used since the last call; whether there are others. */
  rest(): boolean {
    const kept: FileSegment[] = [];
    for (const segment of this.#segments) {
      if (segment.isUsed || !isAtHand(segment)) kept.push(segment);
      else this.#letGo(segment);
      segment.isUsed = false;
    }
    this.#segments = kept;
    return kept.length > 0;
  }

  #letGo(segment: FileSegment): void {
    segment.index = undefined;
    if (segment.file.isOpen && this.mayClose()) segment.file.closeHandle();
  }
}

/** Whether the index can be had again. */
function isAtHand({ isIndexSaved, isDamaged }: FileSegment): boolean {
  return isIndexSaved || isDamaged;
}

/**
 * Indexes of full segments that are in memory: a bounded number of those that their files have, too, and no longer than they are used. Who only publishes keeps none: a
 * million messages cost 12 MB less.
 */
import { Members } from "../log/members.ts";
import type { FileSegment } from "./file-segment.ts";

/** So many are kept, and more while those that were let go are wanted again: keys of a bucket that change in no order touch all segments. */
const INDEXES = 16;
const INDEXES_MAX = 64;

export class ColdIndexes {
  #segments: FileSegment[] = [];
  #most = INDEXES;

  constructor(
    /** No sync may be using its file. */
    private readonly mayClose: () => boolean,
  ) {}

  add(segment: FileSegment): void {
    if (segment.wasCrowdedOut) this.#most = Math.min(INDEXES_MAX, this.#most + 1);
    this.#segments.push(segment);
  }

  /** A segment is full: whether its index is wanted any more is seen from now on. */
  addFull(segment: FileSegment): void {
    segment.isUsed = false;
    this.add(segment);
  }

  /** The file has the index now: it goes unless somebody asked for it since the segment is full. */
  saved(segment: FileSegment): void {
    if (segment.isUsed || !this.mayClose() || !this.#segments.includes(segment)) return;
    this.forget(segment);
    this.#letGo(segment);
  }

  forget(segment: FileSegment): void {
    this.#segments = this.#segments.filter((one) => one !== segment);
  }

  clear(): void {
    this.#segments = [];
  }

  /** Lets the oldest one go when there are too many. */
  limit(): void {
    if (this.#segments.length <= this.#most || !this.mayClose()) return;
    const at = this.#segments.findIndex(isAtHand);
    // The one that was just loaded is wanted.
    if (at < 0 || at === this.#segments.length - 1) return;
    const [oldest] = this.#segments.splice(at, 1);
    oldest.wasCrowdedOut = true;
    this.#letGo(oldest);
  }

  /** Lets go of those that were not used since the last call; whether there are others. */
  rest(): boolean {
    const kept: FileSegment[] = [];
    const mayClose = this.mayClose();
    for (const segment of this.#segments) {
      segment.wasCrowdedOut = false;
      if (segment.isUsed || !mayClose || !isAtHand(segment)) kept.push(segment);
      else this.#letGo(segment);
      segment.isUsed = false;
    }
    this.#segments = kept;
    if (kept.length < INDEXES) this.#most = INDEXES;
    return kept.length > 0;
  }

  #letGo(segment: FileSegment): void {
    const { index } = segment;
    if (index !== undefined && segment.isSealed) segment.members ??= new Members(index.ids, index.count);
    segment.index = undefined;
    segment.file.closeHandle();
  }
}

/** Whether the index can be had again. */
function isAtHand({ isIndexSaved, isDamaged }: FileSegment): boolean {
  return isIndexSaved || isDamaged;
}

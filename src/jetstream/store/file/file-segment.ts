/** A segment in a file, with what of it is in memory. */
import { Segment } from "../log/segment.ts";
import type { SegmentIndex } from "../log/segment-index.ts";
import type { ByteWindow } from "../log/window.ts";
import type { SegmentFile } from "./segment-file.ts";

/** Records are longer, so one bit per so many bytes tells them apart. */
const PLACE_SHIFT = 5;

export class FileSegment extends Segment {
  /** Bytes of the plain segment: all, those that were written, and those that are committed. */
  end = 0;
  writtenEnd = 0;
  committedEnd = 0;
  /** The latest bytes, the unwritten among them. */
  tail: ByteWindow | undefined;
  /** Nothing is appended any more. */
  isSealed = false;
  /** The file exists. */
  isCreated = false;
  /** The index file tells of this segment as it is, but for removals that the log or `#removed` know. */
  isIndexSaved = false;
  /** Slots of the index; also while it is not loaded. */
  slots = 0;
  /** About so many bytes of records whose messages are gone. */
  deadBytes = 0;
  /** Sequences of other segments that this one tells were removed, until its index is saved. */
  notes: number[] = [];
  hasNotes = false;
  /** Number of the oldest segment that tells of removals in this one. */
  notedIn = Number.POSITIVE_INFINITY;
  /** Being rewritten, or about to be. */
  isQueued = false;
  /** Records could not be read: its index is not saved, so that every start finds out and says so. */
  isDamaged = false;
  /** Goes with its file as soon as what makes it superfluous is on the device. */
  isDoomed = false;
  /** Its index was let go because there were too many. */
  wasCrowdedOut = false;
  /** Holds messages that have to be made unreadable by a rewrite. */
  mustErase = false;
  #removed: Uint8Array | undefined;

  constructor(
    first: number,
    readonly file: SegmentFile,
  ) {
    super(first);
  }

  get id(): number {
    return this.file.header.id;
  }

  /** Remembers that the record at a place is gone, for when the index is loaded again. */
  markRemoved(place: number): void {
    const bit = place >>> PLACE_SHIFT;
    if (this.#removed === undefined || bit >>> 3 >= this.#removed.length) {
      const larger = new Uint8Array((Math.max(this.end, place + 1) >>> (PLACE_SHIFT + 3)) + 128);
      if (this.#removed !== undefined) larger.set(this.#removed);
      this.#removed = larger;
    }
    this.#removed[bit >>> 3] |= 1 << (bit & 7);
  }

  isRemoved(place: number): boolean {
    const bit = place >>> PLACE_SHIFT;
    return this.#removed !== undefined && (this.#removed[bit >>> 3] & (1 << (bit & 7))) !== 0;
  }

  get hasRemovals(): boolean {
    return this.#removed !== undefined;
  }

  /** Sequences whose records are in the file, but gone. */
  *removedSequences(index: SegmentIndex): Iterable<number> {
    if (this.#removed === undefined) return;
    for (let slot = 0; slot < index.count; slot++) if (this.isRemoved(index.offsets[slot])) yield index.seqOf(slot);
  }
}

/** How far the log is: appended, written, committed; and what has to be taken back to get from one to the other. */
import type { LiveState } from "../log/live-state.ts";
import type { FileSegment } from "./file-segment.ts";

/** A state of the log that can be gone back to. */
export interface Mark {
  readonly seq: number;
  readonly seconds: number;
  readonly nanos: number;
  /** Number of the segment that was written last, and how far. */
  readonly segment: number;
  readonly end: number;
  /** Counts since the start. */
  readonly bytes: number;
  readonly removals: number;
}

const NOWHERE: Mark = { seq: 0, seconds: 0, nanos: 0, segment: 0, end: 0, bytes: 0, removals: 0 };

/** Where a segment ended then. */
export function endAt(mark: Mark, segment: FileSegment): number {
  if (segment.id === mark.segment) return mark.end;
  return segment.id < mark.segment ? segment.writtenEnd : 0;
}

export class Commits {
  /** As of the last write and of the last commit. */
  #written = NOWHERE;
  #committed = NOWHERE;
  /** Bytes and removals that were ever appended. */
  #bytes = 0;
  #removals = 0;
  /** Removed sequences that are written, and not committed. */
  #removed: number[] = [];
  /** Segments with written bytes that are not committed. */
  readonly #segments = new Set<FileSegment>();

  constructor(private readonly state: LiveState) {}

  /** What was recovered is committed. */
  begin(active: FileSegment): void {
    this.#written = this.#committed = this.#mark(active);
  }

  #mark(active: FileSegment): Mark {
    const { state } = this;
    return { seq: state.lastSeq, seconds: state.lastSeconds, nanos: state.lastNanos, segment: active.id, end: active.writtenEnd, bytes: this.#bytes, removals: this.#removals };
  }

  get written(): Mark {
    return this.#written;
  }

  get committed(): Mark {
    return this.#committed;
  }

  get uncommittedBytes(): number {
    return this.#bytes - this.#committed.bytes;
  }

  /** So many bytes were appended to the log. */
  appended(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Something of a segment was written. */
  wrote(segment: FileSegment): void {
    this.#segments.add(segment);
  }

  /** Everything was written, the removals of these sequences too. */
  wroteAll(active: FileSegment, removed: readonly number[]): void {
    for (const seq of removed) this.#removed.push(seq);
    this.#removals += removed.length;
    this.#written = this.#mark(active);
  }

  /** Everything up to the mark is committed. */
  settle(mark: Mark): void {
    for (const segment of this.#segments) {
      if (segment.id > mark.segment) continue;
      segment.committedEnd = segment.id < mark.segment ? segment.writtenEnd : mark.end;
      if (segment.committedEnd === segment.writtenEnd) this.#segments.delete(segment);
    }
    this.#removed.splice(0, mark.removals - this.#committed.removals);
    this.#committed = mark;
  }

  /** Segments with written bytes that are not committed. */
  get segments(): ReadonlySet<FileSegment> {
    return this.#segments;
  }

  forget(segment: FileSegment): void {
    this.#segments.delete(segment);
  }

  /** What is committed stays: returns the removals that were written since, which have to be told again. */
  takeRemovals(): readonly number[] {
    this.#removals = this.#committed.removals;
    const removed = this.#removed;
    this.#removed = [];
    return removed;
  }

  /** The log ends where it did at the mark; the state says so already. */
  takeBack(to: Mark, active: FileSegment): void {
    this.#bytes = to.bytes;
    this.#written = this.#mark(active);
  }
}

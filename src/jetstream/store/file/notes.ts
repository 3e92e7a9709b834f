/**
 * What the log has to tell besides messages: which sequences were removed, and where the store begins now. What a segment tells of others has to be told again before
 * it goes.
 */
import type { LiveState } from "../log/live-state.ts";
import { KIND_FLOOR, KIND_REMOVED } from "../log/record.ts";
import type { SegmentList } from "../log/segment.ts";
import type { FileSegment } from "./file-segment.ts";
import type { LogWriter } from "./log-writer.ts";

/** Sequences in one note. */
const SEQUENCES_MAX = 4096;

export class Notes {
  /** Removed sequences that the log does not tell yet. */
  #removed: number[] = [];
  /** The floor that the log tells, and the segment that tells it. */
  #floor: number;
  #floorSegment: number;

  constructor(
    private readonly state: LiveState,
    private readonly list: SegmentList<FileSegment>,
    recovered: { readonly floor: number; readonly floorSegment: number },
  ) {
    this.#floor = recovered.floor;
    this.#floorSegment = recovered.floorSegment;
  }

  /** The floor that the log tells. */
  get floor(): number {
    return this.#floor;
  }

  get hasRemovals(): boolean {
    return this.#removed.length > 0;
  }

  removed(seq: number): void {
    this.#removed.push(seq);
  }

  /** Puts what the log does not tell yet at its end. */
  put(writer: LogWriter): void {
    const { state } = this;
    const { active } = writer;
    const floor = state.first;
    if (this.#removed.length > 0) {
      const telling = this.#removed.filter((seq) => seq >= floor && seq <= state.lastSeq);
      for (let i = 0; i < telling.length; i += SEQUENCES_MAX) writer.putNote(KIND_REMOVED, state.lastSeq, telling.slice(i, i + SEQUENCES_MAX));
      for (const seq of telling) this.#told(seq, active);
    }
    if (floor > this.#floor && !(floor === 1 || (!active.isCreated && floor <= active.file.header.floor))) writer.putNote(KIND_FLOOR, floor, []);
  }

  #told(seq: number, active: FileSegment): void {
    const { list } = this;
    const segment = list.segments[list.place(seq)];
    if (segment === active) return;
    active.notes.push(seq);
    active.hasNotes = true;
    segment.notedIn = Math.min(segment.notedIn, active.id);
  }

  /** All that was put is written. Returns the removals that are told now. */
  written(active: FileSegment): readonly number[] {
    const floor = this.state.first;
    if (floor > this.#floor) {
      this.#floor = floor;
      this.#floorSegment = active.id;
    }
    const told = this.#removed;
    this.#removed = [];
    return told;
  }

  /** Messages from `firstSeq` on are taken back; what was told `again` has to be told another time. */
  takeBack(firstSeq: number, again: readonly number[]): void {
    this.#removed = [...again, ...this.#removed].filter((seq) => seq < firstSeq);
  }

  /** The log goes on with this segment, which may not tell the floor. */
  goBack(active: FileSegment): void {
    this.#floor = Math.min(this.#floor, active.file.header.floor);
  }

  clear(): void {
    this.#removed = [];
  }

  /** Sees to it that what a segment tells of others is written again, before it goes. */
  carry(segment: FileSegment): void {
    if (segment.id === this.#floorSegment) this.#floor = 0;
    if (!segment.hasNotes) return;
    for (const other of this.list.segments) {
      if (other.first > segment.first) break;
      if (other === segment || !other.hasRemovals || other.notedIn > segment.id || other.live === 0) continue;
      for (const seq of other.removedSequences(this.list.indexOf(other))) this.#removed.push(seq);
      other.notedIn = Number.POSITIVE_INFINITY;
    }
  }
}

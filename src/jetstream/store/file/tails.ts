/**
 * Where records are written before the kernel gets them: a window at the end of the active segment, and the one before it, kept for who reads what was just
 * written. A tail that is half full after a write makes way for the other: the rest is room for the next turn.
 */
import { ByteWindow } from "../log/window.ts";
import type { FileSegment } from "./file-segment.ts";

/** A tail is this large while a store is busy. */
const TAIL_BYTES = 1024 * 1024;
/** In a stream of small segments it is such a part of one. */
const TAILS_PER_SEGMENT = 4;
const TAIL_FIRST_BYTES = 4096;

export class Tails {
  readonly #bytes: number;
  /** The tail before the present one. */
  #previous: { readonly segment: FileSegment; readonly window: ByteWindow } | undefined;

  constructor(segmentBytes: number) {
    this.#bytes = Math.min(TAIL_BYTES, segmentBytes / TAILS_PER_SEGMENT);
  }

  /** A first tail of a segment, with room for so many bytes: where a store is busy the window before the last one, else a small one. */
  begin(segment: FileSegment, bytes: number): ByteWindow {
    const spare = this.#takeSpare();
    const tail = (segment.tail = spare !== undefined && spare.capacity >= bytes ? spare : new ByteWindow(Math.max(bytes, TAIL_FIRST_BYTES)));
    tail.start = segment.end;
    tail.length = 0;
    return tail;
  }

  /** The window before the present one, if it is of the usual size. */
  #takeSpare(): ByteWindow | undefined {
    const spare = this.#previous?.window;
    this.#previous = undefined;
    return spare !== undefined && spare.capacity >= this.#bytes && spare.capacity <= 2 * this.#bytes ? spare : undefined;
  }

  isHalfFull(tail: ByteWindow): boolean {
    return tail.length * 2 >= this.#bytes;
  }

  /** Whether it is better written now than enlarged for so many bytes more. */
  isFull(tail: ByteWindow, bytes: number): boolean {
    return tail.length + bytes > this.#bytes && this.isHalfFull(tail);
  }

  /** Begins a new tail of the active segment, in the window before the last one if that is of the usual size. `tail`, of `segment`, is written. */
  turn(segment: FileSegment, tail: ByteWindow, active: FileSegment): void {
    const isNeeded = active === segment || active.tail === undefined;
    const next = isNeeded ? (this.#takeSpare() ?? new ByteWindow(this.#bytes)) : undefined;
    this.#previous = { segment, window: tail };
    if (next === undefined) return;
    next.start = active.end;
    next.length = 0;
    active.tail = next;
  }

  /** The tail, or the one before it, that has the bytes at a place. */
  at(segment: FileSegment, place: number): ByteWindow | undefined {
    const { tail } = segment;
    if (tail !== undefined && place >= tail.start) return tail;
    const previous = this.#previous;
    return previous !== undefined && previous.segment === segment && place >= previous.window.start && place < previous.window.end ? previous.window : undefined;
  }

  /** The tail before the present one is let go. */
  forget(): void {
    this.#previous = undefined;
  }

  /** As `forget`, if it is of this segment. */
  forgetOf(segment: FileSegment): void {
    if (this.#previous?.segment === segment) this.#previous = undefined;
  }

  /** Nothing happens any more: the large windows are let go. */
  rest(active: FileSegment): void {
    this.#previous = undefined;
    const { tail } = active;
    if (tail !== undefined && active.writtenEnd === active.end && tail.capacity > TAIL_FIRST_BYTES) active.tail = undefined;
  }
}

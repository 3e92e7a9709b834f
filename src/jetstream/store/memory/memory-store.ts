/**
 * Messages in memory: the same log as on disk, in segments of a mebibyte, without checksums. What is removed from the middle of a segment stays in its buffer
 * until half of it is dead; then the rest is moved to a buffer of its size, together with a neighbour that is small as well.
 */
import type { NewMessage, StoreEvents, StoreOptions } from "../message-store.ts";
import { lengthAt, putMessage } from "../log/record.ts";
import { Segment } from "../log/segment.ts";
import { SegmentIndex } from "../log/segment-index.ts";
import { SegmentedStore } from "../log/segmented-store.ts";
import { ByteWindow } from "../log/window.ts";

const SEGMENT_BYTES = 1 << 20;
const SEGMENT_FIRST_BYTES = 1024;
/** A segment of fewer dead bytes is left alone. */
const DEAD_BYTES_MIN = 4096;
/** From the first sequence of a segment to its last. */
const SEGMENT_SPAN_MAX = 2 ** 31;

class MemorySegment extends Segment {
  window = new ByteWindow(SEGMENT_FIRST_BYTES);
  /** Bytes of records whose message was removed. */
  deadBytes = 0;
}

export class MemoryStore extends SegmentedStore<MemorySegment> {
  readonly kind = "memory";
  committedSeq: number;
  uncommittedBytes = 0;
  #active: MemorySegment;

  constructor(
    firstSeq: number,
    private readonly events: StoreEvents,
  ) {
    super(firstSeq);
    this.committedSeq = this.state.lastSeq;
    this.#active = this.#start(this.state.lastSeq + 1);
  }

  sizeOf(subjectLength: number, headerLength: number, payloadLength: number): number {
    return 16 + subjectLength + headerLength + payloadLength;
  }

  #start(first: number): MemorySegment {
    const segment = new MemorySegment(first);
    this.list.segments.push(segment);
    return (this.#active = segment);
  }

  protected loadIndex(segment: MemorySegment): SegmentIndex {
    return (segment.index ??= new SegmentIndex(segment.first));
  }

  protected locate(segment: MemorySegment, slot: number): boolean {
    this.view = segment.window;
    this.viewAt = this.list.indexOf(segment).offsets[slot];
    return true;
  }

  protected segmentFor(recordBytes: number, seq: number): MemorySegment {
    const { window } = this.#active;
    if (window.length + recordBytes <= window.capacity) return this.#active;
    if (window.length === 0 || window.length + recordBytes <= SEGMENT_BYTES) {
      window.reserve(recordBytes, SEGMENT_BYTES);
      return this.#active;
    }
    const full = this.#active;
    full.index?.trim();
    // Where one was filled the next one will be.
    this.#start(seq).window.resize(Math.max(recordBytes, SEGMENT_BYTES));
    this.#active.index = new SegmentIndex(seq, full.index?.count);
    if (full.live === 0) this.list.remove(full);
    return this.#active;
  }

  protected write(segment: MemorySegment, seq: number, message: NewMessage): number {
    const { window } = segment;
    const offset = window.length;
    const length = putMessage(window, offset, seq, message);
    window.length = offset + length;
    this.uncommittedBytes += length;
    return offset;
  }

  protected onRemoved(segment: MemorySegment, slot: number, seq: number, erase: boolean): void {
    const { window } = segment;
    const offset = this.list.indexOf(segment).offsets[slot];
    const length = lengthAt(window, offset);
    if (erase) window.buffer.fill(0, offset + 8, offset + length);
    segment.deadBytes += length;
    if (segment.live === 0) this.#dropEmpty(segment);
    // What goes from the front takes the whole segment along soon.
    else if (seq > this.state.first && segment !== this.#active && segment.deadBytes >= DEAD_BYTES_MIN && segment.deadBytes * 2 > window.length) this.#compactSegment(segment);
  }

  #dropEmpty(segment: MemorySegment): void {
    if (segment === this.#active) this.#start(this.state.lastSeq + 1);
    this.list.remove(segment);
  }

  protected onFloor(): void {
    const { segments } = this.list;
    while (segments.length > 1 && segments[0].live === 0) segments.shift();
    if (this.#active.live === 0 && this.#active.window.length > 0) this.#dropEmpty(this.#active);
  }

  protected onCleared(): void {
    this.list.segments.length = 0;
    this.#start(this.state.lastSeq + 1);
  }

  protected onSkipped(): void {
    if (this.#active.live === 0) this.#dropEmpty(this.#active);
    else if (this.state.lastSeq - this.#active.first > SEGMENT_SPAN_MAX) this.#start(this.state.lastSeq + 1);
  }

  protected onDamaged(): void {
    throw new Error("memory is not damaged");
  }

  /** Moves what is left of a segment to a new one, and what is left of the one before, when both are small. */
  #compactSegment(segment: MemorySegment): void {
    const { segments } = this.list;
    const at = segments.indexOf(segment);
    const before = at > 0 ? segments[at - 1] : undefined;
    const leftOf = (one: MemorySegment): number => one.window.length - one.deadBytes;
    const sources = before !== undefined && leftOf(before) + leftOf(segment) <= SEGMENT_BYTES / 2 && segment.last - before.first < SEGMENT_SPAN_MAX ? [before, segment] : [segment];
    const live = sources.reduce((sum, source) => sum + source.live, 0);
    const [from] = sources;
    const fresh = new MemorySegment(from.first);
    fresh.window = new ByteWindow(sources.reduce((sum, source) => sum + leftOf(source), 0));
    const index = (fresh.index = new SegmentIndex(fresh.first, Math.max(1, live)));
    fresh.last = segment.last;
    for (const source of sources) {
      const old = this.list.indexOf(source);
      for (let slot = old.nextLive(0); slot >= 0; slot = old.nextLive(slot + 1)) {
        const offset = old.offsets[slot];
        const length = lengthAt(source.window, offset);
        const to = fresh.window.length;
        source.window.buffer.copy(fresh.window.buffer, to, offset, offset + length);
        fresh.window.length = to + length;
        index.push(old.seqOf(slot), old.ids[slot], to, old.sizes[slot], old.marks?.[slot] ?? 0);
      }
      fresh.live += source.live;
      fresh.liveBytes += source.liveBytes;
      fresh.marksUnion |= source.marksUnion;
    }
    fresh.firstSeconds = from.firstSeconds;
    fresh.firstNanos = from.firstNanos;
    fresh.lastSeconds = segment.lastSeconds;
    fresh.lastNanos = segment.lastNanos;
    segments.splice(at - sources.length + 1, sources.length, fresh);
  }

  flush(): void {
    this.uncommittedBytes = 0;
    this.committedSeq = this.state.lastSeq;
    this.events.onCommitted(this.committedSeq);
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  configure(_options: StoreOptions): void {
    // Nothing in memory can be chosen.
  }

  close(): void {
    // Nothing is open.
  }

  destroy(): void {
    this.list.segments.length = 0;
  }
}

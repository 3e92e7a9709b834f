/** A run of the log that holds the sequences of `[first, last]`, as far as they are still there. */
import type { Members } from "./members.ts";
import { SegmentIndex } from "./segment-index.ts";

export class Segment {
  /** Highest sequence it accounts for; `first - 1` while there is none. */
  last: number;
  /** Messages that are there. */
  live = 0;
  /** What they count for. */
  liveBytes = 0;
  /** Marks of all messages that it ever held. */
  marksUnion = 0;
  /** Time of the last message, and of the first ever. */
  firstSeconds = 0;
  firstNanos = 0;
  lastSeconds = 0;
  lastNanos = 0;
  /** Undefined while nobody needs it (files only). */
  index: SegmentIndex | undefined;
  /** Set for a full segment when its index goes: a search for one subject need not have the index again to find that it has none. */
  members: Members | undefined;
  /** The index was asked for since somebody set this to false. */
  isUsed = true;

  constructor(public first: number) {
    this.last = first - 1;
    this.index = new SegmentIndex(first);
  }
}

/** The segments of a store, ascending, and how to get at their indexes. */
export class SegmentList<S extends Segment> {
  readonly segments: S[] = [];
  #hint = 0;

  constructor(private readonly load: (segment: S) => SegmentIndex) {}

  indexOf(segment: S): SegmentIndex {
    segment.isUsed = true;
    return segment.index ?? this.load(segment);
  }

  /** Number of the segment that holds `seq`, or else of the one after which it would be; 0 when it is before all. */
  place(seq: number): number {
    const { segments } = this;
    const hint = this.#hint;
    if (hint < segments.length && segments[hint].first <= seq && (hint + 1 === segments.length || segments[hint + 1].first > seq)) return hint;
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (segments[middle].first <= seq) low = middle + 1;
      else high = middle;
    }
    return (this.#hint = Math.max(0, low - 1));
  }

  remove(segment: S): void {
    const at = this.segments.indexOf(segment);
    if (at === 0) this.segments.shift();
    else if (at > 0) this.segments.splice(at, 1);
  }
}

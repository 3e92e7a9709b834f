/** Between the index of a segment in memory, which names subjects by the store's numbers, and in its file, which has a dictionary. */
import { SegmentIndex } from "../log/segment-index.ts";
import { NO_SUBJECT, type SubjectTable } from "../log/subjects.ts";
import type { FileSegment } from "./file-segment.ts";
import type { LocalIndex } from "./index-file.ts";

/** Subjects that are named in one slice. */
const NAMES_PER_SLICE = 2048;

/** The store's numbers instead of the dictionary's; what is gone by now is left out. */
export function toGlobal(local: LocalIndex, subjects: SubjectTable, segment: FileSegment, floor: number): SegmentIndex {
  const { index } = local;
  const ids = new Uint32Array(local.subjects.length + 1);
  for (let i = 0; i < local.subjects.length; i++) ids[i + 1] = subjects.find(local.subjects[i]);
  const global = new SegmentIndex(index.base, 1);
  global.count = index.count;
  global.offsets = index.offsets;
  global.sizes = index.sizes;
  global.deltas = index.deltas;
  global.marks = index.marks;
  global.ids = new Uint32Array(index.offsets.length);
  const { hasRemovals } = segment;
  for (let slot = index.slotFrom(floor); slot < index.count; slot++) {
    if (!hasRemovals || !segment.isRemoved(index.offsets[slot])) global.ids[slot] = ids[index.ids[slot]];
  }
  return global;
}

/** In slices; undefined when subjects were freed meanwhile so often that it came to nothing. */
export function* localJob(segment: FileSegment, index: SegmentIndex, subjects: SubjectTable, floor: number): Generator<undefined, LocalIndex | undefined, void> {
  const { epoch } = subjects;
  const names = new Names(subjects, index.count);
  for (let slot = 0, named = NAMES_PER_SLICE; slot < index.count; slot++) {
    names.add(slot, index.ids[slot]);
    if (names.list.length < named) continue;
    named += NAMES_PER_SLICE;
    yield;
    // Numbers may belong to other subjects now: all at once, then.
    if (subjects.epoch !== epoch) return localNow(segment, index, subjects, floor);
  }
  return build(segment, index, names, floor);
}

export function localNow(segment: FileSegment, index: SegmentIndex, subjects: SubjectTable, floor: number): LocalIndex {
  const names = new Names(subjects, index.count);
  for (let slot = 0; slot < index.count; slot++) names.add(slot, index.ids[slot]);
  return build(segment, index, names, floor);
}

/** A dictionary in the making. */
class Names {
  readonly list: string[] = [];
  /** Number in the dictionary by slot. */
  readonly bySlot: Uint32Array;
  readonly #numbers = new Map<number, number>();
  #latest = NO_SUBJECT;
  #latestNumber = 0;

  constructor(
    private readonly subjects: SubjectTable,
    slots: number,
  ) {
    this.bySlot = new Uint32Array(slots);
  }

  add(slot: number, id: number): void {
    if (id === NO_SUBJECT) return;
    if (id !== this.#latest) {
      this.#latest = id;
      let number = this.#numbers.get(id);
      if (number === undefined) this.#numbers.set(id, (number = this.list.push(this.subjects.name(id))));
      this.#latestNumber = number;
    }
    this.bySlot[slot] = this.#latestNumber;
  }
}

function build(segment: FileSegment, index: SegmentIndex, names: Names, floor: number): LocalIndex {
  const locals = new SegmentIndex(index.base, 1);
  locals.count = index.count;
  locals.offsets = index.offsets;
  locals.sizes = index.sizes;
  locals.deltas = index.deltas;
  locals.marks = index.marks;
  locals.ids = names.bySlot;
  // What was removed in the course of it.
  for (let slot = 0; slot < index.count; slot++) if (index.ids[slot] === NO_SUBJECT) locals.ids[slot] = 0;
  const { file } = segment;
  return {
    id: segment.id,
    salt: file.header.salt,
    fileBytes: file.fileBytes,
    end: segment.end,
    first: segment.first,
    last: segment.last,
    floor: Math.max(floor, file.header.floor),
    firstSeconds: segment.firstSeconds,
    firstNanos: segment.firstNanos,
    lastSeconds: segment.lastSeconds,
    lastNanos: segment.lastNanos,
    marksUnion: segment.marksUnion,
    index: locals,
    subjects: names.list,
    removed: segment.notes,
    frames: file.frames,
  };
}

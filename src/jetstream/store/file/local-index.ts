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
  const names = new Names(subjects);
  for (let slot = 0, named = NAMES_PER_SLICE; slot < index.count; slot++) {
    if (!names.add(index.ids[slot]) || names.list.length < named) continue;
    named += NAMES_PER_SLICE;
    yield;
    // Numbers may belong to other subjects now: all at once, then.
    if (subjects.epoch !== epoch) return localNow(segment, index, subjects, floor);
  }
  return subjects.epoch === epoch ? build(segment, index, names, floor) : localNow(segment, index, subjects, floor);
}

export function localNow(segment: FileSegment, index: SegmentIndex, subjects: SubjectTable, floor: number): LocalIndex {
  const names = new Names(subjects);
  for (let slot = 0; slot < index.count; slot++) names.add(index.ids[slot]);
  return build(segment, index, names, floor);
}

/** A dictionary in the making. */
class Names {
  readonly list: string[] = [];
  readonly numbers = new Map<number, number>();
  #latest = NO_SUBJECT;

  constructor(private readonly subjects: SubjectTable) {}

  /** Whether it was a new one. */
  add(id: number): boolean {
    if (id === NO_SUBJECT || id === this.#latest) return false;
    this.#latest = id;
    if (this.numbers.has(id)) return false;
    this.numbers.set(id, this.list.push(this.subjects.name(id)));
    return true;
  }
}

function build(segment: FileSegment, index: SegmentIndex, names: Names, floor: number): LocalIndex {
  const locals = new SegmentIndex(index.base, 1);
  locals.count = index.count;
  locals.offsets = index.offsets;
  locals.sizes = index.sizes;
  locals.deltas = index.deltas;
  locals.marks = index.marks;
  locals.ids = new Uint32Array(index.count);
  let latest = NO_SUBJECT;
  let number = 0;
  for (let slot = 0; slot < index.count; slot++) {
    const id = index.ids[slot];
    if (id !== latest) {
      latest = id;
      number = id === NO_SUBJECT ? 0 : (names.numbers.get(id) ?? 0);
    }
    locals.ids[slot] = number;
  }
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

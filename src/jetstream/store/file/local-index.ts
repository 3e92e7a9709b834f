/** Between the index of a segment in memory, which names subjects by the store's numbers, and in its file, which has a dictionary. */
import { SegmentIndex } from "../log/segment-index.ts";
import { NO_SUBJECT, type SubjectTable } from "../log/subjects.ts";
import type { FileSegment } from "./file-segment.ts";
import { DictionaryWriter } from "./dictionary.ts";
import type { LocalIndex } from "./index-file.ts";

/** Subjects that are named in one slice. */
const NAMES_PER_SLICE = 512;

/** The store's numbers instead of the dictionary's; what is gone by now is left out. Takes over the columns of `local`, which is void afterwards. */
export function toGlobal(local: LocalIndex, subjects: SubjectTable, segment: FileSegment, floor: number): SegmentIndex {
  const { index } = local;
  const idOf = local.subjects.idsIn(subjects);
  const { ids, offsets, count } = index;
  const from = index.slotFrom(floor);
  const { hasRemovals } = segment;
  ids.fill(NO_SUBJECT, 0, from);
  for (let slot = from; slot < count; slot++) ids[slot] = hasRemovals && segment.isRemoved(offsets[slot]) ? NO_SUBJECT : idOf[ids[slot]];
  return index;
}

/**
 * In slices, while the store goes on. Numbers of subjects may change hands meanwhile, but never that of a message that is there, and a full segment gets no others: so
 * what a number was called in one slice is right in the next. Undefined once the segment is not of the store any more (`isThere`): then its numbers mean nothing.
 */
export function* localJob(segment: FileSegment, index: SegmentIndex, subjects: SubjectTable, floor: number, isThere: () => boolean): Generator<undefined, LocalIndex | undefined, void> {
  const names = new Names(subjects, index.count);
  for (let slot = 0, named = NAMES_PER_SLICE; slot < index.count; slot++) {
    names.add(slot, index.ids[slot]);
    if (names.count < named) continue;
    named += NAMES_PER_SLICE;
    yield;
    if (!isThere()) return undefined;
  }
  return build(segment, index, names, floor);
}

export function localNow(segment: FileSegment, index: SegmentIndex, subjects: SubjectTable, floor: number): LocalIndex {
  const names = new Names(subjects, index.count);
  for (let slot = 0; slot < index.count; slot++) names.add(slot, index.ids[slot]);
  return build(segment, index, names, floor);
}

const FIRST_ENTRIES = 16;

/** Gives the subjects of slots numbers in a dictionary. */
class Names {
  readonly dictionary = new DictionaryWriter();
  /** Number in the dictionary by slot. */
  readonly bySlot: Uint32Array;
  /** Open table from the store's number of a subject (0: free) to that in the dictionary, in pairs. A `Map` of 65,536 holds the loop for 3 ms when it grows. */
  #table = new Uint32Array(FIRST_ENTRIES * 2);
  #filled = 0;
  #latest = NO_SUBJECT;
  #latestNumber = 0;

  constructor(
    private readonly subjects: SubjectTable,
    slots: number,
  ) {
    this.bySlot = new Uint32Array(slots);
  }

  get count(): number {
    return this.dictionary.count;
  }

  add(slot: number, id: number): void {
    if (id === NO_SUBJECT) return;
    if (id !== this.#latest) {
      this.#latest = id;
      this.#latestNumber = this.#numberOf(id);
    }
    this.bySlot[slot] = this.#latestNumber;
  }

  #numberOf(id: number): number {
    const at = placeOf(this.#table, id);
    const known = this.#table[at + 1];
    if (known !== 0) return known;
    const number = this.dictionary.addId(id, this.subjects);
    this.#table[at] = id;
    this.#table[at + 1] = number;
    if (++this.#filled * 4 > this.#table.length) this.#grow();
    return number;
  }

  #grow(): void {
    const old = this.#table;
    const larger = new Uint32Array(old.length * 2);
    for (let from = 0; from < old.length; from += 2) {
      if (old[from] === NO_SUBJECT) continue;
      const at = placeOf(larger, old[from]);
      larger[at] = old[from];
      larger[at + 1] = old[from + 1];
    }
    this.#table = larger;
  }
}

/** Where `id` is in a table, or would be. */
function placeOf(table: Uint32Array, id: number): number {
  const mask = table.length - 2;
  let at = (Math.imul(id, 0x9e3779b1) >>> 7 << 1) & mask;
  while (table[at] !== NO_SUBJECT && table[at] !== id) at = (at + 2) & mask;
  return at;
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
    subjects: names.dictionary.finish(),
    removed: segment.notes,
    frames: file.frames,
  };
}

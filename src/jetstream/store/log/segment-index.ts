/**
 * What is known of each message of a segment without reading it: subject number, place, size, marks; in order of sequence. A message that was removed keeps its
 * slot, with subject 0. Slots are sequences from `base` on, unless some are missing (skipped, or dropped by a rewrite): then `deltas` holds them.
 *
 * To find messages of one subject the slots are sorted by subject at need (`order`), which makes it a binary search; the slots that were added since are
 * looked through one by one.
 */
const FIRST_SLOTS = 4;
/** A search for one subject looks at so many slots before it sorts. */
const LOOK_SLOTS = 512;
/** Sorting costs as much as so many looks through all slots. */
const LOOKS_BEFORE_SORT = 32;
/** So many slots may have come since they were sorted. */
const UNSORTED_SLOTS = 8192;
const RADIX_BITS = 11;
const RADIX = 1 << RADIX_BITS;

export class SegmentIndex {
  count = 0;
  ids: Uint32Array;
  offsets: Uint32Array;
  sizes: Uint32Array;
  marks: Uint8Array | undefined;
  deltas: Uint32Array | undefined;
  /** Slots sorted by the subject they had, then by slot; and those subjects. */
  #order: Uint32Array | undefined;
  #orderIds: Uint32Array | undefined;
  #ordered = 0;
  #looks = 0;

  constructor(
    public base: number,
    slots = FIRST_SLOTS,
  ) {
    this.ids = new Uint32Array(slots);
    this.offsets = new Uint32Array(slots);
    this.sizes = new Uint32Array(slots);
  }

  get memoryBytes(): number {
    return this.ids.byteLength * 3 + (this.marks?.byteLength ?? 0) + (this.deltas?.byteLength ?? 0) + (this.#order?.byteLength ?? 0) * 2;
  }

  push(seq: number, id: number, offset: number, size: number, marks: number): void {
    const slot = this.count;
    if (slot === this.ids.length) this.#grow(Math.max(FIRST_SLOTS, slot * 2));
    if (this.deltas === undefined && seq !== this.base + slot) {
      if (slot === 0) this.base = seq;
      else {
        this.deltas = new Uint32Array(this.ids.length);
        for (let i = 0; i < slot; i++) this.deltas[i] = i;
      }
    }
    this.ids[slot] = id;
    this.offsets[slot] = offset;
    this.sizes[slot] = size;
    if (this.deltas !== undefined) this.deltas[slot] = seq - this.base;
    if (marks !== 0) {
      this.marks ??= new Uint8Array(this.ids.length);
      this.marks[slot] = marks;
    }
    this.count = slot + 1;
  }

  /** Takes back the last slot. */
  pop(): void {
    const slot = --this.count;
    if (this.marks !== undefined) this.marks[slot] = 0;
    if (this.#ordered > slot) this.#dropOrder();
  }

  #grow(slots: number): void {
    const larger = (old: Uint32Array): Uint32Array => {
      const fresh = new Uint32Array(slots);
      fresh.set(old.subarray(0, this.count));
      return fresh;
    };
    this.ids = larger(this.ids);
    this.offsets = larger(this.offsets);
    this.sizes = larger(this.sizes);
    if (this.deltas !== undefined) this.deltas = larger(this.deltas);
    if (this.marks !== undefined) {
      const marks = new Uint8Array(slots);
      marks.set(this.marks.subarray(0, this.count));
      this.marks = marks;
    }
  }

  /** Gives back room that no slot uses; for a segment that gets no more. */
  trim(): void {
    if (this.ids.length > this.count + (this.count >>> 3)) this.#grow(Math.max(1, this.count));
  }

  /** Sequence of a slot. */
  seqOf(slot: number): number {
    return this.base + (this.deltas === undefined ? slot : this.deltas[slot]);
  }

  /** The first slot whose sequence is at or after `seq`; `count` when there is none. */
  slotFrom(seq: number): number {
    const delta = seq - this.base;
    if (delta <= 0) return 0;
    const { deltas, count } = this;
    if (deltas === undefined) return delta < count ? delta : count;
    let low = 0;
    let high = delta < count ? delta : count;
    // A slot is never farther right than its delta says.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (deltas[middle] < delta) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Slot of a message that is there; -1 when it is not. */
  slotOf(seq: number): number {
    const slot = this.slotFrom(seq);
    return slot < this.count && this.ids[slot] !== 0 && this.seqOf(slot) === seq ? slot : -1;
  }

  /** First slot at or after `slot` that holds a message; -1 when there is none. */
  nextLive(slot: number): number {
    const { ids, count } = this;
    for (; slot < count; slot++) if (ids[slot] !== 0) return slot;
    return -1;
  }

  previousLive(slot: number): number {
    const { ids } = this;
    for (; slot >= 0; slot--) if (ids[slot] !== 0) return slot;
    return -1;
  }

  /** First slot at or after `slot` with a message of the subject; -1 when there is none. */
  nextOf(id: number, slot: number): number {
    const { ids, count } = this;
    const lookTo = Math.min(count, slot + LOOK_SLOTS);
    for (; slot < lookTo; slot++) if (ids[slot] === id) return slot;
    if (slot === count) return -1;
    if (this.#isLookedThrough()) {
      const found = ids.indexOf(id, slot);
      return found < count ? found : -1;
    }
    const order = this.#sorted();
    for (let at = this.#orderFrom(id, slot); at < this.#ordered && this.#orderIds?.[at] === id; at++) if (ids[order[at]] === id) return order[at];
    for (slot = Math.max(slot, this.#ordered); slot < count; slot++) if (ids[slot] === id) return slot;
    return -1;
  }

  /** Last slot at or before `slot` with a message of the subject; -1 when there is none. */
  previousOf(id: number, slot: number): number {
    const { ids } = this;
    const lookTo = Math.max(-1, slot - LOOK_SLOTS);
    for (; slot > lookTo; slot--) if (ids[slot] === id) return slot;
    if (slot < 0) return -1;
    if (this.#isLookedThrough()) return ids.lastIndexOf(id, slot);
    const order = this.#sorted();
    for (; slot >= this.#ordered; slot--) if (ids[slot] === id) return slot;
    for (let at = this.#orderFrom(id, slot + 1) - 1; at >= 0 && this.#orderIds?.[at] === id; at--) if (ids[order[at]] === id) return order[at];
    return -1;
  }

  /** Messages of the subject in `[from, to)`. */
  countOf(id: number, from: number, to: number): number {
    let sum = 0;
    let slot = from;
    const { ids } = this;
    if (to - from > LOOK_SLOTS) {
      const order = this.#sorted();
      for (let at = this.#orderFrom(id, from); at < this.#ordered && this.#orderIds?.[at] === id && order[at] < to; at++) if (ids[order[at]] === id) sum++;
      slot = Math.max(from, this.#ordered);
    }
    for (; slot < to; slot++) if (ids[slot] === id) sum++;
    return sum;
  }

  /** Messages in `[from, to)`. */
  countLive(from: number, to: number): number {
    let sum = 0;
    for (let slot = from; slot < to; slot++) if (this.ids[slot] !== 0) sum++;
    return sum;
  }

  /** Place in the order of the first entry of a subject at or after a slot. */
  #orderFrom(id: number, slot: number): number {
    const order = this.#order;
    const orderIds = this.#orderIds;
    if (order === undefined || orderIds === undefined) return 0;
    let low = 0;
    let high = this.#ordered;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const middleId = orderIds[middle];
      if (middleId < id || (middleId === id && order[middle] < slot)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether looking through all of it once more is better than sorting it: who looks for a few subjects does not pay for many. */
  #isLookedThrough(): boolean {
    return this.#order === undefined && this.#looks++ < LOOKS_BEFORE_SORT;
  }

  #sorted(): Uint32Array {
    if (this.#order !== undefined && this.count - this.#ordered <= UNSORTED_SLOTS) return this.#order;
    const { count } = this;
    let ids = this.ids.slice(0, count);
    let order = new Uint32Array(count);
    let largest = 0;
    for (let slot = 0; slot < count; slot++) {
      order[slot] = slot;
      if (ids[slot] > largest) largest = ids[slot];
    }
    let spareIds = new Uint32Array(count);
    let spareOrder = new Uint32Array(count);
    const starts = new Uint32Array(RADIX + 1);
    for (let shift = 0; shift < 32 && largest >>> shift !== 0; shift += RADIX_BITS) {
      starts.fill(0);
      for (let i = 0; i < count; i++) starts[((ids[i] >>> shift) & (RADIX - 1)) + 1]++;
      for (let digit = 0; digit < RADIX; digit++) starts[digit + 1] += starts[digit];
      for (let i = 0; i < count; i++) {
        const to = starts[(ids[i] >>> shift) & (RADIX - 1)]++;
        spareIds[to] = ids[i];
        spareOrder[to] = order[i];
      }
      [ids, spareIds] = [spareIds, ids];
      [order, spareOrder] = [spareOrder, order];
    }
    this.#order = order;
    this.#orderIds = ids;
    this.#ordered = count;
    return order;
  }

  #dropOrder(): void {
    this.#order = undefined;
    this.#orderIds = undefined;
    this.#ordered = 0;
  }
}

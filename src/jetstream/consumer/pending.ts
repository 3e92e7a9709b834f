/**
 * Messages that were delivered and wait for their acknowledgement: sequence, sequence of the first delivery, time of the last one. Kept in flat arrays by
 * slot, chained in the order of their sequences, so that the lowest is at hand for the ack floor and nothing is allocated per message.
 *
 * A slot is found by an open table of slots, hashed by their sequences. A `Map` did it before: with 1,000 pending it leaves 45 bytes of garbage for each message that comes and
 * goes, which the collector takes for long-lived.
 */

const NONE = -1;
/** Sizes are powers of two. */
const SLOTS_MIN = 16;
/** Arrays that grew larger are given back once nothing is pending. */
const SLOTS_KEPT = 1024;
const HASH_FACTOR = 0x9e3779b1;

export class PendingMessages {
  /** Slots plus one, 0 where there is none; twice as many places as slots at least. */
  #table = new Int32Array(0);
  /** Bits that a hash is shifted to the right to be a place in the table. */
  #shift = 32;
  #size = 0;
  #seqs = new Float64Array(0);
  #deliveries = new Float64Array(0);
  #times = new Float64Array(0);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  /** Free slots are chained by `#next`. */
  #free = NONE;
  #first = NONE;
  #last = NONE;

  get size(): number {
    return this.#size;
  }

  has(seq: number): boolean {
    return this.#slotOf(seq) !== NONE;
  }

  #slotOf(seq: number): number {
    if (this.#size === 0) return NONE;
    const table = this.#table;
    const mask = table.length - 1;
    for (let place = this.#placeOf(seq); ; place = (place + 1) & mask) {
      const slot = table[place] - 1;
      if (slot === NONE || this.#seqs[slot] === seq) return slot;
    }
  }

  /** Where the search for a sequence begins. */
  #placeOf(seq: number): number {
    return Math.imul(seq, HASH_FACTOR) >>> this.#shift;
  }

  #enter(slot: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let place = this.#placeOf(this.#seqs[slot]);
    while (table[place] !== 0) place = (place + 1) & mask;
    table[place] = slot + 1;
  }

  #leave(slot: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let hole = this.#placeOf(this.#seqs[slot]);
    while (table[hole] !== slot + 1) hole = (hole + 1) & mask;
    // Entries behind the hole that would not be found across it move into it.
    for (let place = (hole + 1) & mask; table[place] !== 0; place = (place + 1) & mask) {
      const home = this.#placeOf(this.#seqs[table[place] - 1]);
      if (((place - home) & mask) < ((place - hole) & mask)) continue;
      table[hole] = table[place];
      hole = place;
    }
    table[hole] = 0;
  }

  /** Lowest pending sequence; 0 when nothing is pending. */
  get firstSeq(): number {
    return this.#first === NONE ? 0 : this.#seqs[this.#first];
  }

  /** Highest pending sequence; 0 when nothing is pending. */
  get lastSeq(): number {
    return this.#last === NONE ? 0 : this.#seqs[this.#last];
  }

  /** Sequence of the first delivery; 0 when the message is not pending. */
  deliveryOf(seq: number): number {
    const slot = this.#slotOf(seq);
    return slot === NONE ? 0 : this.#deliveries[slot];
  }

  /** Time of the last delivery or progress, milliseconds since the Unix epoch; 0 when the message is not pending. */
  timeOf(seq: number): number {
    const slot = this.#slotOf(seq);
    return slot === NONE ? 0 : this.#times[slot];
  }

  /** Sets the time; nothing happens when the message is not pending. */
  touch(seq: number, atMs: number): void {
    const slot = this.#slotOf(seq);
    if (slot !== NONE) this.#times[slot] = atMs;
  }

  /** Adds a message, or replaces what is known of it. Quick for sequences above all others. */
  add(seq: number, deliverySeq: number, atMs: number): void {
    const known = this.#slotOf(seq);
    const slot = known === NONE ? this.#take() : known;
    this.#seqs[slot] = seq;
    this.#deliveries[slot] = deliverySeq;
    this.#times[slot] = atMs;
    if (known !== NONE) return;
    this.#size++;
    this.#enter(slot);
    let before = this.#last;
    while (before !== NONE && this.#seqs[before] > seq) before = this.#previous[before];
    const after = before === NONE ? this.#first : this.#next[before];
    this.#link(before, slot);
    this.#link(slot, after);
  }

  /** Whether it was pending. */
  remove(seq: number): boolean {
    const slot = this.#slotOf(seq);
    if (slot === NONE) return false;
    this.#leave(slot);
    this.#size--;
    this.#link(this.#previous[slot], this.#next[slot]);
    this.#next[slot] = this.#free;
    this.#free = slot;
    if (this.#size === 0 && this.#seqs.length > SLOTS_KEPT) this.clear();
    return true;
  }

  clear(): void {
    this.#size = 0;
    this.#first = this.#last = this.#free = NONE;
    const slots = Math.min(this.#seqs.length, SLOTS_KEPT);
    if (slots < this.#seqs.length) this.#resize(slots);
    else this.#table.fill(0);
    for (let slot = slots - 1; slot >= 0; slot--) {
      this.#next[slot] = this.#free;
      this.#free = slot;
    }
  }

  /** First slot in the order of sequences; negative when there is none. A slot stays valid until its message is removed. */
  get head(): number {
    return this.#first;
  }

  after(slot: number): number {
    return this.#next[slot];
  }

  seqAt(slot: number): number {
    return this.#seqs[slot];
  }

  timeAt(slot: number): number {
    return this.#times[slot];
  }

  deliveryAt(slot: number): number {
    return this.#deliveries[slot];
  }

  #link(before: number, after: number): void {
    if (before === NONE) this.#first = after;
    else this.#next[before] = after;
    if (after === NONE) this.#last = before;
    else this.#previous[after] = before;
  }

  #take(): number {
    if (this.#free === NONE) {
      const used = this.#seqs.length;
      this.#resize(Math.max(SLOTS_MIN, used * 2));
      for (let slot = this.#seqs.length - 1; slot >= used; slot--) {
        this.#next[slot] = this.#free;
        this.#free = slot;
      }
    }
    const slot = this.#free;
    this.#free = this.#next[slot];
    return slot;
  }

  #resize(slots: number): void {
    this.#seqs = resized(this.#seqs, new Float64Array(slots));
    this.#deliveries = resized(this.#deliveries, new Float64Array(slots));
    this.#times = resized(this.#times, new Float64Array(slots));
    this.#next = resized(this.#next, new Int32Array(slots));
    this.#previous = resized(this.#previous, new Int32Array(slots));
    this.#table = new Int32Array(slots * 2);
    this.#shift = Math.clz32(slots * 2 - 1);
    for (let slot = this.#first; slot !== NONE; slot = this.#next[slot]) this.#enter(slot);
  }
}

function resized<T extends Float64Array | Int32Array>(old: T, fresh: T): T {
  fresh.set(old.length > fresh.length ? old.subarray(0, fresh.length) : old);
  return fresh;
}

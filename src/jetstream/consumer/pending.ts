/**
 * Messages that were delivered and wait for their acknowledgement: sequence, sequence of the first delivery, time of the last one. Kept in flat arrays by
 * slot, chained in the order of their sequences, so that the lowest is at hand for the ack floor and nothing is allocated per message.
 */

const NONE = -1;
const SLOTS_MIN = 16;
/** Arrays that grew larger are given back once nothing is pending. */
const SLOTS_KEPT = 1024;

export class PendingMessages {
  /** Slot by sequence. */
  readonly #slots = new Map<number, number>();
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
    return this.#slots.size;
  }

  has(seq: number): boolean {
    return this.#slots.has(seq);
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
    const slot = this.#slots.get(seq);
    return slot === undefined ? 0 : this.#deliveries[slot];
  }

  /** Time of the last delivery or progress, milliseconds since the Unix epoch; 0 when the message is not pending. */
  timeOf(seq: number): number {
    const slot = this.#slots.get(seq);
    return slot === undefined ? 0 : this.#times[slot];
  }

  /** Sets the time; nothing happens when the message is not pending. */
  touch(seq: number, atMs: number): void {
    const slot = this.#slots.get(seq);
    if (slot !== undefined) this.#times[slot] = atMs;
  }

  /** Adds a message, or replaces what is known of it. Quick for sequences above all others. */
  add(seq: number, deliverySeq: number, atMs: number): void {
    const known = this.#slots.get(seq);
    const slot = known ?? this.#take();
    this.#seqs[slot] = seq;
    this.#deliveries[slot] = deliverySeq;
    this.#times[slot] = atMs;
    if (known !== undefined) return;
    this.#slots.set(seq, slot);
    let before = this.#last;
    while (before !== NONE && this.#seqs[before] > seq) before = this.#previous[before];
    const after = before === NONE ? this.#first : this.#next[before];
    this.#link(before, slot);
    this.#link(slot, after);
  }

  /** Whether it was pending. */
  remove(seq: number): boolean {
    const slot = this.#slots.get(seq);
    if (slot === undefined) return false;
    this.#slots.delete(seq);
    this.#link(this.#previous[slot], this.#next[slot]);
    this.#next[slot] = this.#free;
    this.#free = slot;
    if (this.#slots.size === 0 && this.#seqs.length > SLOTS_KEPT) this.clear();
    return true;
  }

  clear(): void {
    this.#slots.clear();
    this.#first = this.#last = this.#free = NONE;
    const slots = Math.min(this.#seqs.length, SLOTS_KEPT);
    if (slots < this.#seqs.length) this.#resize(slots);
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
  }
}

function resized<T extends Float64Array | Int32Array>(old: T, fresh: T): T {
  fresh.set(old.length > fresh.length ? old.subarray(0, fresh.length) : old);
  return fresh;
}

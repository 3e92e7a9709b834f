/** Sequences by the time at which something is due: a binary heap in two typed arrays, sixteen bytes per entry. */
const START = 64;
/** Most streams have none. */
const NONE = new Float64Array(0);

export class Deadlines {
  #times = NONE;
  #sequences = NONE;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Earliest time, or undefined. */
  get nextMs(): number | undefined {
    return this.#count === 0 ? undefined : this.#times[0];
  }

  add(atMs: number, seq: number): void {
    if (this.#count === this.#times.length) this.#grow();
    let i = this.#count++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (this.#times[parent] <= atMs) break;
      this.#move(parent, i);
      i = parent;
    }
    this.#times[i] = atMs;
    this.#sequences[i] = seq;
  }

  /** Takes out an entry that is due at `nowMs`; 0 when none is. */
  take(nowMs: number): number {
    if (this.#count === 0 || this.#times[0] > nowMs) return 0;
    const seq = this.#sequences[0];
    const last = --this.#count;
    const atMs = this.#times[last];
    const lastSeq = this.#sequences[last];
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#times[child + 1] < this.#times[child]) child++;
      if (this.#times[child] >= atMs) break;
      this.#move(child, i);
      i = child;
    }
    this.#times[i] = atMs;
    this.#sequences[i] = lastSeq;
    return seq;
  }

  clear(): void {
    this.#count = 0;
    this.#times = NONE;
    this.#sequences = NONE;
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from];
    this.#sequences[to] = this.#sequences[from];
  }

  #grow(): void {
    const places = Math.max(START, this.#times.length * 2);
    const times = new Float64Array(places);
    const sequences = new Float64Array(places);
    times.set(this.#times);
    sequences.set(this.#sequences);
    this.#times = times;
    this.#sequences = sequences;
  }
}

/**
 * Message ids of the duplicate window, in the order they came. In memory only: after a restart it is made again from the messages of the window that are
 * still stored. Spec: streams, section 5.4.
 */

/** Ids that are gone are cut off the arrays in portions of this size. */
const COMPACT_AT = 4096;

export class DuplicateWindow {
  /** Place of each id in the arrays, counted from the first that ever was. */
  readonly #places = new Map<string, number>();
  #ids: string[] = [];
  #sequences: number[] = [];
  #timesMs: number[] = [];
  /** Count of entries cut off the front. */
  #base = 0;
  /** Index of the first entry that still counts. */
  #head = 0;

  /** 0 turns it off. Milliseconds. */
  constructor(public windowMs: number) {}

  get size(): number {
    return this.#ids.length - this.#head;
  }

  /** The sequence under which a message with this id came within the window; 0 when none did. */
  find(id: string, nowMs: number): number {
    const place = this.#places.get(id);
    if (place === undefined) return 0;
    const at = place - this.#base;
    return this.#timesMs[at] > nowMs - this.windowMs ? this.#sequences[at] : 0;
  }

  add(id: string, seq: number, timeMs: number): void {
    if (this.windowMs <= 0) return;
    this.#places.set(id, this.#base + this.#ids.length);
    this.#ids.push(id);
    this.#sequences.push(seq);
    this.#timesMs.push(timeMs);
  }

  /** Forgets what left the window; returns when the next one will, in milliseconds of the clock, or undefined when none is left. */
  prune(nowMs: number): number | undefined {
    const bound = nowMs - this.windowMs;
    while (this.#head < this.#ids.length && this.#timesMs[this.#head] <= bound) this.#drop(this.#head++);
    if (this.#head >= COMPACT_AT || this.#head === this.#ids.length) this.#compact();
    return this.#head < this.#ids.length ? this.#timesMs[this.#head] + this.windowMs : undefined;
  }

  /** Messages from `firstSeq` on were taken back. */
  takeBack(firstSeq: number): void {
    while (this.#ids.length > this.#head && this.#sequences[this.#ids.length - 1] >= firstSeq) {
      this.#drop(this.#ids.length - 1);
      this.#ids.pop();
      this.#sequences.pop();
      this.#timesMs.pop();
    }
  }

  clear(): void {
    this.#places.clear();
    this.#ids = [];
    this.#sequences = [];
    this.#timesMs = [];
    this.#base = 0;
    this.#head = 0;
  }

  #drop(at: number): void {
    const id = this.#ids[at];
    // The id may have come again since.
    if (this.#places.get(id) === this.#base + at) this.#places.delete(id);
  }

  #compact(): void {
    this.#base += this.#head;
    this.#ids = this.#ids.slice(this.#head);
    this.#sequences = this.#sequences.slice(this.#head);
    this.#timesMs = this.#timesMs.slice(this.#head);
    this.#head = 0;
  }
}

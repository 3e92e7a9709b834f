/** The order in which messages are delivered again. */

/** Places of removed entries that may stay in the queue. */
const SLACK = 1024;

/** Sequences that wait for another delivery, first in, first out, each at most once. */
export class RedeliveryQueue {
  #queue: number[] = [];
  #head = 0;
  /** Place in `#queue` by sequence: what is elsewhere in the queue was taken out since. */
  readonly #places = new Map<number, number>();

  get size(): number {
    return this.#places.size;
  }

  has(seq: number): boolean {
    return this.#places.has(seq);
  }

  /** Puts it last, unless it is queued already. */
  push(seq: number): void {
    if (this.#places.has(seq)) return;
    if (this.#queue.length > 2 * this.#places.size + SLACK) this.#compact();
    this.#places.set(seq, this.#queue.length);
    this.#queue.push(seq);
  }

  remove(seq: number): boolean {
    if (!this.#places.delete(seq)) return false;
    if (this.#places.size === 0) this.clear();
    return true;
  }

  /** The next one, which stays; 0 when there is none. */
  peek(): number {
    while (this.#head < this.#queue.length) {
      const seq = this.#queue[this.#head];
      if (this.#places.get(seq) === this.#head) return seq;
      this.#head++;
    }
    return 0;
  }

  /** All sequences in order. */
  values(): number[] {
    return this.#queue.filter((seq, place) => this.#places.get(seq) === place);
  }

  #compact(): void {
    this.#queue = this.values();
    this.#head = 0;
    for (let place = 0; place < this.#queue.length; place++) this.#places.set(this.#queue[place], place);
  }

  clear(): void {
    this.#places.clear();
    this.#queue = [];
    this.#head = 0;
  }
}

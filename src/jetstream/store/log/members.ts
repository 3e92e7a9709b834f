/**
 * Which subjects a full segment may have messages of, by number, in two bytes a subject: so that a search for one subject passes over the segments that have none without
 * reading their indexes. A Bloom filter: what it does not have is not there; of a hundred others one or two seem to be.
 *
 * It stays good as long as no message is added to the segment: a number goes to another subject only when all messages of the old one are gone.
 */
import { NO_SUBJECT } from "./subjects.ts";

const BITS_PER_SUBJECT = 16;
const FIRST_BITS = 1 << 20;
const LEAST_BITS = 64;

export class Members {
  #bits: Uint32Array;
  #mask: number;

  /** Of numbers as often as they come, `NO_SUBJECT` among them. */
  constructor(ids: Uint32Array, count: number) {
    let bits = LEAST_BITS;
    while (bits < count * BITS_PER_SUBJECT && bits < FIRST_BITS) bits *= 2;
    this.#bits = new Uint32Array(bits >>> 5);
    this.#mask = bits - 1;
    let distinct = 0;
    let previous = NO_SUBJECT;
    for (let i = 0; i < count; i++) {
      const id = ids[i];
      if (id === NO_SUBJECT || id === previous) continue;
      previous = id;
      if (this.has(id)) continue;
      distinct++;
      const first = firstHash(id);
      this.#set(first);
      this.#set(secondHash(first));
    }
    // Places are the lower bits of a hash, so the upper half lies over the lower one in half the room.
    while (bits > LEAST_BITS && distinct * BITS_PER_SUBJECT <= bits >>> 1) {
      bits >>>= 1;
      const half = this.#bits.slice(0, bits >>> 5);
      for (let i = 0; i < half.length; i++) half[i] |= this.#bits[half.length + i];
      this.#bits = half;
      this.#mask = bits - 1;
    }
  }

  get memoryBytes(): number {
    return this.#bits.byteLength;
  }

  /** Whether the segment may have messages of a subject. */
  has(id: number): boolean {
    const first = firstHash(id);
    return this.#isSet(first) && this.#isSet(secondHash(first));
  }

  #isSet(hash: number): boolean {
    const place = hash & this.#mask;
    return ((this.#bits[place >>> 5] >>> (place & 31)) & 1) !== 0;
  }

  #set(hash: number): void {
    const place = hash & this.#mask;
    this.#bits[place >>> 5] |= 1 << (place & 31);
  }
}

function firstHash(id: number): number {
  const hash = Math.imul(id ^ (id >>> 16), 0x45d9f3b);
  return hash ^ (hash >>> 15);
}

function secondHash(first: number): number {
  const hash = Math.imul(first, 0x9e3779b1);
  return hash ^ (hash >>> 13);
}

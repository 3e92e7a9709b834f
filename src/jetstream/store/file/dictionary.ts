/**
 * The subjects of one segment, numbered from 1 in the order in which they came up: all names one behind the other, and where each ends. As bytes, since there may be 65,536
 * of them: strings of them all took 5 ms to make, and nobody asks for most.
 */
import type { SubjectTable } from "../log/subjects.ts";
import { NO_SUBJECT } from "../log/subjects.ts";

export class Dictionary {
  constructor(
    readonly bytes: Buffer,
    /** Place behind each name. */
    readonly ends: Uint32Array,
  ) {}

  get count(): number {
    return this.ends.length;
  }

  name(number: number): string {
    return this.bytes.latin1Slice(this.#start(number), this.ends[number - 1]);
  }

  #start(number: number): number {
    return number === 1 ? 0 : this.ends[number - 2];
  }

  /**
   * The store's number of each, 0 for those that it does not know (any more), by number. Subjects that were first used one after the other mostly have numbers at the
   * same distance, so that is tried first: 65,536 of them take 3 instead of 20 ms.
   */
  idsIn(subjects: SubjectTable): Uint32Array {
    const ids = new Uint32Array(this.count + 1);
    let previous = NO_SUBJECT;
    let step = 1;
    for (let number = 1, start = 0; number <= this.count; number++) {
      const end = this.ends[number - 1];
      let id = previous + step;
      if (!subjects.isName(id, this.bytes, start, end)) {
        id = subjects.find(this.bytes.latin1Slice(start, end));
        step = id - previous;
      }
      previous = ids[number] = id;
      start = end;
    }
    return ids;
  }
}

const FIRST_BYTES = 256;
const FIRST_NAMES = 16;

/** A dictionary in the making. */
export class DictionaryWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #ends = new Uint32Array(FIRST_NAMES);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds a name; returns its number. */
  add(name: string): number {
    const end = this.#room(name.length);
    this.#bytes.latin1Write(name, end - name.length);
    return this.#count;
  }

  /** Adds the name of the store's subject `id`. */
  addId(id: number, subjects: SubjectTable): number {
    const end = this.#room(subjects.nameLength(id));
    subjects.putName(id, this.#bytes, end);
    return this.#count;
  }

  /** Counts a name of so many bytes; returns where it ends. */
  #room(length: number): number {
    const end = (this.#count === 0 ? 0 : this.#ends[this.#count - 1]) + length;
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, end - length);
      this.#bytes = larger;
    }
    if (this.#count === this.#ends.length) {
      const larger = new Uint32Array(this.#count * 2);
      larger.set(this.#ends);
      this.#ends = larger;
    }
    this.#ends[this.#count++] = end;
    return end;
  }

  finish(): Dictionary {
    const bytes = this.#count === 0 ? 0 : this.#ends[this.#count - 1];
    return new Dictionary(this.#bytes.subarray(0, bytes), this.#ends.subarray(0, this.#count));
  }
}

/**
 * Keys to be sorted, as bytes in one buffer: a million strings would hold the loop while their memory is collected. Each has a weight. A key is at most as long as a
 * subject, all of them together less than 4 GiB.
 */
const FIRST_KEYS = 64;
const FIRST_BYTES = 1024;

export class KeyList {
  length = 0;
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #filled = 0;
  #starts = new Uint32Array(FIRST_KEYS);
  #lengths = new Uint32Array(FIRST_KEYS);
  weights = new Uint32Array(FIRST_KEYS);

  clear(): void {
    this.length = 0;
    this.#filled = 0;
  }

  /** Adds a key of so many bytes, which `put` writes at a place of a buffer. */
  add(length: number, weight: number, put: (into: Buffer, at: number) => void): void {
    if (this.length === this.#starts.length) {
      this.#starts = twiceAsLong(this.#starts);
      this.#lengths = twiceAsLong(this.#lengths);
      this.weights = twiceAsLong(this.weights);
    }
    if (this.#filled + length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow((this.#filled + length) * 2);
      this.#bytes.copy(larger, 0, 0, this.#filled);
      this.#bytes = larger;
    }
    put(this.#bytes, this.#filled);
    this.#starts[this.length] = this.#filled;
    this.#lengths[this.length] = length;
    this.weights[this.length++] = weight;
    this.#filled += length;
  }

  /** A key as a byte string. */
  text(i: number): string {
    return this.#bytes.latin1Slice(this.#starts[i], this.#starts[i] + this.#lengths[i]);
  }

  /** Below, at or above zero, as the bytes of the first are to those of the second. */
  compare(a: number, b: number): number {
    const bytes = this.#bytes;
    const startA = this.#starts[a];
    const startB = this.#starts[b];
    const lengthA = this.#lengths[a];
    const lengthB = this.#lengths[b];
    const common = lengthA < lengthB ? lengthA : lengthB;
    for (let i = 0; i < common; i++) {
      const difference = bytes[startA + i] - bytes[startB + i];
      if (difference !== 0) return difference;
    }
    return lengthA - lengthB;
  }

  swap(a: number, b: number): void {
    swapIn(this.#starts, a, b);
    swapIn(this.#lengths, a, b);
    swapIn(this.weights, a, b);
  }
}

function swapIn(array: Uint32Array, a: number, b: number): void {
  const value = array[a];
  array[a] = array[b];
  array[b] = value;
}

function twiceAsLong(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}

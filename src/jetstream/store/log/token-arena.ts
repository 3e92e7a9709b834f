/**
 * Bytes of tokens, one behind the other in pages. Places are numbers: page times 65,536 plus offset. A page whose tokens were all removed is given back; others
 * keep their holes, which is fine because tokens that come together mostly go together.
 */
const PAGE_BYTES = 65536;
const FIRST_PAGE_BYTES = 32;

export class TokenArena {
  #pages: (Buffer | undefined)[] = [Buffer.alloc(FIRST_PAGE_BYTES)];
  /** Bytes in use by page; a page that is being filled counts one more, so that it is not given back. */
  #live: number[] = [1];
  #current = 0;
  #filled = 0;
  #spare: number[] = [];

  get memoryBytes(): number {
    let bytes = 0;
    for (const page of this.#pages) bytes += page?.byteLength ?? 0;
    return bytes;
  }

  /** Copies characters `[start, end)` of a byte string; returns their place. */
  add(text: string, start: number, end: number): number {
    const length = end - start;
    let page = this.#pages[this.#current];
    if (page === undefined || this.#filled + length > page.length) {
      if (page !== undefined && page.length < PAGE_BYTES && this.#filled + length <= PAGE_BYTES) {
        let size = page.length;
        while (size < this.#filled + length) size *= 2;
        const larger = Buffer.alloc(size);
        larger.set(page);
        this.#pages[this.#current] = page = larger;
      } else {
        this.#release(this.#current, 1);
        this.#current = this.#spare.pop() ?? this.#pages.length;
        this.#pages[this.#current] = page = Buffer.alloc(Math.max(PAGE_BYTES, length));
        this.#live[this.#current] = 1;
        this.#filled = 0;
      }
    }
    const offset = this.#filled;
    for (let i = 0; i < length; i++) page[offset + i] = text.charCodeAt(start + i);
    this.#filled += length;
    this.#live[this.#current] += length;
    return this.#current * PAGE_BYTES + offset;
  }

  remove(place: number, length: number): void {
    this.#release(Math.floor(place / PAGE_BYTES), length);
  }

  #release(index: number, bytes: number): void {
    this.#live[index] -= bytes;
    if (this.#live[index] > 0) return;
    this.#pages[index] = undefined;
    this.#spare.push(index);
  }

  /** Whether a token is the characters `[start, end)` of a byte string. */
  equals(place: number, length: number, text: string, start: number, end: number): boolean {
    if (length !== end - start) return false;
    const page = this.#pages[place >>> 16];
    if (page === undefined) return length === 0;
    const offset = place & 0xffff;
    for (let i = 0; i < length; i++) if (page[offset + i] !== text.charCodeAt(start + i)) return false;
    return true;
  }

  /** Whether a token is the `length` bytes from `start` on. */
  equalsBytes(place: number, length: number, bytes: Uint8Array, start: number): boolean {
    const page = this.#pages[place >>> 16];
    if (page === undefined) return length === 0;
    const offset = place & 0xffff;
    for (let i = 0; i < length; i++) if (page[offset + i] !== bytes[start + i]) return false;
    return true;
  }

  /** Copies a token to `at`. */
  copy(place: number, length: number, into: Uint8Array, at: number): void {
    const page = this.#pages[place >>> 16];
    if (page === undefined) return;
    const offset = place & 0xffff;
    for (let i = 0; i < length; i++) into[at + i] = page[offset + i];
  }

  /** A token as a byte string. */
  text(place: number, length: number): string {
    const page = this.#pages[place >>> 16];
    if (page === undefined) return "";
    const offset = place & 0xffff;
    return page.latin1Slice(offset, offset + length);
  }
}

/**
 * The end of a turn: whatever was made dirty while bytes were processed is flushed once, storage first, then links. So all that was stored in a turn is one
 * write, its acknowledgements still leave in the same turn, and all deliveries of a turn to one connection leave in one write.
 */
import type { Clock } from "../platform/index.ts";

export interface Flushable {
  flush(): void;
}

export class Turn {
  #links: Flushable[] = [];
  #spareLinks: Flushable[] = [];
  #storage: Flushable[] = [];
  #spareStorage: Flushable[] = [];
  #scheduled = false;

  constructor(private readonly clock: Clock) {}

  /** `item.flush()` is called at the end of this turn. The caller sees to it that an item is added once. */
  add(item: Flushable): void {
    this.#links.push(item);
    this.#schedule();
  }

  /**
   * As `add`, but before any link is flushed. What is added while storage is being flushed waits for the next turn, so that work that begets work cannot hold
   * the loop.
   */
  addStorage(item: Flushable): void {
    this.#storage.push(item);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.clock.endOfTurn(this.#run);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    try {
      const storage = this.#storage;
      if (storage.length > 0) {
        this.#storage = this.#spareStorage;
        this.#spareStorage = storage;
        this.#flush(storage, (item) => this.addStorage(item));
      }
    } finally {
      const links = this.#links;
      this.#links = this.#spareLinks;
      this.#spareLinks = links;
      this.#flush(links, (item) => this.add(item));
      if (this.#links.length > 0 || this.#storage.length > 0) this.#schedule();
    }
  };

  /** A defect in one flush must not cost the others theirs: `later` takes those that are left. */
  #flush(items: Flushable[], later: (item: Flushable) => void): void {
    let at = 0;
    try {
      for (; at < items.length; at++) items[at].flush();
    } finally {
      for (at++; at < items.length; at++) later(items[at]);
      items.length = 0;
    }
  }
}

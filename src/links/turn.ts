/**
 * The end of a turn: whatever was made dirty while bytes were processed is flushed once. All deliveries of a turn to one connection leave in one write.
 */
import type { Clock } from "../platform/index.ts";

export interface Flushable {
  flush(): void;
}

export class Turn {
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  #scheduled = false;

  constructor(private readonly clock: Clock) {}

  /** `item.flush()` is called at the end of this turn. The caller sees to it that an item is added once. */
  add(item: Flushable): void {
    this.#dirty.push(item);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.clock.endOfTurn(this.#run);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    const dirty = this.#dirty;
    this.#dirty = this.#spare;
    let at = 0;
    try {
      for (; at < dirty.length; at++) dirty[at].flush();
    } finally {
      // A defect in one flush must not cost the others theirs.
      for (at++; at < dirty.length; at++) this.add(dirty[at]);
      dirty.length = 0;
      this.#spare = dirty;
    }
  };
}

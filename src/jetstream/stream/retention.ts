/**
 * When consumers have dealt with a message: in a work queue it goes, with interest it goes when none still needs it. Ranges are worked off in slices.
 * Spec: streams, section 4.4.
 */
import { StoredMessage } from "../store/index.ts";
import type { StreamConfig } from "../wire.ts";
import type { Stream } from "./stream.ts";
import { ALL } from "./trim.ts";

const SLICE_MS = 4;
/** Messages between two looks at the clock. */
const SLICE_MESSAGES = 64;
const view = new StoredMessage();

export class Retention {
  readonly #stream: Stream;
  readonly #ranges: { next: number; readonly last: number }[] = [];
  #scheduled = false;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  settled(seq: number, subject: string): void {
    const { config, consumers } = this.#stream;
    if (config.retention === "limits") return;
    if (config.retention === "interest" && consumers.isNeeded(seq, subject)) return;
    this.#stream.removeMessage(seq, false);
  }

  settledRange(first: number, last: number): void {
    const { config, consumers, purger } = this.#stream;
    if (config.retention === "limits") return;
    // Without anybody left everything goes, also where there is nothing.
    if (config.retention === "interest" && consumers.count === 0) purger.hasBegun = true;
    if (last < first) return;
    this.#ranges.push({ next: first, last });
    this.#schedule();
  }

  /** A crash may have kept the acknowledgements and lost the removals. */
  recover(): void {
    const { config, store } = this.#stream;
    if (config.retention === "limits") return;
    const { firstSeq, lastSeq } = store.state;
    this.#ranges.push({ next: firstSeq, last: lastSeq });
    this.#schedule();
  }

  changed(previous: StreamConfig): void {
    if (previous.retention === this.#stream.config.retention) return;
    this.recover();
    // What can be done at once shows in the answer.
    this.flush();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#stream.account.context.afterTurn(this);
  }

  flush(): void {
    this.#scheduled = false;
    if (this.#stream.isClosed) return;
    const { clock } = this.#stream.account.context;
    const until = clock.monotonicMs() + SLICE_MS;
    for (let range = this.#ranges[0]; range !== undefined; range = this.#ranges[0]) {
      while (this.#step(range)) if (clock.monotonicMs() > until) return this.#schedule();
      this.#ranges.shift();
    }
  }

  /** Goes on by some messages; false when the range is done. */
  #step(range: { next: number; readonly last: number }): boolean {
    const { store, consumers, config } = this.#stream;
    for (let i = 0; i < SLICE_MESSAGES; i++) {
      const seq = store.next(ALL, range.next, view);
      if (seq === 0 || seq > range.last) return false;
      range.next = seq + 1;
      const { subject } = view;
      // A work queue keeps what no consumer has asked for yet.
      if (config.retention === "workqueue" && !consumers.hasInterest(subject)) continue;
      if (!consumers.isNeeded(seq, subject)) this.#stream.removeMessage(seq, false);
    }
    return true;
  }
}

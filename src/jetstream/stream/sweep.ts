/**
 * Removing many messages of a stream: a purge, lowered limits, a roll-up of everything. What takes no longer than a slice is done at once; the rest goes on
 * after the following turns, while the stream takes and delivers messages. Whoever asked for it is answered when it is done.
 */
import type { EndOfTurn } from "../context.ts";
import type { Stream } from "./stream.ts";

/** One slice. */
const SLICE_MS = 4;
const TELL_EVERY_MS = 2_000;

/** Yields the number of messages removed so far, after each piece of work that takes less than a millisecond; returns the whole number. */
export type Sweep = Generator<number, number, void>;

interface Running {
  /** What it does, for the log: `purge`. */
  readonly name: string;
  readonly sweep: Sweep;
  /** Messages that may go; 0: unknown. */
  readonly most: number;
  readonly startMs: number;
  saidMs: number;
  removed: number;
  readonly resolve: (removed: number) => void;
}

export class Sweeps implements EndOfTurn {
  readonly #stream: Stream;
  readonly #running: Running[] = [];
  #scheduled = false;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** Begins; returns how many messages went when one slice was enough, else a promise of that number. `most` is how many may go, 0 when nobody knows. */
  run(name: string, sweep: Sweep, most = 0): number | Promise<number> {
    const nowMs = this.#nowMs();
    let resolve: (removed: number) => void = () => undefined;
    const running: Running = { name, sweep, most, startMs: nowMs, saidMs: nowMs, removed: 0, resolve: (removed) => resolve(removed) };
    if (this.#slice(running, nowMs + SLICE_MS)) return running.removed;
    this.#running.push(running);
    this.#schedule();
    return new Promise((done) => {
      resolve = done;
    });
  }

  #nowMs(): number {
    return this.#stream.account.context.clock.monotonicMs();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#stream.account.context.afterTurn(this);
  }

  flush(): void {
    this.#scheduled = false;
    const untilMs = this.#nowMs() + SLICE_MS;
    for (let first = this.#running[0]; first !== undefined; first = this.#running[0]) {
      if (this.#stream.isClosed) first.sweep.return(first.removed);
      else if (!this.#slice(first, untilMs)) break;
      this.#running.shift();
      first.resolve(first.removed);
    }
    if (this.#running.length > 0) this.#schedule();
  }

  /** Says whether it is done. */
  #slice(running: Running, untilMs: number): boolean {
    const stream = this.#stream;
    for (;;) {
      const { done, value } = running.sweep.next();
      running.removed = value;
      if (done === true) {
        stream.touch();
        return true;
      }
      if (this.#nowMs() < untilMs) continue;
      this.#tell(running);
      // What went is written with this turn, not all of it with the last.
      stream.touch();
      return false;
    }
  }

  #tell(running: Running): void {
    const nowMs = this.#nowMs();
    if (nowMs - running.saidMs < TELL_EVERY_MS) return;
    running.saidMs = nowMs;
    const { account, name } = this.#stream;
    const remaining = running.most > 0 ? `, at most ${running.most - running.removed} remaining` : "";
    const perSecond = Math.round((running.removed * 1000) / (nowMs - running.startMs));
    account.context.log.info(`JetStream stream '${account.name} > ${name}' ${running.name}: ${running.removed} messages removed${remaining}, ${perSecond}/s`);
  }
}

/**
 * Long work that must not hold the loop: a generator that yields after each piece of less than a millisecond. Its first slice runs at once, the others after the
 * following turns.
 */
import type { EndOfTurn, JetStreamContext } from "./context.ts";

export type Sliced<T> = Generator<void, T, void>;

/** One slice. */
const SLICE_MS = 4;

/** Does all of it now: for what is known to be little. */
export function finishNow<T>(work: Sliced<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** What the work returns, or throws. */
export function inSlices<T>(context: Pick<JetStreamContext, "clock" | "afterTurn">, work: Sliced<T>): Promise<T> {
  return new Promise((resolve, reject) => new Slices(context, work, resolve, reject).flush());
}

/** As `inSlices`, but what is done within the first slice is returned, or thrown, at once. */
export function startInSlices<T>(context: Pick<JetStreamContext, "clock" | "afterTurn">, work: Sliced<T>): T | Promise<T> {
  const untilMs = context.clock.monotonicMs() + SLICE_MS;
  do {
    const { done, value } = work.next();
    if (done === true) return value;
  } while (context.clock.monotonicMs() < untilMs);
  return new Promise((resolve, reject) => context.afterTurn(new Slices(context, work, resolve, reject)));
}

class Slices<T> implements EndOfTurn {
  constructor(
    private readonly context: Pick<JetStreamContext, "clock" | "afterTurn">,
    private readonly work: Sliced<T>,
    private readonly resolve: (result: T) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  flush(): void {
    const { clock } = this.context;
    const untilMs = clock.monotonicMs() + SLICE_MS;
    try {
      do {
        const { done, value } = this.work.next();
        if (done === true) return this.resolve(value);
      } while (clock.monotonicMs() < untilMs);
    } catch (error) {
      return this.reject(error);
    }
    this.context.afterTurn(this);
  }
}

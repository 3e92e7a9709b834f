/**
 * Work of a store that nobody waits for: saving indexes, rewriting segments, removing files. Jobs are generators that are run one after the other, a slice after
 * each turn; a job that yields a promise goes on when it is settled.
 */
import type { EndOfTurn, JetStreamContext } from "../../context.ts";

export type Job = Generator<Promise<void> | undefined, void, void>;

/** One slice. */
const SLICE_MS = 2;

export class Background implements EndOfTurn {
  readonly #jobs: { readonly name: string; readonly job: Job }[] = [];
  #isScheduled = false;
  #isWaiting = false;
  #isStopped = false;

  constructor(
    private readonly context: JetStreamContext,
    /** Begins the log line of a job that failed. */
    private readonly title: string,
  ) {}

  get isIdle(): boolean {
    return this.#jobs.length === 0;
  }

  /** `name` says in the log what failed. */
  add(name: string, job: Job): void {
    if (this.#isStopped) return;
    this.#jobs.push({ name, job });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWaiting || this.#isStopped) return;
    this.#isScheduled = true;
    this.context.afterTurn(this);
  }

  flush(): void {
    this.#isScheduled = false;
    const untilMs = this.context.clock.monotonicMs() + SLICE_MS;
    for (let first = this.#jobs[0]; first !== undefined && !this.#isStopped; first = this.#jobs[0]) {
      try {
        const { done, value } = first.job.next();
        if (done === true) this.#jobs.shift();
        else if (value !== undefined) return this.#wait(value);
      } catch (error) {
        this.#jobs.shift();
        this.#report(first.name, error);
      }
      if (this.context.clock.monotonicMs() >= untilMs) break;
    }
    if (this.#jobs.length > 0) this.#schedule();
  }

  #wait(promise: Promise<void>): void {
    this.#isWaiting = true;
    const goOn = (): void => {
      this.#isWaiting = false;
      if (this.#jobs.length > 0) this.#schedule();
    };
    promise.then(goOn, (error: unknown) => {
      const failed = this.#jobs.shift();
      if (failed !== undefined && !this.#isStopped) {
        this.#abandon(failed);
        this.#report(failed.name, error);
      }
      goOn();
    });
  }

  #report(name: string, error: unknown): void {
    this.context.log.error(`JetStream could not ${name} of stream '${this.title}': ${error instanceof Error ? error.message : String(error)}`);
  }

  /** Drops all jobs; what they left is cleaned up at the next start. */
  stop(): void {
    this.#isStopped = true;
    for (const task of this.#jobs.splice(0)) this.#abandon(task);
  }

  /** Lets a job tidy up, as far as that is possible. */
  #abandon({ name, job }: { readonly name: string; readonly job: Job }): void {
    try {
      job.return();
    } catch (error) {
      this.#report(name, error);
    }
  }
}

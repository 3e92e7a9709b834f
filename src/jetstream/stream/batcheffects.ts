/** What the messages of an atomic batch before the one at hand will have done by then: the batch is examined as a whole before any of it is stored. */
import type { Judgement, PublishInput } from "./judgement.ts";

export class BatchEffects {
  count = 0;
  /** Accounted bytes of the messages so far. */
  bytes = 0;
  readonly ids = new Set<string>();
  /** Messages of the batch under each subject. */
  readonly subjects = new Map<string, number>();
  readonly #counters = new Map<string, bigint>();

  wrote(subject: string): boolean {
    return this.subjects.has(subject);
  }

  counter(subject: string): bigint | undefined {
    return this.#counters.get(subject);
  }

  add(input: PublishInput, judgement: Judgement, bytes: number): void {
    this.count++;
    this.bytes += bytes;
    if (judgement.msgId !== "") this.ids.add(judgement.msgId);
    this.subjects.set(input.subject, (this.subjects.get(input.subject) ?? 0) + 1);
    if (judgement.value !== undefined) this.#counters.set(input.subject, BigInt(judgement.value));
  }
}

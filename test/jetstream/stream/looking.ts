/** A store in memory that counts what is looked at: messages whose subjects are judged, places in the tree of subjects. So a test can say that steps are short without a clock. */
import { MemoryStore } from "../../../src/jetstream/store/memory/memory-store.ts";

const EMPTY = Buffer.alloc(0);
/** What one step may look at: far below a millisecond's worth. */
export const LOOKS_MOST = 10_000;

export class LookingStore extends MemoryStore {
  looked = 0;

  constructor() {
    super(1, { onCommitted: () => undefined, onFailed: () => undefined });
    const { subjectTable } = this;
    for (const name of ["matches", "nextSiblingOf", "childByToken", "messagesOfChildren", "name"] as const) {
      const plain = subjectTable[name].bind(subjectTable) as (...of: unknown[]) => never;
      Object.defineProperty(subjectTable, name, { value: (...of: unknown[]) => (this.looked++, plain(...of)) });
    }
  }

  put(subject: string): void {
    this.append({ subject, seconds: 1, nanos: 0, headerBytes: EMPTY, headerStart: 0, headerEnd: 0, bodyBytes: EMPTY, bodyStart: 0, bodyEnd: 0, marks: 0 });
  }

  /** `A.k<0..99>.<n>` for each n below `messages`. */
  fill(messages: number): this {
    for (let n = 0; n < messages; n++) this.put(`A.k${n % 100}.${n}`);
    return this;
  }

  /** Works to the end; returns the result, how many steps that took and what was looked at in the longest. */
  finish<T>(work: Generator<unknown, T, void>, between = (): void => undefined): { readonly result: T; readonly steps: number; readonly mostLooked: number } {
    for (let steps = 1, mostLooked = 0; ; steps++) {
      this.looked = 0;
      const { done, value } = work.next();
      mostLooked = Math.max(mostLooked, this.looked);
      if (done === true) return { result: value, steps, mostLooked };
      between();
    }
  }
}

/**
 * What happened to one consumer since it was last written down, in a form that stays small: runs of deliveries and of settled messages instead of single
 * events. Order inside one journal is fixed (deliveries, repeated deliveries, times, exhausted, settled): a message goes through these in that order and
 * never back, except by a reset, for which the whole state is written instead.
 */
export class Journal {
  /** First sequence, count and delivery sequence of the first, in threes. */
  readonly delivered: number[] = [];
  /** Sequence and number of repeated deliveries, in pairs. */
  readonly redelivered: number[] = [];
  /** Sequence and time (milliseconds since the Unix epoch), in pairs. */
  readonly touched: number[] = [];
  readonly exhausted: number[] = [];
  /** First sequence and count, in pairs. */
  readonly settled: number[] = [];
  /** Anything to write at all: positions alone may have moved. */
  isDirty = false;
  /** The whole state has to be written. */
  isWhole = false;

  addDelivered(seq: number, delivery: number): void {
    this.isDirty = true;
    const { delivered } = this;
    const last = delivered.length - 3;
    if (last >= 0 && delivered[last] + delivered[last + 1] === seq && delivered[last + 2] + delivered[last + 1] === delivery) delivered[last + 1]++;
    else delivered.push(seq, 1, delivery);
  }

  addSettled(seq: number): void {
    this.isDirty = true;
    const { settled } = this;
    const last = settled.length - 2;
    if (last >= 0 && settled[last] + settled[last + 1] === seq) settled[last + 1]++;
    else settled.push(seq, 1);
  }

  addRedelivered(seq: number, count: number): void {
    this.isDirty = true;
    this.redelivered.push(seq, count);
  }

  addTouched(seq: number, atMs: number): void {
    this.isDirty = true;
    this.touched.push(seq, atMs);
  }

  addExhausted(seq: number): void {
    this.isDirty = true;
    this.exhausted.push(seq);
  }

  /** More happened than events say: a purge, a reset. */
  rewrite(): void {
    this.isDirty = this.isWhole = true;
  }

  clear(): void {
    this.isDirty = this.isWhole = false;
    this.delivered.length = this.redelivered.length = this.touched.length = this.exhausted.length = this.settled.length = 0;
  }
}

/** A stream and one pull consumer, as simple as they can be written down: everything is recounted from plain lists. Spec: consumers, sections 7 and 13. */

export interface ModelMessage {
  readonly seq: number;
  readonly subject: string;
}

export interface ModelConfig {
  readonly policy: "none" | "all" | "explicit";
  /** Exact subjects; none: all. */
  readonly filters: readonly string[];
  /** 0: unlimited. */
  readonly maxAckPending: number;
  readonly maxDeliver: number;
}

export interface ModelFigures {
  readonly delivered: readonly [delivery: number, seq: number];
  readonly floor: readonly [delivery: number, seq: number];
  readonly ackPending: number;
  readonly redelivered: number;
  readonly pending: number;
}

export interface ModelDelivery {
  readonly seq: number;
  readonly count: number;
  readonly delivery: number;
  readonly pending: number;
}

export class ConsumerModel {
  messages: ModelMessage[] = [];
  last = 0;
  /** First sequence that may exist. */
  first = 1;
  next = 1;
  delivery = 0;
  deliveredSeq = 0;
  floor: [number, number] = [0, 0];
  /** Delivery sequence of the first delivery, by sequence. */
  pending = new Map<number, number>();
  /** Repeated deliveries by sequence. */
  repeats = new Map<number, number>();
  queue: number[] = [];
  /** Order of the last deliveries, or reports of progress, by sequence. */
  #touched = new Map<number, number>();
  #moment = 0;
  /** Messages whose wait is over. */
  readonly #overdue = new Set<number>();

  constructor(readonly config: ModelConfig) {}

  get #streamFirst(): number {
    return this.messages[0]?.seq ?? this.last + 1;
  }

  #matches(subject: string): boolean {
    return this.config.filters.length === 0 || this.config.filters.includes(subject);
  }

  #waiting(): ModelMessage[] {
    return this.messages.filter(({ seq, subject }) => seq >= this.next && this.#matches(subject));
  }

  publish(subject: string): void {
    this.messages.push({ seq: ++this.last, subject });
  }

  /** What a pull gets of what is there. */
  pull(batch: number): ModelDelivery[] {
    this.#moment++;
    const deliveries: ModelDelivery[] = [];
    while (deliveries.length < batch) {
      const delivery = this.#repeat() ?? this.#fresh();
      if (delivery === undefined) break;
      deliveries.push(delivery);
    }
    return deliveries;
  }

  #repeat(): ModelDelivery | undefined {
    for (let seq = this.queue.shift(); seq !== undefined; seq = this.queue.shift()) {
      if (!this.pending.has(seq)) continue;
      const repeats = (this.repeats.get(seq) ?? 0) + 1;
      if (this.config.maxDeliver > 0 && repeats >= this.config.maxDeliver) {
        this.#giveUp(seq);
        continue;
      }
      this.repeats.set(seq, repeats);
      this.#touched.set(seq, this.#moment);
      this.#overdue.delete(seq);
      return { seq, count: repeats + 1, delivery: ++this.delivery, pending: this.#waiting().length };
    }
    return undefined;
  }

  #giveUp(seq: number): void {
    this.pending.delete(seq);
    if (!this.repeats.has(seq)) this.repeats.set(seq, 1);
  }

  #fresh(): ModelDelivery | undefined {
    const { policy, maxAckPending } = this.config;
    if (policy !== "none" && maxAckPending > 0 && this.pending.size >= maxAckPending) return undefined;
    const message = this.#waiting()[0];
    if (message === undefined) {
      // What was looked at in vain is not looked at again.
      this.next = Math.max(this.next, this.last + 1);
      return undefined;
    }
    this.next = message.seq + 1;
    this.deliveredSeq = message.seq;
    this.delivery++;
    if (policy === "none") this.floor = [this.delivery, message.seq];
    else {
      this.pending.set(message.seq, this.delivery);
      this.#touched.set(message.seq, this.#moment);
    }
    return { seq: message.seq, count: 1, delivery: this.delivery, pending: this.#waiting().length };
  }

  acknowledge(seq: number, delivery: number): void {
    if (this.config.policy === "all") return this.#settleThrough(seq, delivery);
    this.#settle(seq);
  }

  #settle(seq: number): void {
    const delivery = this.pending.get(seq);
    this.repeats.delete(seq);
    if (delivery === undefined) return;
    this.pending.delete(seq);
    if (this.pending.size === 0) this.floor = [this.delivery, this.deliveredSeq];
    else if (delivery === this.floor[0] + 1) {
      this.floor = [delivery, seq];
      const lowest = Math.min(...this.pending.keys());
      if (lowest > seq) this.floor = [(this.pending.get(lowest) ?? 0) - 1, lowest - 1];
    }
  }

  #settleThrough(seq: number, delivery: number): void {
    if (delivery <= this.floor[0] || seq <= this.floor[1]) return;
    this.floor = [delivery, seq];
    for (const each of [...this.pending.keys()]) {
      if (each > seq) continue;
      this.pending.delete(each);
      this.repeats.delete(each);
    }
  }

  refuse(seq: number, delivery: number): void {
    if (delivery <= this.floor[0] || !this.pending.has(seq) || this.queue.includes(seq)) return;
    this.queue.push(seq);
  }

  progress(seq: number): void {
    this.#touched.set(seq, ++this.#moment);
    this.#overdue.delete(seq);
  }

  /** The wait of everything pending is over, one after the other. */
  expire(): void {
    const moment = (seq: number): number => this.#touched.get(seq) ?? 0;
    for (const seq of [...this.pending.keys()].sort((a, b) => moment(a) - moment(b) || a - b)) {
      this.#overdue.add(seq);
      if (this.queue.includes(seq)) continue;
      if (this.config.maxDeliver === 1) this.#giveUp(seq);
      else this.queue.push(seq);
    }
  }

  deleteMessage(seq: number): void {
    this.messages = this.messages.filter((message) => message.seq !== seq);
    const delivery = this.pending.get(seq);
    // As an acknowledgement it counts for all before, where acknowledgements do.
    if (this.config.policy === "all" && delivery !== undefined) this.#settleThrough(seq, delivery);
    else this.#settle(seq);
    this.queue = this.queue.filter((each) => each !== seq);
  }

  purge(filter: string | undefined, upTo: number): void {
    const isGone = ({ seq, subject }: ModelMessage): boolean => seq < upTo && (filter === undefined || subject === filter);
    const gone = this.messages.filter(isGone);
    this.messages = this.messages.filter((message) => !isGone(message));
    if (filter === undefined && upTo <= 1) return;
    const { filters } = this.config;
    if (filter !== undefined && filters.length > 0 && !filters.includes(filter)) return;
    if (filter === undefined) this.#passed(this.#streamFirst);
    else if (filters.length > 0 && filters.every((own) => own === filter)) {
      this.#passed(this.messages.find(({ subject }) => subject === filter)?.seq ?? this.last + 1);
    } else {
      const isBehind = this.floor[1] >= this.#streamFirst;
      this.#passed(this.#streamFirst);
      // A single message is settled as if it had been acknowledged, where the floor does not move past it anyway.
      if (gone.length === 1 && isBehind) this.#settle(gone[0].seq);
      else this.#drop((seq) => gone.some((message) => message.seq === seq));
    }
    this.queue = this.queue.filter((seq) => this.pending.has(seq));
  }

  #passed(first: number): void {
    this.next = Math.max(this.next, first);
    this.floor[1] = Math.max(this.floor[1], first - 1);
    this.deliveredSeq = Math.max(this.deliveredSeq, this.next - 1);
    this.#forget((seq) => seq < first);
    if (this.pending.size === 0) this.#allSettled();
  }

  #drop(isGone: (seq: number) => boolean): void {
    if (this.#forget(isGone) && this.pending.size === 0) this.#allSettled();
  }

  #forget(isGone: (seq: number) => boolean): boolean {
    let dropped = false;
    for (const [seq, delivery] of [...this.pending]) {
      if (!isGone(seq)) continue;
      this.pending.delete(seq);
      this.floor[0] = Math.max(this.floor[0], delivery);
      dropped = true;
    }
    for (const seq of [...this.repeats.keys()]) if (isGone(seq)) this.repeats.delete(seq);
    return dropped;
  }

  #allSettled(): void {
    this.floor = [this.delivery, this.next - 1];
    this.deliveredSeq = Math.max(this.deliveredSeq, this.next - 1);
  }

  /** What a restart forgets: who was refused, and where the walk through the stream was. What is overdue is noticed soon. */
  restart(): void {
    this.queue = [...this.pending.keys()].filter((seq) => this.#overdue.has(seq)).sort((a, b) => a - b);
    if (this.config.maxDeliver === 1) for (const seq of this.queue.splice(0)) this.#giveUp(seq);
    this.next = this.deliveredSeq + 1;
  }

  get figures(): ModelFigures {
    return {
      // Before the first delivery it says how far the consumer has looked.
      delivered: this.delivery === 0 ? [0, this.next - 1] : [this.delivery, this.deliveredSeq],
      floor: [this.floor[0], this.floor[1]],
      ackPending: this.pending.size,
      redelivered: this.config.maxDeliver === 1 ? 0 : this.repeats.size,
      pending: this.#waiting().length,
    };
  }
}

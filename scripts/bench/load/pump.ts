/**
 * Publishing at full speed, but never further ahead of the subscribers than a fixed bound.
 *
 * A server that gets more than its subscribers take must drop one as a slow consumer, and how soon is a matter of its
 * buffers, not of its speed. So publishers and subscribers live in one process and count: what is published but not
 * yet received stays below a bound that is the same for every server. Where nobody subscribes, the socket is the bound.
 */
import type { Connection } from "./connection.ts";

/** How many deliveries' bytes may be outstanding, over all subscribers. */
const OUTSTANDING_BYTES_MAX = 16 * 1024 * 1024;
/** Buffers that one pump may write before it lets the loop read again. */
const CHUNKS_PER_TURN = 8;

/** What all publishers of a run have caused and all its subscribers have received, in messages. */
export class Deliveries {
  expected = 0;
  received = 0;
  readonly #outstandingMax: number;
  #paused: (() => void)[] = [];
  #waiting: (() => void) | null = null;

  /** `messageBytes`: the length of one delivery on the wire. */
  constructor(messageBytes: number) {
    this.#outstandingMax = Math.max(2, Math.floor(OUTSTANDING_BYTES_MAX / messageBytes));
  }

  /** True while publishers must wait for subscribers. */
  get full(): boolean {
    return this.expected - this.received >= this.#outstandingMax;
  }

  /** Calls `resume` once when there is room again. */
  whenRoom(resume: () => void): void {
    this.#paused.push(resume);
  }

  add(messages: number): void {
    this.received += messages;
    // Resumed at half the bound, so that publishers write in bursts of some size rather than a buffer at a time.
    if (this.#paused.length > 0 && this.expected - this.received <= this.#outstandingMax / 2) {
      const resumed = this.#paused;
      this.#paused = [];
      for (const resume of resumed) resume();
    }
    if (this.received >= this.expected) this.#waiting?.();
  }

  /** Resolves when as much has been received as is expected; call it when all has been published. */
  async settled(): Promise<void> {
    if (this.received < this.expected) await new Promise<void>((resolve) => (this.#waiting = resolve));
    this.#waiting = null;
    if (this.received > this.expected) throw new Error(`${this.received} messages arrived, ${this.expected} were due`);
  }
}

export interface Publishing {
  /** The encoded buffer number `index`. */
  readonly chunk: (index: number) => Buffer;
  readonly chunks: number;
  /** How many messages all subscribers together receive for one buffer. */
  readonly deliveriesPerChunk: number;
}

/** Publishes everything; resolves when the kernel has taken the last byte. */
export function pump(connection: Connection, publishing: Publishing, deliveries: Deliveries): Promise<void> {
  const done = Promise.withResolvers<void>();
  let next = 0;
  const run = (): void => {
    connection.onDrained = null; // a pump waits for one thing at a time
    for (let turn = 0; next < publishing.chunks; turn++) {
      if (deliveries.full) return deliveries.whenRoom(run);
      if (turn === CHUNKS_PER_TURN) return void setImmediate(run);
      deliveries.expected += publishing.deliveriesPerChunk;
      if (!connection.write(publishing.chunk(next++))) return void (connection.onDrained = run);
    }
    done.resolve();
  };
  run();
  return done.promise;
}

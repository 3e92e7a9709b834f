/**
 * Which consumers a subject concerns. Filters are kept like subscriptions, so that ten thousand filtered consumers cost no more per message than the few that
 * match; those without a filter are a plain list.
 */
import { Delivery, Interest, type Subscriber, Subscription } from "../../routing/index.ts";
import type { Consumer } from "./consumer.ts";

/** Subjects whose matches are remembered, at most. */
const CACHE_SLOTS = 1024;

/** Stands in for the owner of subscriptions that nothing is ever delivered to. */
const NOBODY: Subscriber = {
  deliver: () => Delivery.SubscriptionClosed,
  judge: () => Delivery.SubscriptionClosed,
  describe: () => ({ kind: 5, cid: 0 }),
};

class FilterSubscription extends Subscription {
  constructor(
    filter: string,
    readonly consumer: Consumer,
  ) {
    super(NOBODY, filter, "", "");
  }
}

export class ConsumerMatches {
  readonly #unfiltered: Consumer[] = [];
  readonly #interest = new Interest(CACHE_SLOTS);
  readonly #subscriptions = new Map<Consumer, FilterSubscription[]>();
  #round = 0;

  add(consumer: Consumer): void {
    if (consumer.filters.length === 0) {
      this.#unfiltered.push(consumer);
      return;
    }
    const subscriptions = consumer.filters.map((filter) => new FilterSubscription(filter, consumer));
    this.#subscriptions.set(consumer, subscriptions);
    for (const subscription of subscriptions) this.#interest.insert(subscription);
  }

  remove(consumer: Consumer): void {
    const at = this.#unfiltered.indexOf(consumer);
    if (at >= 0) this.#unfiltered.splice(at, 1);
    for (const subscription of this.#subscriptions.get(consumer) ?? []) this.#interest.remove(subscription);
    this.#subscriptions.delete(consumer);
  }

  /** Whether some consumer has filters. */
  get hasFiltered(): boolean {
    return this.#subscriptions.size > 0;
  }

  get hasUnfiltered(): boolean {
    return this.#unfiltered.length > 0;
  }

  /** Whether any consumer takes the subject. */
  any(subject: string): boolean {
    return this.#unfiltered.length > 0 || (this.#subscriptions.size > 0 && this.#interest.findSubject(subject).result.plain.length > 0);
  }

  /** Calls `visit` once for each consumer that takes the subject. It may add and remove nothing here. */
  each(subject: string, visit: (consumer: Consumer, seq: number) => void, seq: number): void {
    const unfiltered = this.#unfiltered;
    for (let i = 0; i < unfiltered.length; i++) visit(unfiltered[i], seq);
    if (this.#subscriptions.size === 0) return;
    const { plain } = this.#interest.findSubject(subject).result;
    if (plain.length === 0) return;
    const round = ++this.#round;
    for (let i = 0; i < plain.length; i++) {
      const subscription = plain[i];
      // Several filters of one consumer may match.
      if (!(subscription instanceof FilterSubscription) || subscription.consumer.round === round) continue;
      subscription.consumer.round = round;
      visit(subscription.consumer, seq);
    }
  }

  /** Whether `test` holds for some consumer that takes the subject. */
  some(subject: string, test: (consumer: Consumer, seq: number) => boolean, seq: number): boolean {
    const unfiltered = this.#unfiltered;
    for (let i = 0; i < unfiltered.length; i++) if (test(unfiltered[i], seq)) return true;
    if (this.#subscriptions.size === 0) return false;
    const { plain } = this.#interest.findSubject(subject).result;
    for (let i = 0; i < plain.length; i++) {
      const subscription = plain[i];
      if (subscription instanceof FilterSubscription && test(subscription.consumer, seq)) return true;
    }
    return false;
  }
}

/** The subscriptions of one client connection: SUB, UNSUB, their limits and permissions, and their end. Spec: client protocol, sections 5.4 and 5.5. */
import { isValidSubject, Subscription, tokenCount } from "../../routing/index.ts";
import { fromByteString } from "../../util/bytes.ts";
import { goQuote } from "../../util/quote.ts";
import type { ClientLink } from "./client.ts";
import { quoteBytes } from "./protocollog.ts";

/** What one turn removes of a connection that leaves: a million subscriptions must not hold the loop. */
const REMOVE_PER_TURN = 5000;

export class ClientSubscriptions {
  readonly #bySid = new Map<string, Subscription>();
  /** SUB and UNSUB seen. */
  changes = 0;

  constructor(private readonly link: ClientLink) {}

  get size(): number {
    return this.#bySid.size;
  }

  values(): IterableIterator<Subscription> {
    return this.#bySid.values();
  }

  /** All are byte strings. Answers the client. */
  subscribe(subject: string, queue: string, sid: string): void {
    const { link } = this;
    this.changes++;
    if (!this.#isAllowed(subject, queue, sid)) return;
    if (!this.#bySid.has(sid)) {
      const subscription = new Subscription(link, subject, queue, sid);
      this.#bySid.set(sid, subscription);
      link.permissions?.noteSubscription(subject, queue);
      link.account.interest.insert(subscription);
    }
    link.acknowledge();
  }

  /** `max` 0: at once; else after so many deliveries in all. */
  unsubscribe(sid: string, max: number): void {
    this.changes++;
    const subscription = this.#bySid.get(sid);
    if (subscription !== undefined) {
      if (max > subscription.delivered) subscription.max = max;
      else this.remove(subscription);
    }
    this.link.acknowledge();
  }

  remove(subscription: Subscription): void {
    if (subscription.closed) return;
    subscription.closed = true;
    this.#bySid.delete(subscription.sid);
    this.link.account.interest.remove(subscription);
    if (this.link.traced) this.link.logged.trace("<->", `DELSUB ${subscription.sid}`);
  }

  /** Before another CONNECT. */
  dropAll(): void {
    for (const subscription of [...this.#bySid.values()]) this.remove(subscription);
  }

  /** The connection is gone: interest goes with it, a slice per turn. Deliveries are refused by then. */
  leave(): void {
    const { interest } = this.link.account;
    const left = this.#bySid.values();
    const removeSome = (): void => {
      for (let i = 0; i < REMOVE_PER_TURN; i++) {
        const next = left.next();
        if (next.done === true) return;
        next.value.closed = true;
        interest.remove(next.value);
      }
      this.link.host.clock.endOfTurn(removeSome);
    };
    removeSome();
  }

  /** Arms the delivery filter of new permissions. */
  announceTo(permissions: { noteSubscription(subject: string, queue: string): void }): void {
    for (const { subject, queue } of this.#bySid.values()) permissions.noteSubscription(subject, queue);
  }

  /** After a reload: what may not be subscribed to any more is dropped, with an error for each. */
  dropDenied(): void {
    const { link } = this;
    for (const subscription of [...this.#bySid.values()]) {
      const { subject, queue, sid } = subscription;
      if (link.permissions === null || link.permissions.canSubscribe(subject, queue)) continue;
      const what = `${quoteBytes(subject)}${queue === "" ? "" : ` using queue ${quoteBytes(queue)}`} (sid ${quoteBytes(sid)})`;
      link.sendError(`Permissions Violation for Subscription to ${what}`);
      link.logged.info(`Removed sub ${what} for User ${goQuote(link.identity?.user ?? "")} - not authorized`);
      this.remove(subscription);
    }
  }

  /** Smallest of the server's, the account's and the user's limit; negative means none. */
  get limit(): number {
    const { host, account, identity } = this.link;
    const server = host.settings.maxSubscriptions;
    const user = identity?.limits?.maxSubscriptions ?? -1;
    const own = account.limits.maxSubscriptions < 0 ? user : user < 0 ? account.limits.maxSubscriptions : Math.min(user, account.limits.maxSubscriptions);
    if (server <= 0) return own;
    return own < 0 ? server : Math.min(server, own);
  }

  /** The checks of 5.4, in their order. */
  #isAllowed(subject: string, queue: string, sid: string): boolean {
    const { link } = this;
    if (queue === "_sys_" || link.permissions?.canSubscribe(subject, queue) === false) {
      const inQueue = queue === "" ? "" : ` using queue ${quoteBytes(queue)}`;
      link.logged.error(`Subscription Violation - Subject ${quoteBytes(subject)}${queue === "" ? "" : `, Queue: ${quoteBytes(queue)}`}, SID ${fromByteString(sid)}`);
      link.sendError(`Permissions Violation for Subscription to ${quoteBytes(subject)}${inQueue}`);
      return false;
    }
    const maxTokens = link.host.settings.maxSubscriptionTokens;
    if (maxTokens > 0 && tokenCount(subject) > maxTokens) {
      link.sendError(`Permissions Violation for Subscription to ${quoteBytes(subject)}, too many tokens`);
      return false;
    }
    if (this.limit >= 0 && this.size >= this.limit) {
      link.logged.error("maximum subscriptions exceeded");
      link.sendError("maximum subscriptions exceeded");
      return false;
    }
    // What a sid in use is sent for is ignored, whatever its subject.
    if (!this.#bySid.has(sid) && !isValidSubject(subject)) {
      link.sendError("Invalid Subject");
      return false;
    }
    return true;
  }
}

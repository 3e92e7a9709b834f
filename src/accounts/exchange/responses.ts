/**
 * Answers of services on their way back. A request that crosses into an account gets a reply subject `_R_.<6>.<6>` of that account; one wildcard subscription
 * takes all that is published there, and each answer goes to the reply subject of the request, in the account it came from. The table forgets an entry with
 * its last answer, when the answer reaches nobody, and when it is older than the export allows. Spec: accounts, section 5.2.
 */
import type { ResponseType } from "../../config/index.ts";
import type { Clock, Random, Timer } from "../../platform/index.ts";
import { Delivery, distribute, type Message, type SeenSubject, type Subscriber, Subscription } from "../../routing/index.ts";
import { shortHash } from "../../util/shorthash.ts";
import type { Account } from "../account.ts";
import { Crossing } from "./crossing.ts";
import type { Measurement } from "./latency.ts";

/** How a service answers, and for how long it is waited for. */
export interface ResponseRule {
  readonly responseType: ResponseType;
  readonly thresholdMs: number;
}

interface Pending {
  readonly requester: Account;
  /** Where the requester wants the answer. */
  readonly reply: string;
  readonly rule: ResponseRule;
  readonly measurement: Measurement | undefined;
  /** Monotonic time of the request, or of the last answer. */
  since: number;
}

/** Requests without an answer that one account may have; the oldest goes when there are more. */
const PENDING_MAX = 262_144;
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HALF = 62 ** 3;

/** Six characters of base 62. */
function token(random: Random): string {
  return half(random.integer(HALF)) + half(random.integer(HALF));
}

function half(number: number): string {
  return DIGITS[number % 62] + DIGITS[Math.floor(number / 62) % 62] + DIGITS[Math.floor(number / 3844)];
}

export interface ResponseDoors {
  readonly clock: Clock;
  readonly random: Random;
  serverName(): string;
  /** The table of another account, for answers that want an answer themselves. */
  responsesOf(account: Account): Responses;
}

const PASSED: readonly object[] = [{}];

export class Responses implements Subscriber {
  readonly isExchange = true;
  readonly #prefix: string;
  readonly #pending = new Map<string, Pending>();
  readonly #subscription: Subscription;
  readonly #crossing = new Crossing();
  #timer: Timer | undefined = undefined;
  #wakesMs = 0;

  constructor(
    private readonly account: Account,
    private readonly doors: ResponseDoors,
  ) {
    this.#prefix = `_R_.${token(doors.random)}.`;
    this.#subscription = new Subscription(this, `${this.#prefix}>`, "", "1");
    account.interest.insert(this.#subscription);
  }

  get size(): number {
    return this.#pending.size;
  }

  /** A reply subject in this account, whose answers go to `reply` in `requester`. */
  expect(requester: Account, reply: string, rule: ResponseRule, measurement?: Measurement): string {
    // It says which server measures.
    const ending = measurement === undefined ? "" : `.${shortHash(this.doors.serverName())}.T`;
    let subject = this.#prefix + token(this.doors.random) + ending;
    while (this.#pending.has(subject)) subject = this.#prefix + token(this.doors.random) + ending;
    if (this.#pending.size >= PENDING_MAX) this.#dropOldest();
    const nowMs = this.doors.clock.monotonicMs();
    this.#pending.set(subject, { requester, reply, rule, measurement, since: nowMs });
    this.#wake(nowMs + rule.thresholdMs);
    return subject;
  }

  /** Looks for what is too old at `atMs` of the monotonic clock, or earlier. */
  #wake(atMs: number): void {
    if (this.#timer !== undefined && this.#wakesMs <= atMs) return;
    this.#timer?.cancel();
    this.#wakesMs = atMs;
    this.#timer = this.doors.clock.after(Math.max(0, atMs - this.doors.clock.monotonicMs()), () => this.#expire());
  }

  #dropOldest(): void {
    for (const [oldest] of this.#pending) {
      this.#pending.delete(oldest);
      return;
    }
  }

  forget(subject: string): void {
    this.#pending.delete(subject);
    if (this.#pending.size === 0) this.#stopTimer();
  }

  deliver(_subscription: Subscription, message: Message, seen: SeenSubject, origin: Subscriber | undefined): Delivery {
    const subject = message.sentTo === "" ? seen.subject : message.sentTo;
    const pending = this.#pending.get(subject);
    if (pending === undefined) return Delivery.Denied;
    const { reply, rule, measurement } = pending;
    const isLast = rule.responseType === "singleton" || message.size === 0;
    if (isLast) this.forget(subject);
    else pending.since = this.doors.clock.monotonicMs();
    const shown = message.sentTo === "" ? { subject: reply, bytes: Buffer.from(reply, "latin1") } : seen;
    const taken = this.#forward(pending, message, shown, origin);
    measurement?.meter.end(measurement, taken > 0 ? 200 : 408, origin);
    if (taken > 0) return Delivery.Delivered;
    this.forget(subject);
    return Delivery.Denied;
  }

  #forward({ requester, reply, rule }: Pending, message: Message, seen: SeenSubject, origin: Subscriber | undefined): number {
    const result = requester.interest.matchReply(reply);
    if (result.plain.length === 0 && result.queues.length === 0) return 0;
    const further = message.replyStart === message.replyEnd ? "" : message.reply();
    if (further !== "" && !further.startsWith("$JS.ACK.")) {
      const back = this.doors.responsesOf(requester);
      const mapped = back.expect(this.account, further, rule);
      const taken = this.#crossing.carry(message, seen.subject, mapped, undefined, PASSED, (copy) => distribute(result, copy, seen, origin));
      if (taken === 0) back.forget(mapped);
      return taken;
    }
    const { passed, sentTo } = message;
    message.passed = PASSED;
    if (sentTo !== "") message.sentTo = reply;
    try {
      return distribute(result, message, seen, origin);
    } finally {
      message.passed = passed;
      message.sentTo = sentTo;
    }
  }

  judge(_subscription: Subscription, subject: string): Delivery {
    return this.#pending.has(subject) ? Delivery.Delivered : Delivery.Denied;
  }

  describe(): { readonly kind: number; readonly cid: number; readonly name?: string } {
    return { kind: ACCOUNT_KIND, cid: 0 };
  }

  close(): void {
    this.#subscription.closed = true;
    this.account.interest.remove(this.#subscription);
    this.#pending.clear();
    this.#stopTimer();
  }

  /** Takes out what is too old, and comes again when the next one can be. */
  #expire(): void {
    this.#timer = undefined;
    const now = this.doors.clock.monotonicMs();
    let next = Infinity;
    for (const [subject, { since, rule, requester, reply, measurement }] of this.#pending) {
      const left = since + rule.thresholdMs - now;
      if (left <= 0) {
        this.#pending.delete(subject);
        measurement?.meter.end(measurement, hasTakers(requester, reply) ? 504 : 408);
      } else next = Math.min(next, left);
    }
    if (next < Infinity) this.#wake(now + next);
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

function hasTakers(requester: Account, reply: string): boolean {
  const { plain, queues } = requester.interest.matchReply(reply);
  return plain.length > 0 || queues.length > 0;
}

/** How traces name the account itself as a peer. */
export const ACCOUNT_KIND = 6;

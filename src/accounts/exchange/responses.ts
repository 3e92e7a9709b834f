/**
 * Answers of services on their way back. A request that crosses into an account gets a reply subject `_R_.<6>.<6>` of that account; one wildcard subscription
 * takes all that is published there, and each answer goes to the reply subject of the request, in the account it came from. An entry of the table goes with its
 * last answer, when the answer reaches nobody, when nobody waits for it any more, and when it is older than the export allows. Spec: accounts, section 5.2.
 */
import type { ResponseType } from "../../config/index.ts";
import type { Clock, Random, Timer } from "../../platform/index.ts";
import { Delivery, distribute, type Message, type SeenSubject, type Subscriber, Subscription } from "../../routing/index.ts";
import { shortHash } from "../../util/shorthash.ts";
import type { Account } from "../account.ts";
import { Crossing, TRACE_DISABLED } from "./crossing.ts";
import type { LatencyStatus, Measurement } from "./latency.ts";
import { SubjectBytes } from "./subjectbytes.ts";
import { ReplyTokens } from "./replytokens.ts";
import { swept } from "./sweep.ts";
import type { Awaited, Inbox, Waiting } from "./waiting.ts";

/** How a service answers, and for how long it is waited for. */
export interface ResponseRule {
  readonly responseType: ResponseType;
  readonly thresholdMs: number;
}

export interface ResponseDoors {
  readonly clock: Clock;
  readonly random: Random;
  serverName(): string;
  /** The table of another account, for answers that want an answer themselves. */
  responsesOf(account: Account): Responses;
  waitingOf(account: Account): Waiting;
}

class Pending implements Awaited {
  isOver = false;
  readonly inbox: Inbox;

  constructor(
    private readonly holder: Responses,
    /** First number of the subject. */
    readonly first: number,
    /** In the account of the service. */
    readonly subject: string,
    /** What the requester's account waits for. */
    readonly waiting: Waiting,
    readonly reply: string,
    readonly line: Line,
    readonly isSingle: boolean,
    readonly measurement: Measurement | undefined,
    /** Monotonic time of the request, or of the last answer. */
    public since: number,
  ) {
    this.inbox = waiting.add(this);
  }

  get requester(): Account {
    return this.waiting.account;
  }

  lost(): void {
    this.holder.drop(this, 408);
  }
}

/** Those that may take equally long, in the order of their requests. */
interface Line {
  readonly thresholdMs: number;
  pending: Pending[];
  /** How many of them are not over. */
  live: number;
  timer: Timer | undefined;
}

/** Requests without an answer that one account may have, half of the first numbers that there are; the oldest goes when there are more. */
export const PENDING_MAX = 2 ** 17;
const FIRST_SLOTS = 64;

const PASSED: readonly object[] = [{}];

export class Responses implements Subscriber {
  readonly isExchange = true;
  readonly #tokens: ReplyTokens;
  /**
   * Each in the slot of its first number, whose lower bits it takes: numbers are drawn until one has its slot free, and at most half of the slots are taken. Numbers
   * that differ in their lower bits still do so with one bit more, so a larger table has a slot for all. A map took a quarter more of the processor.
   */
  #slots: (Pending | undefined)[] = new Array<Pending | undefined>(FIRST_SLOTS).fill(undefined);
  #size = 0;
  /** By threshold, milliseconds. */
  readonly #lines = new Map<number, Line>();
  readonly #subscription: Subscription;
  readonly #crossing = new Crossing();
  readonly #shown = new SubjectBytes();

  constructor(
    private readonly account: Account,
    private readonly doors: ResponseDoors,
  ) {
    this.#tokens = new ReplyTokens(doors.random);
    this.#subscription = new Subscription(this, `${this.#tokens.prefix}>`, "", "1");
    account.interest.insert(this.#subscription);
  }

  /** How many requests wait for an answer. */
  get size(): number {
    return this.#size;
  }

  /** A reply subject in this account, whose answers go to `reply` in the account of `waiting`. Hot. */
  expect(waiting: Waiting, reply: string, rule: ResponseRule, nowMs: number, measurement?: Measurement): string {
    if (this.#size === PENDING_MAX) this.#dropOldest();
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    // Of a request that is measured it says which server measures.
    const ending = measurement === undefined ? "" : `.${shortHash(this.doors.serverName())}.T`;
    const line = this.#lineOf(rule.thresholdMs);
    let first = this.#tokens.draw();
    while (this.#slots[this.#slotOf(first)] !== undefined) first = this.#tokens.draw();
    const pending = new Pending(this, first, this.#tokens.of(first) + ending, waiting, reply, line, rule.responseType === "singleton", measurement, nowMs);
    this.#slots[this.#slotOf(first)] = pending;
    this.#size++;
    line.live++;
    line.pending.push(pending);
    return pending.subject;
  }

  /** A reply subject that nobody waits on. */
  freshSubject(): string {
    return this.#tokens.of(this.#tokens.draw());
  }

  #slotOf(first: number): number {
    return first & (this.#slots.length - 1);
  }

  #find(subject: string): Pending | undefined {
    const first = this.#tokens.firstOf(subject);
    const pending = first < 0 ? undefined : this.#slots[this.#slotOf(first)];
    return pending?.subject === subject ? pending : undefined;
  }

  #grow(): void {
    const known = this.#slots;
    this.#slots = new Array<Pending | undefined>(known.length * 2).fill(undefined);
    for (const pending of known) if (pending !== undefined) this.#slots[this.#slotOf(pending.first)] = pending;
  }

  #lineOf(thresholdMs: number): Line {
    let line = this.#lines.get(thresholdMs);
    if (line === undefined) this.#lines.set(thresholdMs, (line = { thresholdMs, pending: [], live: 0, timer: undefined }));
    const known = line;
    // It is not stopped with the last entry: that would be a timer for every request.
    line.timer ??= this.doors.clock.after(thresholdMs, () => this.#expire(known));
    return line;
  }

  /** Only when there are as many as there can be. */
  #dropOldest(): void {
    const oldest = [...this.#lines.values()].flatMap(({ pending }) => pending.find(({ isOver }) => !isOver) ?? []).sort((a, b) => a.since - b.since)[0];
    if (oldest !== undefined) this.drop(oldest, 504);
  }

  /** There will be no answer. */
  drop(pending: Pending, status: LatencyStatus): void {
    if (pending.isOver) return;
    this.#forget(pending);
    pending.measurement?.meter.end(pending.measurement, status);
    // Whoever was to be answered by this account's answer.
    this.doors.waitingOf(this.account).end(pending.subject);
  }

  forget(subject: string): void {
    const pending = this.#find(subject);
    if (pending !== undefined) this.#forget(pending);
  }

  #forget(pending: Pending): void {
    if (pending.isOver) return;
    pending.isOver = true;
    this.#slots[this.#slotOf(pending.first)] = undefined;
    this.#size--;
    const { line } = pending;
    line.live--;
    line.pending = swept(line.pending, line.live);
    pending.waiting.over(pending.inbox);
  }

  deliver(_subscription: Subscription, message: Message, seen: SeenSubject, origin: Subscriber | undefined): Delivery {
    const subject = message.sentTo === "" ? seen.subject : message.sentTo;
    const pending = this.#find(subject);
    if (pending === undefined) return Delivery.Denied;
    const { reply, measurement } = pending;
    const { trace } = message;
    trace?.served(pending.requester.name, subject, reply);
    if (pending.isSingle || message.size === 0 || trace?.only === true) this.#forget(pending);
    // Every answer of several starts the time anew.
    else pending.since = this.doors.clock.monotonicMs();
    if (trace?.only === true) return Delivery.Denied;
    const taken = message.sentTo === "" ? this.#forwardShown(pending, message, origin) : this.#forward(pending, message, seen, origin);
    measurement?.meter.end(measurement, taken > 0 ? 200 : 408, origin);
    if (taken > 0) return Delivery.Delivered;
    this.#forget(pending);
    return Delivery.Denied;
  }

  #forwardShown(pending: Pending, message: Message, origin: Subscriber | undefined): number {
    try {
      return this.#forward(pending, message, this.#shown.begin(pending.reply), origin);
    } finally {
      this.#shown.end();
    }
  }

  #forward({ requester, reply, line, isSingle }: Pending, message: Message, seen: SeenSubject, origin: Subscriber | undefined): number {
    const result = requester.interest.matchReply(reply);
    if (result.plain.length === 0 && result.queues.length === 0) return 0;
    const further = message.replyStart === message.replyEnd ? "" : message.reply();
    const wantsAnswer = further !== "" && !further.startsWith("$JS.ACK.");
    if (wantsAnswer || message.trace !== undefined) {
      const back = wantsAnswer ? this.doors.responsesOf(requester) : undefined;
      const mapped = back?.expect(this.doors.waitingOf(this.account), further, { responseType: isSingle ? "singleton" : "stream", thresholdMs: line.thresholdMs }, this.doors.clock.monotonicMs()) ?? further;
      const copy = this.#crossing.begin(message, seen.subject, mapped, message.trace === undefined ? undefined : [TRACE_DISABLED]);
      copy.passed = PASSED;
      copy.trace = undefined;
      let taken = 0;
      try {
        taken = distribute(result, copy, seen, origin);
      } finally {
        this.#crossing.end();
      }
      if (taken === 0) back?.forget(mapped);
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
    return this.#find(subject) === undefined ? Delivery.Denied : Delivery.Delivered;
  }

  describe(): { readonly kind: number; readonly cid: number; readonly name?: string } {
    return { kind: ACCOUNT_KIND, cid: 0 };
  }

  close(): void {
    this.#subscription.closed = true;
    this.account.interest.remove(this.#subscription);
    for (const pending of this.#slots) if (pending !== undefined) this.#forget(pending);
    for (const { timer } of this.#lines.values()) timer?.cancel();
  }

  /** Takes out what is too old, and comes again when the next one is. */
  #expire(line: Line): void {
    line.timer = undefined;
    const now = this.doors.clock.monotonicMs();
    const old = now - line.thresholdMs;
    const all = line.pending;
    const later: Pending[] = [];
    let at = 0;
    for (; at < all.length; at++) {
      const pending = all[at];
      if (pending.isOver) continue;
      if (pending.since > old && pending.isSingle) break;
      // One that had an answer meanwhile has lost its place in the order.
      if (pending.since > old) later.push(pending);
      else this.drop(pending, 504);
    }
    line.pending = all.slice(at);
    if (later.length > 0) line.pending = [...line.pending, ...later].sort((a, b) => a.since - b.since);
    if (line.live === 0) return;
    const next = line.pending.reduce((first, { isOver, since }) => (isOver ? first : Math.min(first, since)), now);
    line.timer = this.doors.clock.after(Math.max(0, next + line.thresholdMs - now), () => this.#expire(line));
  }
}

/** How traces name the account itself as a peer. */
export const ACCOUNT_KIND = 6;

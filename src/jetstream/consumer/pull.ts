/**
 * Delivery to those who ask: checks of pull requests, the queue they wait in, and what they are told when they end. Spec: consumers, section 8.
 */
import type { Subscriber } from "../../routing/index.ts";
import { formatDuration } from "../../util/duration.ts";
import { toByteString } from "../../util/bytes.ts";
import { JsonError } from "../json/index.ts";
import type { ConsumerConfig, ConsumerInfo } from "../wire.ts";
import { Alarm } from "./alarm.ts";
import { type Offer, Outcome, type Outlet, type OutletOwner, type StopReason } from "./host.ts";
import { Pin } from "./pin.ts";
import { parsePullRequest, type PullOptions } from "./pull-request.ts";
import { WaitingRequest, WaitingRequests } from "./waiting.ts";

/** A full queue is looked through for dead requests at most this often. */
const PRUNE_INTERVAL_MS = 1000;

/** Timers may ring a little before their time: who expires then is not told anything else. */
const TIMER_SLACK_MS = 2;

export class PullOutlet implements Outlet {
  readonly #owner: OutletOwner;
  readonly #waiting: WaitingRequests;
  readonly #alarm: Alarm;
  #pin: Pin | undefined;
  #prunedAtMs = 0;

  constructor(owner: OutletOwner) {
    this.#owner = owner;
    this.#waiting = new WaitingRequests(owner.config.priority_policy === "prioritized");
    this.#alarm = new Alarm(owner.context.clock, () => this.#onAlarm());
    this.#pin = owner.config.priority_policy === "pinned_client" ? new Pin(owner) : undefined;
  }

  get isReady(): boolean {
    return this.#waiting.size > 0;
  }

  /** Requests that wait, without those that are over. */
  get numWaiting(): number {
    this.#prune();
    return this.#waiting.size;
  }

  /** Whether some request keeps the consumer in use. */
  get hasLiveRequests(): boolean {
    this.#prune();
    return this.#waiting.values().some(({ options }) => !options.noWait);
  }

  // Requests

  /** Takes a request up, or answers why not. `payload` and `reply` are byte strings. */
  request(payload: string, reply: string, _origin: Subscriber | undefined): void {
    if (reply === "") return;
    let options: PullOptions;
    try {
      options = parsePullRequest(payload);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      return this.#owner.answer(reply, `400 Bad Request - ${toByteString(error.message)}`);
    }
    const refusal = this.#refusal(options) ?? this.#unavailable(options);
    if (refusal !== undefined) return this.#owner.answer(reply, refusal);
    if (this.#isFull()) {
      if (options.heartbeatMs <= 0) this.#owner.answer(reply, "409 Exceeded MaxWaiting");
      return;
    }
    this.#owner.used();
    const request = new WaitingRequest(reply, options, this.#nowMs());
    this.#waiting.add(request);
    if (options.id !== "") this.#pin?.used();
    this.#alarm.setBy(request.nextEventMs);
    this.#owner.wake();
  }

  /** What is wrong with the request itself. */
  #refusal(options: PullOptions): string | undefined {
    const { max_batch: maxBatch = 0, max_expires: maxExpires = 0, max_bytes: maxBytes = 0, priority_policy: policy, priority_groups: groups = [] } = this.#owner.config;
    if (options.heartbeatMs > 0 && 2 * options.heartbeatMs > options.expiresMs) return "400 Bad Request - heartbeat value too large";
    if (maxBatch > 0 && options.batch > maxBatch) return `409 Exceeded MaxRequestBatch of ${maxBatch}`;
    if (maxExpires > 0 && options.expiresMs * 1e6 > maxExpires) return `409 Exceeded MaxRequestExpires of ${formatDuration(BigInt(maxExpires))}`;
    if (maxBytes > 0 && options.maxBytes > maxBytes) return `409 Exceeded MaxRequestMaxBytes of ${maxBytes}`;
    if (!options.isJson) return undefined;
    if ((options.minPending !== 0 || options.minAckPending !== 0) && policy !== "overflow") return "400 Bad Request - Not a Overflow Priority consumer";
    if (options.id !== "" && policy !== "pinned_client") return "400 Bad Request - Not a Pinned Client Priority consumer";
    if (options.priority < 0 || options.priority > 9) return "400 Bad Request - Priority must be between 0 and 9";
    if (policy === undefined) return undefined;
    if (options.group === "") return "400 Bad Request - Priority Group missing";
    if (!groups.includes(options.group)) return "400 Bad Request - Invalid Priority Group";
    if (options.id !== "" && this.#pin !== undefined && this.#pin.id !== "" && this.#pin.id !== options.id) return "423 Nats-Pin-Id mismatch";
    return undefined;
  }

  /** Requests that do not want to wait are told so when there is nothing for them. */
  #unavailable(options: PullOptions): string | undefined {
    if (!options.noWait) return undefined;
    const owner = this.#owner;
    if (owner.isCounting) return undefined;
    const available = owner.numPending + owner.numRedeliveries;
    if (available > 0) {
      if (this.#waiting.size === 0) return undefined;
      this.#prune();
      if (this.#waiting.wanted <= available) return undefined;
      owner.used();
      return "408 Requests Pending";
    }
    if (options.expiresMs !== 0) return undefined;
    owner.used();
    return "404 No Messages";
  }

  #isFull(): boolean {
    const max = this.#owner.config.max_waiting ?? 0;
    if (max <= 0 || this.#waiting.size < max) return false;
    const nowMs = this.#nowMs();
    if (nowMs - this.#prunedAtMs >= PRUNE_INTERVAL_MS) {
      this.#prunedAtMs = nowMs;
      this.#prune();
    }
    return this.#waiting.size >= max;
  }

  /** Ends what is over, and forgets requests nobody listens for any more. */
  #prune(): void {
    const nowMs = this.#nowMs();
    this.#waiting.prune((request) => {
      if (!this.#owner.link.hasInterest(request.reply)) return false;
      if (request.expiresAtMs > nowMs) return true;
      this.#end(request, "408 Request Timeout");
      return false;
    });
  }

  // Delivery

  offer(offer: Offer, nowMs: number): Outcome {
    const { link, config } = this.#owner;
    // Those that are not eligible go to the back of the queue; once around is enough.
    for (let left = this.#waiting.size; left > 0; left--) {
      const request = this.#waiting.peek();
      if (request === undefined) break;
      const to = link.account.interest.findSubject(request.reply);
      if (to.result.plain.length === 0 && to.result.queues.length === 0) {
        this.#waiting.shift();
        continue;
      }
      if (request.expiresAtMs <= nowMs) {
        this.#waiting.shift();
        this.#end(request, "408 Request Timeout");
        continue;
      }
      if (config.priority_policy === "overflow" && !this.#overflows(request)) {
        this.#waiting.rotate();
        continue;
      }
      const { message } = offer;
      let header = offer.header;
      let fresh = false;
      if (this.#pin !== undefined) {
        const claim = this.#pin.claim(request);
        if (claim === "standby") {
          this.#waiting.rotate();
          continue;
        }
        if (claim === "stale") {
          this.#waiting.shift();
          this.#end(request, "423 Nats-Wrong-Pin-Id");
          continue;
        }
        fresh = claim === "fresh";
        if (fresh) this.#pin.announce();
        header += `Nats-Pin-Id: ${this.#pin.id}\r\n`;
      }
      // The pin is on the house.
      const size = request.hasBudget ? sizeOf(offer, offer.header) : 0;
      if (request.hasBudget && size > request.bytesLeft) {
        this.#waiting.shift();
        this.#end(request, "409 Message Size Exceeds MaxBytes");
        if (fresh) this.#pin?.release();
        continue;
      }
      if (link.forward(to, message.subject, offer.ack, header, message.buffer, message.headerStart, message.bodyStart, offer.bodyEnd) === 0) {
        // A subscription that takes nothing any more.
        this.#waiting.shift();
        continue;
      }
      this.#served(request, size, nowMs);
      return Outcome.Sent;
    }
    return Outcome.Blocked;
  }

  #served(request: WaitingRequest, size: number, nowMs: number): void {
    request.delivered++;
    request.wanted--;
    request.bytesLeft -= size;
    if (request.options.heartbeatMs > 0) request.heartbeatAtMs = nowMs + request.options.heartbeatMs;
    if (request.wanted <= 0) {
      this.#waiting.remove(request);
      if (request.hasBudget && request.bytesLeft > 0) this.#end(request, "409 Batch Completed");
    } else if (request.hasBudget && request.bytesLeft === 0) this.#waiting.remove(request);
    else this.#waiting.rotate();
  }

  #overflows({ options }: WaitingRequest): boolean {
    const { minPending, minAckPending } = options;
    if (minPending <= 0 && minAckPending <= 0) return true;
    return (minPending > 0 && this.#owner.numPending >= minPending) || (minAckPending > 0 && this.#owner.numAckPending >= minAckPending);
  }

  drained(): void {
    if (!this.#waiting.values().some((request) => request.endsWhenDrained)) return;
    this.#waiting.prune((request) => {
      if (!request.endsWhenDrained) return true;
      this.#status(request.reply, "404 No Messages");
      return false;
    });
  }

  // Time

  /** Requests expire, and those who wait long hear that the consumer lives. */
  #onAlarm(): void {
    const nowMs = this.#nowMs();
    const owner = this.#owner;
    let nextMs = Number.POSITIVE_INFINITY;
    this.#waiting.prune((request) => {
      if (!owner.link.hasInterest(request.reply)) return false;
      if (request.expiresAtMs <= nowMs) {
        this.#end(request, "408 Request Timeout");
        return false;
      }
      if (request.endsWhenDrained && owner.isStalled && request.expiresAtMs - nowMs > TIMER_SLACK_MS) {
        this.#status(request.reply, "404 No Messages");
        return false;
      }
      if (request.heartbeatAtMs <= nowMs) {
        this.#status(request.reply, `100 Idle Heartbeat\r\nNats-Last-Consumer: ${owner.lastDelivery}\r\nNats-Last-Stream: ${owner.lastPassed}`);
        request.heartbeatAtMs = nowMs + request.options.heartbeatMs;
      }
      nextMs = Math.min(nextMs, request.nextEventMs);
      return true;
    });
    this.#alarm.set(nextMs);
  }

  /** Tells how much was left of the request. */
  #end(request: WaitingRequest, text: string): void {
    request.closed = true;
    this.#status(request.reply, `${text}\r\nNats-Pending-Messages: ${request.wanted}\r\nNats-Pending-Bytes: ${request.bytesLeft}`);
  }

  #status(reply: string, text: string): void {
    this.#owner.link.publish(reply, "", `NATS/1.0 ${text}\r\n\r\n`, "");
  }

  #nowMs(): number {
    return this.#owner.context.clock.nowMs();
  }

  // Life

  /** Limits apply to the next request, another policy to those that wait, too. */
  configChanged({ priority_policy: policy }: ConsumerConfig): void {
    if (policy !== "pinned_client") {
      this.#pin?.stop();
      this.#pin = undefined;
    } else this.#pin ??= new Pin(this.#owner);
    this.#waiting.byPriority = policy === "prioritized";
  }

  restarted(): void {
    // Requests wait on.
  }

  stop(reason: StopReason): void {
    this.#alarm.cancel();
    this.#pin?.stop();
    for (const request of this.#waiting.values()) {
      if (reason === "deleted") this.#status(request.reply, "409 Consumer Deleted");
      if (reason === "shutdown") this.#end(request, "409 Server Shutdown");
    }
    this.#waiting.prune(() => false);
  }

  // Priority groups

  /** As consumer info shows them; undefined without groups. */
  groups(): ConsumerInfo["priority_groups"] {
    const group = this.#owner.config.priority_groups?.[0];
    if (group === undefined) return undefined;
    return [this.#pin?.describe(group) ?? { group, pinned_ts: "0001-01-01T00:00:00Z" }];
  }

  /** An operator takes the pin away, and hears that also where there is none. */
  unpin(group: string): void {
    (this.#pin ?? new Pin(this.#owner)).unpin("admin", group);
    this.#owner.wake();
  }
}

/** What a message counts for in byte budgets, given the header lines that are added. */
export function sizeOf(offer: Offer, header: string): number {
  const { message, ack, bodyEnd } = offer;
  const stored = message.bodyStart - message.headerStart;
  const headerSize = header === "" ? stored : header.length + (stored === 0 ? EMPTY_BLOCK_LENGTH : stored);
  return message.subject.length + ack.length + headerSize + (bodyEnd - message.bodyStart);
}

/** `NATS/1.0` CR LF, and the CR LF that ends a block. */
const EMPTY_BLOCK_LENGTH = 12;

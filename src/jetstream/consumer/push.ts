/**
 * Delivery to a subject, as long as somebody subscribes to exactly that subject: heartbeats, flow control, rate limit. Spec: consumers, section 9.
 */
import { toByteString } from "../../util/bytes.ts";
import type { ConsumerConfig } from "../wire.ts";
import { Alarm } from "./alarm.ts";
import { FlowControl } from "./flow.ts";
import { type Offer, Outcome, type Outlet, type OutletOwner, type StopReason } from "./host.ts";
import { sizeOf } from "./pull.ts";
import { RateLimit } from "./rate.ts";

export interface PushOptions {
  /** Subjects of flow control questions without their last token: `$JS.FC.S.C.`. Byte string. */
  readonly flowPrefix: string;
  /** Most bytes that the rate limit lets pass at once. */
  readonly burstBytes: number;
}

export class PushOutlet implements Outlet {
  readonly #owner: OutletOwner;
  readonly #options: PushOptions;
  #config: ConsumerConfig;
  /** Byte strings. */
  #subject: string;
  #group: string;
  #unwatch: () => void;
  #isActive = false;
  readonly #flow: FlowControl | undefined;
  #rate: RateLimit | undefined;
  readonly #heartbeat: Alarm;
  readonly #rateAlarm: Alarm;
  #lastSentMs = 0;

  constructor(owner: OutletOwner, options: PushOptions) {
    const { clock } = owner.context;
    this.#owner = owner;
    this.#options = options;
    this.#config = owner.config;
    this.#flow = owner.config.flow_control === true ? new FlowControl() : undefined;
    this.#heartbeat = new Alarm(clock, () => this.#onHeartbeat());
    this.#rateAlarm = new Alarm(clock, () => owner.wake());
    this.#rate = this.#makeRate();
    this.#subject = toByteString(owner.config.deliver_subject ?? "");
    this.#group = toByteString(owner.config.deliver_group ?? "");
    this.#unwatch = this.#watch();
  }

  /** Whether somebody subscribes to the deliver subject. */
  get isActive(): boolean {
    return this.#isActive;
  }

  get isReady(): boolean {
    return this.#isActive && this.#flow?.isStalled !== true;
  }

  /** Looks for interest; called once after construction, and whenever subscriptions of the subject come or go. */
  checkInterest(): void {
    const active = this.#owner.link.account.interest.hasLiteral(this.#subject, this.#group);
    if (active === this.#isActive) return;
    this.#isActive = active;
    if (active) this.#beatFrom(this.#nowMs());
    else this.#heartbeat.cancel();
    this.#owner.interestChanged(active);
  }

  #watch(): () => void {
    return this.#owner.link.account.interest.watch(this.#subject, () => this.checkInterest());
  }

  // Delivery

  offer(offer: Offer, nowMs: number): Outcome {
    const { link } = this.#owner;
    const { message, ack, header, bodyEnd } = offer;
    const bytes = this.#flow === undefined && this.#rate === undefined ? 0 : sizeOf(offer, header);
    const delayMs = this.#rate?.delayMs(bytes, nowMs) ?? 0;
    if (delayMs > 0) {
      this.#rateAlarm.setBy(nowMs + delayMs);
      return Outcome.Blocked;
    }
    const to = link.account.interest.findSubject(this.#subject);
    if (link.forward(to, message.subject, ack, header, message.buffer, message.headerStart, message.bodyStart, bodyEnd) === 0) {
      // Nobody took it, though somebody subscribes: it goes on when subscriptions change.
      this.#isActive = false;
      this.#heartbeat.cancel();
      this.#owner.interestChanged(false);
      return Outcome.Blocked;
    }
    this.#lastSentMs = nowMs;
    this.#rate?.take(bytes);
    if (this.#flow?.sent(bytes - message.subject.length + this.#subject.length) === true) this.ask();
    return Outcome.Sent;
  }

  drained(): void {
    // Whoever subscribes waits for more.
  }

  // Flow control

  /** Asks the client how far it is, unless it was asked already. */
  ask(): void {
    const flow = this.#flow;
    if (flow === undefined || flow.question !== "") return;
    flow.asked(this.#options.flowPrefix + this.#owner.context.nuid().slice(-FLOW_ID_LENGTH));
    this.#owner.link.publish(this.#subject, flow.question, "NATS/1.0 100 FlowControl Request\r\n\r\n", "");
  }

  /** The client has answered on `subject`. */
  answered(subject: string): void {
    if (this.#flow?.answered(subject) === true) this.#owner.wake();
  }

  // Heartbeats

  #beatFrom(nowMs: number): void {
    const intervalMs = (this.#config.idle_heartbeat ?? 0) / 1e6;
    this.#lastSentMs = nowMs;
    if (intervalMs > 0) this.#heartbeat.set(nowMs + intervalMs);
  }

  #onHeartbeat(): void {
    const nowMs = this.#nowMs();
    const intervalMs = (this.#config.idle_heartbeat ?? 0) / 1e6;
    if (!this.#isActive || intervalMs <= 0) return;
    const dueMs = this.#lastSentMs + intervalMs;
    // Timers keep no more than milliseconds.
    if (nowMs + 1 < dueMs) {
      this.#heartbeat.set(dueMs);
      return;
    }
    const owner = this.#owner;
    const asksForAcks = this.#config.ack_policy === "flow_control" && owner.numAckPending > 0;
    const stalled = this.#flow === undefined || this.#flow.question === "" ? "" : `Nats-Consumer-Stalled: ${this.#flow.question}\r\n`;
    const header = `NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: ${owner.lastDelivery}\r\nNats-Last-Stream: ${owner.lastPassed}\r\n${stalled}\r\n`;
    owner.link.publish(this.#subject, "", header, "");
    if (asksForAcks) this.ask();
    this.#beatFrom(nowMs);
  }

  #nowMs(): number {
    return this.#owner.context.clock.nowMs();
  }

  // Life

  configChanged(config: ConsumerConfig): void {
    const previous = this.#config;
    this.#config = config;
    if (previous.rate_limit_bps !== config.rate_limit_bps) {
      this.#rate = this.#makeRate();
      this.#rateAlarm.cancel();
    }
    const subject = toByteString(config.deliver_subject ?? "");
    if (subject === this.#subject) return;
    this.#unwatch();
    this.#subject = subject;
    this.#group = toByteString(config.deliver_group ?? "");
    this.#unwatch = this.#watch();
    this.checkInterest();
  }

  restarted(): void {
    this.#flow?.reset();
    if (this.#isActive) this.#beatFrom(this.#nowMs());
  }

  stop(_reason: StopReason): void {
    this.#unwatch();
    this.#heartbeat.cancel();
    this.#rateAlarm.cancel();
    this.#isActive = false;
  }

  #makeRate(): RateLimit | undefined {
    const bits = this.#config.rate_limit_bps ?? 0;
    return bits === 0 ? undefined : new RateLimit(bits / 8, this.#options.burstBytes, this.#nowMs());
  }
}

const FLOW_ID_LENGTH = 4;

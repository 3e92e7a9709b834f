/**
 * A subscription and its owner. `Subscriber` is the interface that `routing/` owns and links implement, so that nothing down here knows what a socket is;
 * `deliver` is the one virtual call per delivery.
 */
import type { Message } from "./message.ts";

/** What became of one delivery. Anything but `Delivered` counts as not delivered: a queue group tries its next member. */
export const enum Delivery {
  Delivered,
  NoEcho,
  SubscriptionClosed,
  SubscriberClosed,
  MaxExceeded,
  Denied,
  StalledConsumer,
}

/** The subject of a delivery: a byte string, and the same as bytes, which not every receiver needs. */
export interface SeenSubject {
  readonly subject: string;
  readonly bytes: Buffer;
}

/** A client, in the words of advisories and of `Nats-Request-Info`; what is not known is undefined. */
export interface ClientDetails extends Readonly<Record<string, unknown>> {
  readonly acc: string;
  /** Round trip, nanoseconds. */
  readonly rtt?: number;
}

export interface Subscriber {
  /**
   * Encodes `message` for the owner of `subscription`. `seen` is the subject it is delivered under, `origin` the publisher
   * (undefined: the server itself), for echo suppression.
   */
  deliver(subscription: Subscription, message: Message, seen: SeenSubject, origin: Subscriber | undefined): Delivery;
  /** What `deliver` would answer, without delivering (trace-only messages). */
  judge(subscription: Subscription, subject: string, origin: Subscriber | undefined): Delivery;
  /** Who this is, in the words of a trace event: `kind` 0 is a client. */
  describe(): { readonly kind: number; readonly cid: number; readonly name?: string };
  /** Who this is when it asks for something; absent in what is no client. */
  details?(serverName: string): ClientDetails;
  /** Present in what carries messages between accounts: it tells a trace itself what becomes of a message, and never delivers one that is only looked at. */
  readonly isExchange?: true;
}

export class Subscription {
  /** Whether its owner tells a trace itself what becomes of a message, and does nothing with one that is only looked at. */
  get tellsTraces(): boolean {
    return false;
  }

  /** Messages delivered since it was made. */
  delivered = 0;
  /** Auto-unsubscribe after so many deliveries; 0 means never. */
  max = 0;
  closed = false;

  constructor(
    readonly owner: Subscriber,
    /** Byte string; may hold wildcards. */
    readonly subject: string,
    /** Queue group, or empty. */
    readonly queue: string,
    /** The owner's name for it. */
    readonly sid: string,
  ) {}
}

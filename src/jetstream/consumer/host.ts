/** What a consumer needs of the registry that it lives in, and what the ways of delivery (push, pull) need of their consumer. */
import type { InternalLink } from "../../links/internal/index.ts";
import type { JetStreamContext } from "../context.ts";
import type { ConsumerStream } from "../seams.ts";
import type { StoredMessage } from "../store/index.ts";
import type { ConsumerConfig } from "../wire.ts";
import type { Consumer } from "./consumer.ts";

export interface ConsumerHost {
  readonly stream: ConsumerStream;
  /** `consumer.run` is called soon, at the end of this turn at the earliest. */
  wake(consumer: Consumer): void;
  /** `consumer.run` is called when more messages are committed. */
  wakeOnCommit(consumer: Consumer): void;
  /** Something has to be written down for the consumer, by and by. */
  changed(consumer: Consumer): void;
  /** An empty message goes to `reply` (byte string) once all that happened to the consumer is written down. */
  confirm(consumer: Consumer, reply: string): void;
  /** A consumer is done with a message: acknowledged, terminated, delivered without need of acknowledgement. */
  settled(seq: number, subject?: string): void;
  /** Whether some consumer has not settled a message of that subject yet. */
  isNeeded(seq: number, subject: string): boolean;
  /** As `settled` for all it had delivered from `first` to `last`. */
  settledRange(first: number, last: number): void;
  /** The consumer was not used for too long. */
  expired(consumer: Consumer): void;
  /** Publishes a status at the end of the turn, before deliveries. Byte strings; `text` is what follows `NATS/1.0 `. */
  answer(reply: string, text: string): void;
}

/** A message on offer, as stored. */
export interface Offer {
  readonly message: StoredMessage;
  /** Where it is acknowledged. Byte string. */
  readonly ack: string;
  /** Whole header lines to add. */
  readonly header: string;
  /** End of the payload to send, which starts at `message.bodyStart`. */
  readonly bodyEnd: number;
}

export const enum Outcome {
  Sent,
  /** Nobody can take it now; the way of delivery wakes the consumer when that changes. */
  Blocked,
}

/** How messages leave: to a deliver subject, or to those who asked for them. */
export interface Outlet {
  /** Whether there is anybody to deliver to. Cheap. */
  readonly isReady: boolean;
  /** Offers a message; `Blocked` leaves it with the consumer. */
  offer(offer: Offer, nowMs: number): Outcome;
  /** Everything there is was delivered. */
  drained(): void;
  configChanged(config: ConsumerConfig): void;
  /** The state started anew. */
  restarted(): void;
  /** The consumer ends. Nothing is sent any more but what `reason` asks for. */
  stop(reason: StopReason): void;
}

export type StopReason = "deleted" | "shutdown" | "replaced";

export interface OutletOwner {
  readonly name: string;
  readonly config: ConsumerConfig;
  readonly context: JetStreamContext;
  readonly link: InternalLink;
  readonly streamName: string;
  /** Messages that wait for their first delivery. */
  readonly numPending: number;
  /** That is not known yet, and nothing is delivered until it is. */
  readonly isCounting: boolean;
  readonly numAckPending: number;
  /** Messages that wait for another delivery. */
  readonly numRedeliveries: number;
  readonly lastDelivery: number;
  /** Position of the walk through the stream: `next - 1`. */
  readonly lastPassed: number;
  readonly isPaused: boolean;
  /** Nothing new is delivered until something is acknowledged. */
  readonly isStalled: boolean;
  /** There may be something to deliver again. */
  wake(): void;
  answer(reply: string, text: string): void;
  /** An advisory of the account about this consumer. */
  advise(kind: string, type: string, fields: Readonly<Record<string, unknown>>): void;
  /** Somebody uses the consumer. */
  used(): void;
  /** Interest in the deliver subject came or went. */
  interestChanged(active: boolean): void;
}

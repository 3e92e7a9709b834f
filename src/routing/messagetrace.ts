/**
 * Who follows a message wants to hear of those who carry it into another account, and delivers there in their place. Only a message that is traced has one
 * (`Message.trace`).
 */
import type { MatchResult } from "./interest.ts";
import type { Message } from "./message.ts";
import type { Delivery, SeenSubject, Subscriber, Subscription } from "./subscription.ts";

export interface MessageTrace {
  /** The message is only looked at, not delivered. */
  readonly only: boolean;
  /** It goes to the importer of a stream as `to`. */
  streamed(importer: string, to: string): void;
  /** It goes to a service of `account`, or back from one to `account`: what is `from` here is `to` over there. */
  served(account: string, from: string, to: string): void;
  /** A stream has taken it, or would, or will not: `error` says why. */
  stored(stream: string, outcome: { readonly subject?: string; readonly nointerest?: true; readonly error?: string }): void;
  /** What becomes of it is not decided yet, and nobody will be told. */
  withhold(): void;
  /** Delivers in `account`, or only asks; returns how many took it. */
  distribute(result: MatchResult, message: Message, seen: SeenSubject, origin: Subscriber | undefined, account: string): number;
  /** The same for a single taker, which the event shows as `shown`. */
  offer(taker: Subscription, shown: Subscription, message: Message, seen: SeenSubject, origin: Subscriber | undefined, account: string): Delivery;
}

/**
 * What an account waits for from services of others, found by where the answers are to come: when the last subscription there goes, nobody waits any more.
 *
 * Requesters use an inbox each, with a token of its own for every request, so the index is by inbox: the end of a connection that waits for much costs as much as
 * it waits for, whatever others do. Nothing is taken out of a list when its answer comes; lists are swept when most of what they hold is over.
 * Spec: accounts and authentication, section 5.2.
 */
import { hasWildcard, type InterestObserver, subjectMatches, type Subscription } from "../../routing/index.ts";
import type { Account } from "../account.ts";
import { swept } from "./sweep.ts";

/** Those who want their answers on subjects that differ in the last token only. */
export interface Inbox {
  /** The subject up to and with its last dot. */
  readonly prefix: string;
  awaited: Awaited[];
  /** How many of them are not over. */
  live: number;
}

export interface Awaited {
  /** Where the requester wants the answer: a literal subject. */
  readonly reply: string;
  /** It has its answer, or will get none. */
  readonly isOver: boolean;
  /** Nobody is there to take the answer. */
  lost(): void;
}

function prefixOf(subject: string): string {
  return subject.slice(0, subject.lastIndexOf(".") + 1);
}

export class Waiting implements InterestObserver {
  readonly #inboxes = new Map<string, Inbox>();
  /** The inbox used last stays when it is empty, so that one request after the other makes it only once. */
  #last: Inbox = { prefix: "", awaited: [], live: 0 };

  constructor(readonly account: Account) {
    account.interest.observe(this);
  }

  /** Returns the inbox, which is to be told when it is `over`. Hot. */
  add(awaited: Awaited): Inbox {
    const inbox = this.#inboxFor(awaited.reply);
    inbox.live++;
    inbox.awaited.push(awaited);
    return inbox;
  }

  #inboxFor(reply: string): Inbox {
    const { prefix } = this.#last;
    if (prefix !== "" && reply.startsWith(prefix) && !reply.includes(".", prefix.length)) return this.#last;
    if (this.#last.live === 0) this.#inboxes.delete(this.#last.prefix);
    const wanted = prefixOf(reply);
    let inbox = this.#inboxes.get(wanted);
    if (inbox === undefined) this.#inboxes.set(wanted, (inbox = { prefix: wanted, awaited: [], live: 0 }));
    return (this.#last = inbox);
  }

  /** One of what is awaited there is over. */
  over(inbox: Inbox): void {
    inbox.live--;
    if (inbox.live > 0) inbox.awaited = swept(inbox.awaited, inbox.live);
    else if (inbox === this.#last) inbox.awaited.length = 0;
    else this.#inboxes.delete(inbox.prefix);
  }

  /** What is awaited on exactly this subject will not come. */
  end(reply: string): void {
    for (const awaited of [...(this.#inboxes.get(prefixOf(reply))?.awaited ?? [])]) if (!awaited.isOver && awaited.reply === reply) awaited.lost();
  }

  inserted(): void {
    // Only what goes matters.
  }

  removed({ subject }: Subscription): void {
    if (this.#inboxes.size === 0) return;
    for (const { awaited } of this.#metBy(subject)) {
      for (const each of [...awaited]) if (!each.isOver && subjectMatches(each.reply, subject) && !this.#hasTakers(each.reply)) each.lost();
    }
  }

  #metBy(subject: string): Iterable<Inbox> {
    const prefix = prefixOf(subject);
    if (subject.endsWith(">") || hasWildcard(prefix)) return [...this.#inboxes.values()];
    const one = this.#inboxes.get(prefix);
    return one === undefined ? [] : [one];
  }

  #hasTakers(reply: string): boolean {
    const { plain, queues } = this.account.interest.matchReply(reply);
    return plain.length > 0 || queues.length > 0;
  }
}

/**
 * What one connection may do: publish and subscribe lists, the delivery filter for denied subjects, and the memory of replies it was asked to send.
 * Verdicts on publish subjects are cached, since clients publish to few subjects many times. Spec: accounts and authentication, section 3.
 */
import type { PermissionOptions, SubjectPermissionOptions } from "../config/index.ts";
import { hasNoEmptyToken, hasWildcard, isSubsetOf, subjectMatches, subjectsOverlap } from "../routing/index.ts";
import { toByteString } from "../util/bytes.ts";

/** Publish verdicts remembered per connection; when full the cache starts over. */
const VERDICTS_MAX = 256;
/** Remembered replies are pruned after so many additions, or when a second has passed since the last time. */
const REPLIES_PRUNE_COUNT = 4096;
const REPLIES_PRUNE_MS = 1000;

/** A pattern of a subscribe list, with its queue pattern (empty: plain). */
interface Entry {
  readonly subject: string;
  readonly queue: string;
}

interface Remembered {
  count: number;
  atMs: number;
}

export class Permissions {
  readonly #publishAllow: readonly string[] | undefined;
  readonly #publishDeny: readonly string[];
  readonly #subscribeAllow: readonly Entry[];
  readonly #subscribeDeny: readonly Entry[];
  readonly #responses: { readonly maxMessages: number; readonly expiresMs: number } | undefined;
  readonly #nowMs: () => number;

  readonly #verdicts = new Map<string, boolean>();
  readonly #replies = new Map<string, Remembered>();
  #additions = 0;
  #prunedAtMs = 0;

  /** Whether some subscription overlaps a deny entry, so that deliveries must be looked at (`deniesDelivery`). */
  filtersDelivery = false;

  /** `nowMs` is any monotonic clock in milliseconds. */
  constructor(options: PermissionOptions, nowMs: () => number) {
    const publish = options.publish;
    this.#responses = options.allowResponses;
    const allow = publish?.allow?.map(toByteString);
    this.#publishAllow = allow ?? (options.allowResponses === undefined ? undefined : []);
    this.#publishDeny = publish?.deny?.map(toByteString) ?? [];
    this.#subscribeAllow = entries(options.subscribe, "allow");
    this.#subscribeDeny = entries(options.subscribe, "deny");
    this.#nowMs = nowMs;
  }

  get tracksReplies(): boolean {
    return this.#responses !== undefined;
  }

  /** Whether a message may be published to the literal `subject`. Uses up one response when only that allows it. */
  canPublish(subject: string): boolean {
    return this.#mayPublishByLists(subject) || (this.#responses !== undefined && this.#useReply(subject));
  }

  /** Whether a subscription to `subject` (may hold wildcards), in `queue` unless empty, is allowed. */
  canSubscribe(subject: string, queue: string): boolean {
    if (queue === "_sys_") return false;
    if (this.#subscribeAllow.length > 0 && !allowsSubscription(this.#subscribeAllow, subject, queue)) return false;
    return !this.#subscribeDeny.some((entry) => isCovered(subject, entry.subject) && (entry.queue === "" || (queue !== "" && queueMatches(queue, entry.queue))));
  }

  /** Arms the delivery filter when a new subscription overlaps what is denied. */
  noteSubscription(subject: string, queue: string): void {
    if (this.filtersDelivery || this.#subscribeDeny.length === 0) return;
    if (queue === "" && !hasWildcard(subject)) return;
    this.filtersDelivery = this.#subscribeDeny.some((entry) => subjectsOverlap(subject, entry.subject));
  }

  /** Whether a message on the literal `subject` must not reach a subscription in `queue` (empty: plain). */
  deniesDelivery(subject: string, queue: string): boolean {
    return this.#subscribeDeny.some((entry) => subjectMatches(subject, entry.subject) && (entry.queue === "" || (queue !== "" && queueMatches(queue, entry.queue))));
  }

  /** A message that asks for an answer on `reply` is being delivered: it may be answered. */
  noteReply(reply: string): void {
    if (this.#responses === undefined || this.#mayPublishByLists(reply)) return;
    this.#replies.set(reply, { count: 0, atMs: this.#nowMs() });
    if (++this.#additions > REPLIES_PRUNE_COUNT || this.#nowMs() - this.#prunedAtMs > REPLIES_PRUNE_MS) this.#prune();
  }

  #mayPublishByLists(subject: string): boolean {
    const known = this.#verdicts.get(subject);
    if (known !== undefined) return known;
    const isIn = (list: readonly string[]): boolean => hasNoEmptyToken(subject) && list.some((pattern) => subjectMatches(subject, pattern));
    const verdict = (this.#publishAllow === undefined || isIn(this.#publishAllow)) && !isIn(this.#publishDeny);
    if (this.#verdicts.size >= VERDICTS_MAX) this.#verdicts.clear();
    this.#verdicts.set(subject, verdict);
    return verdict;
  }

  #useReply(subject: string): boolean {
    const remembered = this.#replies.get(subject);
    const limits = this.#responses;
    if (remembered === undefined || limits === undefined) return false;
    remembered.count++;
    const tooMany = limits.maxMessages > 0 && remembered.count > limits.maxMessages;
    const tooLate = limits.expiresMs > 0 && this.#nowMs() - remembered.atMs > limits.expiresMs;
    if (!tooMany && !tooLate) return true;
    this.#replies.delete(subject);
    return false;
  }

  #prune(): void {
    const limits = this.#responses;
    if (limits === undefined) return;
    const now = this.#nowMs();
    this.#additions = 0;
    this.#prunedAtMs = now;
    for (const [reply, remembered] of this.#replies) {
      const spent = limits.maxMessages > 0 && remembered.count >= limits.maxMessages;
      if (spent || (limits.expiresMs > 0 && now - remembered.atMs > limits.expiresMs)) this.#replies.delete(reply);
    }
  }
}

/**
 * With queue-qualified entries that match the subject, the queue must be one of theirs; else a plain entry must match. A plain subscription needs a plain entry.
 */
function allowsSubscription(allow: readonly Entry[], subject: string, queue: string): boolean {
  const matching = allow.filter((entry) => isCovered(subject, entry.subject));
  const qualified = matching.filter((entry) => entry.queue !== "");
  if (queue !== "" && qualified.length > 0) return qualified.some((entry) => queueMatches(queue, entry.queue));
  return matching.some((entry) => entry.queue === "");
}

/** A subject with an empty token is covered by no pattern, not even `>`: no list speaks of it (and it reaches nobody). */
function isCovered(subject: string, pattern: string): boolean {
  return hasNoEmptyToken(subject) && isSubsetOf(subject, pattern);
}

/** Queue names may be matched by a pattern in the form of a subject: `v1.*`, `>`. */
function queueMatches(queue: string, pattern: string): boolean {
  return queue === pattern || isSubsetOf(queue, pattern);
}

function entries(permission: SubjectPermissionOptions | undefined, list: "allow" | "deny"): readonly Entry[] {
  return (permission?.[list] ?? []).map((text) => {
    const [subject = "", queue = ""] = toByteString(text).split(/[ \t]+/);
    return { subject, queue };
  });
}

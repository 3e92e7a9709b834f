/**
 * Who wants a subject: all subscriptions of one subject space, and the bounded cache of match results in front of them.
 *
 * Literal subscriptions live in a hash map from subject to a list, wildcard ones in a trie by tokens. Most subscriptions are literal, a map entry costs a
 * tenth of a chain of trie nodes, and a match is one lookup plus a walk over the wildcards only.
 *
 * The cache (`SubjectEntry`) is keyed by the bytes of the published subject, so that a hit makes no string. A change of a literal
 * subscription drops just the entry of its subject; a change of a wildcard one starts a new generation, which makes every entry stale at once. So a
 * new subscription counts for every publish parsed after it, and request-reply traffic with fresh literal inboxes does not flush the cache.
 */
import { hasNoEmptyToken, hasWildcard } from "./subject.ts";
import type { Subscription } from "./subscription.ts";

/** Who gets a message: every plain subscription, and one member of each queue group. */
export interface MatchResult {
  readonly plain: readonly Subscription[];
  readonly queues: readonly (readonly Subscription[])[];
}

/** What the cache knows of one published subject. */
export class SubjectEntry {
  #bytes: Buffer | undefined = undefined;

  constructor(
    readonly hash: number,
    readonly subject: string,
    /** Generation of the subject space in which `result` was found. */
    readonly generation: number,
    readonly result: MatchResult,
  ) {}

  /** The subject's bytes. Made when first asked for: most subjects that are published only once never need them. */
  get bytes(): Buffer {
    return (this.#bytes ??= Buffer.from(this.subject, "latin1"));
  }
}

/** Figures of one subject space, named as on `/subsz`. */
export interface InterestStats {
  readonly numSubscriptions: number;
  readonly numCache: number;
  readonly numInserts: number;
  readonly numRemoves: number;
  readonly numMatches: number;
  readonly cacheHits: number;
  readonly maxFanout: number;
  readonly totalFanout: number;
}

/** Hears of every subscription of a subject space that comes or goes; it must not change that space. */
export interface InterestObserver {
  inserted(subscription: Subscription): void;
  removed(subscription: Subscription): void;
}

const NONE: readonly Subscription[] = [];
const NO_QUEUES: readonly (readonly Subscription[])[] = [];
const NO_MATCH: MatchResult = { plain: NONE, queues: NO_QUEUES };

/** Slots of a new cache, and of a full-grown one. An entry is about 200 bytes with its subject, so a busy space caches at most about 3 MB. */
const CACHE_SLOTS_MIN = 64;
const CACHE_SLOTS_MAX = 16_384;

/** Subscriptions of one exact pattern. */
interface Leaf {
  plain: Subscription[];
  /** By queue name; absent while there is none. */
  queues: Map<string, Subscription[]> | undefined;
}

class Node implements Leaf {
  plain: Subscription[] = [];
  queues: Map<string, Subscription[]> | undefined = undefined;
  literal: Map<string, Node> | undefined = undefined;
  star: Node | undefined = undefined;
  rest: Node | undefined = undefined;

  isEmpty(): boolean {
    return this.plain.length === 0 && this.queues === undefined && this.literal === undefined && this.star === undefined && this.rest === undefined;
  }
}

/** FNV-1a over the bytes of a byte string: the same hash that the parser computes over the read buffer. */
export function hashSubject(subject: string): number {
  let hash = HASH_START;
  for (let i = 0; i < subject.length; i++) hash = Math.imul(hash ^ subject.charCodeAt(i), HASH_STEP);
  return hash;
}

export const HASH_START = 0x811c9dc5 | 0;
export const HASH_STEP = 0x01000193;

/** Tokens that tell the kind of a subject for `findOnce`. */
const KIND_TOKENS = 4;

/** Whether patterns go on behind all these tokens. */
function reaches(node: Node, tokens: readonly string[], at: number): boolean {
  if (at === tokens.length) return true;
  const literal = node.literal?.get(tokens[at]);
  return (literal !== undefined && reaches(literal, tokens, at + 1)) || (node.star !== undefined && reaches(node.star, tokens, at + 1));
}

export class Interest {
  /** Literal patterns. A lone plain subscription stands for itself, which is by far the most frequent case. */
  #literals = new Map<string, Subscription | Leaf>();
  #wildcards = new Node();
  #wildcardCount = 0;
  #count = 0;

  #cache: (SubjectEntry | undefined)[] = [];
  #cacheEntries = 0;
  #generation = 0;

  #inserts = 0;
  #removes = 0;
  #lookups = 0;
  #hits = 0;
  #maxFanout = 0;
  #totalFanout = 0;
  #misses = 0;

  /** Who wants to know when subscriptions of exactly this literal subject come and go. */
  readonly #watchers = new Map<string, Set<() => void>>();

  /** None in a subject space that exchanges nothing with others. */
  #observers: readonly InterestObserver[] = [];

  /** `cacheSlots` bounds the match cache; 0 turns it off (`disable_sublist_cache`). */
  constructor(private readonly cacheSlots: number = CACHE_SLOTS_MAX) {}

  get size(): number {
    return this.#count;
  }

  /** Returns how to stop that. */
  observe(observer: InterestObserver): () => void {
    this.#observers = [...this.#observers, observer];
    return () => (this.#observers = this.#observers.filter((other) => other !== observer));
  }

  /**
   * Calls `changed` after each coming or going of a subscription whose subject is literally this one; returns how to stop that. It must not change interest
   * itself.
   */
  watch(subject: string, changed: () => void): () => void {
    const watchers = this.#watchers.get(subject) ?? new Set();
    this.#watchers.set(subject, watchers.add(changed));
    return () => {
      watchers.delete(changed);
      if (watchers.size === 0 && this.#watchers.get(subject) === watchers) this.#watchers.delete(subject);
    };
  }

  /** Whether a subscription of exactly this literal subject exists: of this queue group, or a plain one when `queue` is empty. */
  hasLiteral(subject: string, queue: string): boolean {
    const held = this.#literals.get(subject);
    if (held === undefined) return false;
    if (!isLeaf(held)) return queue === "";
    return queue === "" ? held.plain.length > 0 : held.queues?.has(queue) === true;
  }

  #tellWatchers(subject: string): void {
    if (this.#watchers.size === 0) return;
    for (const changed of this.#watchers.get(subject) ?? []) changed();
  }

  /** Adds a subscription whose subject is valid. */
  insert(subscription: Subscription): void {
    this.#insert(subscription);
    for (const observer of this.#observers) observer.inserted(subscription);
  }

  #insert(subscription: Subscription): void {
    // Where nobody listens there is nothing to remember.
    if (this.#cache.length === 0 && this.cacheSlots > 0) this.#cache = new Array(Math.min(CACHE_SLOTS_MIN, this.cacheSlots)).fill(undefined);
    this.#inserts++;
    this.#count++;
    if (hasWildcard(subscription.subject)) {
      addTo(this.#nodeFor(subscription.subject), subscription);
      this.#wildcardCount++;
      this.#generation++;
      return;
    }
    const held = this.#literals.get(subscription.subject);
    if (held === undefined && subscription.queue === "") this.#literals.set(subscription.subject, subscription);
    else if (held === undefined) this.#literals.set(subscription.subject, addTo({ plain: [], queues: undefined }, subscription));
    else if (isLeaf(held)) addTo(held, subscription);
    else this.#literals.set(subscription.subject, addTo({ plain: [held], queues: undefined }, subscription));
    this.#forget(subscription.subject);
    this.#tellWatchers(subscription.subject);
  }

  /** Removes a subscription that was inserted; returns whether it was there. */
  remove(subscription: Subscription): boolean {
    const removed = hasWildcard(subscription.subject) ? this.#removeWildcard(subscription) : this.#removeLiteral(subscription);
    if (removed) {
      this.#removes++;
      this.#count--;
      for (const observer of this.#observers) observer.removed(subscription);
    }
    return removed;
  }

  /**
   * The entry for the published subject in `buffer[start, end)`, whose `hashSubject` is `hash`. Hot: no allocation when it is cached.
   */
  find(buffer: Buffer, start: number, end: number, hash: number): SubjectEntry {
    this.#lookups++;
    const slots = this.#cache.length;
    if (slots > 0) {
      const entry = this.#cache[hash & (slots - 1)];
      if (entry !== undefined && entry.hash === hash && entry.generation === this.#generation && sameBytes(entry.bytes, buffer, start, end)) {
        this.#hits++;
        return entry;
      }
    }
    return this.#enter(buffer.latin1Slice(start, end), hash);
  }

  /** As `find`, for a subject that is already a byte string. */
  findSubject(subject: string): SubjectEntry {
    this.#lookups++;
    const hash = hashSubject(subject);
    const slots = this.#cache.length;
    if (slots > 0) {
      const entry = this.#cache[hash & (slots - 1)];
      if (entry !== undefined && entry.hash === hash && entry.generation === this.#generation && entry.subject === subject) {
        this.#hits++;
        return entry;
      }
    }
    return this.#enter(subject, hash);
  }

  /** Matches without the cache: `subject` is taken literally, and one with an empty token matches nothing. */
  match(subject: string): MatchResult {
    if (this.#count === 0 || !hasNoEmptyToken(subject)) return NO_MATCH;
    const literal = this.#literals.get(subject);
    if (this.#wildcardCount === 0) {
      if (literal === undefined) return NO_MATCH;
      if (!isLeaf(literal)) return { plain: [literal], queues: NO_QUEUES };
    }
    const collected = new Collected();
    if (literal !== undefined) {
      if (isLeaf(literal)) collected.add(literal);
      else collected.plain.push(literal);
    }
    if (this.#wildcardCount > 0) collect(this.#wildcards, subject, 0, collected);
    return collected.result();
  }

  #replyPrefix = "";
  #replyGeneration = -1;
  #replyResult: MatchResult = NO_MATCH;

  /**
   * As `match`, for a subject that is used once and ends in a token of its own, such as the inbox of a request: the wildcards that match everything up to the
   * last token are remembered, so that a stream of answers to one requestor costs one look at the literals each.
   */
  matchReply(subject: string): MatchResult {
    const prefixLength = subject.lastIndexOf(".") + 1;
    const remembered = this.#replyPrefix;
    if (this.#replyGeneration === this.#generation && prefixLength === remembered.length && prefixLength < subject.length && subject.startsWith(remembered) && !this.#literals.has(subject)) return this.#replyResult;
    const result = this.match(subject);
    if (prefixLength === 0 || prefixLength === subject.length || this.#literals.has(subject)) return result;
    const collected = new Collected();
    if (this.#wildcardCount > 0 && hasNoEmptyToken(subject)) collect(this.#wildcards, subject, 0, collected);
    if (collected.dependsOnLastToken || !hasNoEmptyToken(subject)) return result;
    this.#replyPrefix = subject.slice(0, prefixLength);
    this.#replyGeneration = this.#generation;
    this.#replyResult = result;
    return result;
  }

  /** As `find`, for a subject that is used once and ends in a token of its own. It is not cached, where it would only push out others. */
  findReply(buffer: Buffer, start: number, end: number, hash: number): SubjectEntry {
    this.#lookups++;
    const subject = buffer.latin1Slice(start, end);
    return new SubjectEntry(hash, subject, this.#generation, this.matchReply(subject));
  }

  /** As `findReply`, for a subject that is already a byte string. */
  findReplySubject(subject: string): SubjectEntry {
    this.#lookups++;
    return new SubjectEntry(hashSubject(subject), subject, this.#generation, this.matchReply(subject));
  }

  #kind = "";
  #kindGeneration = -1;
  #kindResult: MatchResult = NO_MATCH;

  /**
   * As `find`, for a subject that is used once and is one of many that differ behind their first `KIND_TOKENS` tokens: an acknowledgement, `$JS.ACK.` stream,
   * consumer, numbers. It is not cached, where it would only push out others; what is remembered is the result for all that begin alike, where no subscription
   * looks further.
   */
  findOnce(buffer: Buffer, start: number, end: number, hash: number): SubjectEntry {
    this.#lookups++;
    const subject = buffer.latin1Slice(start, end);
    const isKnown = this.#kindGeneration === this.#generation && subject.startsWith(this.#kind) && !subject.endsWith(".") && !subject.includes("..") && !this.#literals.has(subject);
    return new SubjectEntry(hash, subject, this.#generation, isKnown ? this.#kindResult : this.#matchKind(subject));
  }

  #matchKind(subject: string): MatchResult {
    const result = this.match(subject);
    const tokens = subject.split(".", KIND_TOKENS + 1);
    if (tokens.length <= KIND_TOKENS || !hasNoEmptyToken(subject) || this.#literals.has(subject)) return result;
    tokens.length = KIND_TOKENS;
    if (reaches(this.#wildcards, tokens, 0)) return result;
    this.#kind = `${tokens.join(".")}.`;
    this.#kindGeneration = this.#generation;
    this.#kindResult = result;
    return result;
  }

  /** Every subscription, in no order that means anything. */
  *all(): IterableIterator<Subscription> {
    for (const held of this.#literals.values()) {
      if (isLeaf(held)) yield* leafSubscriptions(held);
      else yield held;
    }
    const nodes: Node[] = [this.#wildcards];
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      yield* leafSubscriptions(node);
      if (node.star !== undefined) nodes.push(node.star);
      if (node.rest !== undefined) nodes.push(node.rest);
      if (node.literal !== undefined) nodes.push(...node.literal.values());
    }
  }

  stats(): InterestStats {
    return {
      numSubscriptions: this.#count,
      numCache: this.#cacheEntries,
      numInserts: this.#inserts,
      numRemoves: this.#removes,
      numMatches: this.#lookups,
      cacheHits: this.#hits,
      maxFanout: this.#maxFanout,
      totalFanout: this.#totalFanout,
    };
  }

  #enter(subject: string, hash: number): SubjectEntry {
    const result = this.match(subject);
    const fanout = result.plain.length + result.queues.length;
    if (fanout > this.#maxFanout) this.#maxFanout = fanout;
    this.#totalFanout += fanout;
    const entry = new SubjectEntry(hash, subject, this.#generation, result);
    const slots = this.#cache.length;
    if (slots === 0) return entry;
    // A cache that misses as often as it has slots is too small for the traffic: let it grow up to its bound.
    if (++this.#misses > slots && slots < this.cacheSlots) this.#growCache(Math.min(slots * 4, this.cacheSlots));
    const slot = hash & (this.#cache.length - 1);
    if (this.#cache[slot] === undefined) this.#cacheEntries++;
    this.#cache[slot] = entry;
    return entry;
  }

  #growCache(slots: number): void {
    const old = this.#cache;
    this.#cache = new Array(slots).fill(undefined);
    this.#cacheEntries = 0;
    this.#misses = 0;
    for (const entry of old) {
      if (entry === undefined || entry.generation !== this.#generation) continue;
      this.#cache[entry.hash & (slots - 1)] = entry;
      this.#cacheEntries++;
    }
  }

  #forget(subject: string): void {
    const slots = this.#cache.length;
    if (slots === 0) return;
    const slot = hashSubject(subject) & (slots - 1);
    if (this.#cache[slot]?.subject !== subject) return;
    this.#cache[slot] = undefined;
    this.#cacheEntries--;
  }

  #removeLiteral(subscription: Subscription): boolean {
    const held = this.#literals.get(subscription.subject);
    if (held === undefined) return false;
    if (isLeaf(held)) {
      if (!removeFrom(held, subscription)) return false;
      if (held.plain.length === 0 && held.queues === undefined) this.#literals.delete(subscription.subject);
    } else {
      if (held !== subscription) return false;
      this.#literals.delete(subscription.subject);
    }
    this.#forget(subscription.subject);
    this.#tellWatchers(subscription.subject);
    return true;
  }

  #removeWildcard(subscription: Subscription): boolean {
    const path: { node: Node; token: string }[] = [];
    let node = this.#wildcards;
    for (const token of subscription.subject.split(".")) {
      const next = token === "*" ? node.star : token === ">" ? node.rest : node.literal?.get(token);
      if (next === undefined) return false;
      path.push({ node, token });
      node = next;
    }
    if (!removeFrom(node, subscription)) return false;
    this.#wildcardCount--;
    this.#generation++;
    for (let step = path.pop(); step !== undefined && node.isEmpty(); step = path.pop()) {
      const parent = step.node;
      if (step.token === "*") parent.star = undefined;
      else if (step.token === ">") parent.rest = undefined;
      else {
        parent.literal?.delete(step.token);
        if (parent.literal?.size === 0) parent.literal = undefined;
      }
      node = parent;
    }
    return true;
  }

  #nodeFor(pattern: string): Node {
    let node = this.#wildcards;
    for (const token of pattern.split(".")) {
      if (token === "*") node = node.star ??= new Node();
      else if (token === ">") node = node.rest ??= new Node();
      else {
        const children = (node.literal ??= new Map<string, Node>());
        let next = children.get(token);
        if (next === undefined) children.set(token, (next = new Node()));
        node = next;
      }
    }
    return node;
  }
}

/** Gathers a match result; queue groups of one name from several patterns become one group. */
class Collected {
  readonly plain: Subscription[] = [];
  /** Whether another last token could have given another result. */
  dependsOnLastToken = false;
  #queues: Map<string, Subscription[]> | undefined;

  add(leaf: Leaf): void {
    for (const subscription of leaf.plain) this.plain.push(subscription);
    if (leaf.queues === undefined) return;
    const queues = (this.#queues ??= new Map());
    for (const [name, members] of leaf.queues) {
      const known = queues.get(name);
      if (known === undefined) queues.set(name, members.slice());
      else known.push(...members);
    }
  }

  result(): MatchResult {
    if (this.#queues === undefined) return this.plain.length === 0 ? NO_MATCH : { plain: this.plain, queues: NO_QUEUES };
    return { plain: this.plain, queues: [...this.#queues.values()] };
  }
}

function collect(node: Node, subject: string, from: number, into: Collected): void {
  if (node.rest !== undefined) into.add(node.rest);
  const dot = subject.indexOf(".", from);
  const isLast = dot === -1;
  if (node.star !== undefined) {
    if (isLast) into.add(node.star);
    else collect(node.star, subject, dot + 1, into);
  }
  if (node.literal === undefined) return;
  if (isLast) into.dependsOnLastToken = true;
  const next = node.literal.get(isLast ? subject.slice(from) : subject.slice(from, dot));
  if (next === undefined) return;
  if (isLast) into.add(next);
  else collect(next, subject, dot + 1, into);
}

function isLeaf(held: Subscription | Leaf): held is Leaf {
  return "plain" in held;
}

function addTo<T extends Leaf>(leaf: T, subscription: Subscription): T {
  if (subscription.queue === "") {
    leaf.plain.push(subscription);
    return leaf;
  }
  const queues = (leaf.queues ??= new Map<string, Subscription[]>());
  const members = queues.get(subscription.queue);
  if (members === undefined) queues.set(subscription.queue, [subscription]);
  else members.push(subscription);
  return leaf;
}

function removeFrom(leaf: Leaf, subscription: Subscription): boolean {
  if (subscription.queue === "") return removeMember(leaf.plain, subscription);
  const members = leaf.queues?.get(subscription.queue);
  if (members === undefined || !removeMember(members, subscription)) return false;
  if (members.length === 0) {
    leaf.queues?.delete(subscription.queue);
    if (leaf.queues?.size === 0) leaf.queues = undefined;
  }
  return true;
}

/** Order among members means nothing, so the last one takes the place of the removed one. */
function removeMember(members: Subscription[], subscription: Subscription): boolean {
  const at = members.lastIndexOf(subscription);
  if (at === -1) return false;
  const last = members.pop();
  if (last !== undefined && at < members.length) members[at] = last;
  return true;
}

function* leafSubscriptions(leaf: Leaf): IterableIterator<Subscription> {
  yield* leaf.plain;
  if (leaf.queues !== undefined) for (const members of leaf.queues.values()) yield* members;
}

function sameBytes(bytes: Buffer, buffer: Buffer, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let i = 0; start < end; i++, start++) if (bytes[i] !== buffer[start]) return false;
  return true;
}

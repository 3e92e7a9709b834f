/**
 * What routing must do, said naively: a list of subscriptions, and per message which of them match. It is told what every client sent and got in one round,
 * and says what is wrong with it.
 *
 * A round may change things while messages fly: then what a subscription that came or went, or a publisher or subscriber that broke off, saw is bounded
 * (nothing twice, nothing out of order, nothing foreign), and what everybody else saw is exact.
 */

/** A message of a round; `publisher` and `sequence` name it. */
export interface Published {
  readonly publisher: number;
  /** Counts up per publisher. */
  readonly sequence: number;
  readonly subject: string;
  /** Its publisher broke off in this round: it may be lost, with all that its publisher sent after it. */
  uncertain: boolean;
}

export interface ModelSubscription {
  readonly client: number;
  readonly sid: string;
  readonly subject: string;
  /** Empty: plain. */
  readonly queue: string;
  /** Whether its client gets its own messages. */
  readonly echo: boolean;
  /** Deliveries left by UNSUB with a maximum; undefined: any number. */
  left: number | undefined;
  /** It came or went in this round, or its client broke off. */
  uncertain: boolean;
}

/** A delivery that a client saw, in its order. */
export interface Delivered {
  readonly client: number;
  readonly sid: string;
  readonly subject: string;
  readonly publisher: number;
  readonly sequence: number;
}

/** Token by token, recursively. */
export function matches(subject: readonly string[], pattern: readonly string[]): boolean {
  if (pattern.length === 0) return subject.length === 0;
  if (subject.length === 0) return false;
  if (pattern[0] === ">") return true;
  return (pattern[0] === "*" || pattern[0] === subject[0]) && matches(subject.slice(1), pattern.slice(1));
}

function takes(subscription: ModelSubscription, message: Published): boolean {
  if (!subscription.echo && subscription.client === message.publisher) return false;
  return matches(message.subject.split("."), subscription.subject.split("."));
}

/** Everything that is wrong with one round; empty when nothing is. Brings `left` of the subscriptions up to date. */
export function faults(subscriptions: readonly ModelSubscription[], published: readonly Published[], delivered: readonly Delivered[]): string[] {
  const found: string[] = [];
  const bySubscription = new Map<string, Delivered[]>();
  for (const delivery of delivered) {
    const key = `${delivery.client}/${delivery.sid}`;
    bySubscription.set(key, [...(bySubscription.get(key) ?? []), delivery]);
  }
  const known = new Map(published.map((message) => [`${message.publisher}.${message.sequence}`, message]));
  for (const subscription of subscriptions) {
    const key = `${subscription.client}/${subscription.sid}`;
    const got = bySubscription.get(key) ?? [];
    bySubscription.delete(key);
    found.push(...wrongDeliveries(subscription, got, known).map((fault) => `${key} ${subscription.subject} ${subscription.queue}: ${fault}`));
    if (subscription.queue === "") found.push(...missing(subscription, published, got).map((fault) => `${key} ${subscription.subject}: ${fault}`));
    if (subscription.left !== undefined) subscription.left -= got.length;
  }
  for (const key of bySubscription.keys()) found.push(`${key}: deliveries to no subscription`);
  return [...found, ...queueFaults(subscriptions, published, delivered)];
}

/** Foreign, repeated and disordered deliveries, and more than were asked for. */
function wrongDeliveries(subscription: ModelSubscription, got: readonly Delivered[], known: ReadonlyMap<string, Published>): string[] {
  const found: string[] = [];
  const last = new Map<number, number>();
  for (const delivery of got) {
    const name = `${delivery.publisher}.${delivery.sequence}`;
    const message = known.get(name);
    if (message === undefined || message.subject !== delivery.subject || !takes(subscription, message)) found.push(`foreign message ${name} on ${delivery.subject}`);
    if ((last.get(delivery.publisher) ?? -1) >= delivery.sequence) found.push(`${name} after ${last.get(delivery.publisher) ?? ""}`);
    last.set(delivery.publisher, delivery.sequence);
  }
  if (subscription.left !== undefined && got.length > subscription.left) found.push(`${got.length} deliveries, ${subscription.left} were left`);
  return found;
}

/** What a plain subscription should have got and did not. */
function missing(subscription: ModelSubscription, published: readonly Published[], got: readonly Delivered[]): string[] {
  if (subscription.uncertain) return [];
  const seen = new Set(got.map((delivery) => `${delivery.publisher}.${delivery.sequence}`));
  const expected = published.filter((message) => takes(subscription, message));
  if (subscription.left !== undefined) {
    const certain = expected.filter((message) => !message.uncertain).length;
    return got.length < Math.min(subscription.left, certain) ? [`${got.length} of at least ${Math.min(subscription.left, certain)} deliveries`] : [];
  }
  const found = expected.filter((message) => !message.uncertain && !seen.has(`${message.publisher}.${message.sequence}`)).map((message) => `lacks ${message.publisher}.${message.sequence}`);
  // Of a publisher that broke off, a beginning of what it sent arrives.
  const lost = new Set<number>();
  for (const message of expected) {
    if (!message.uncertain) continue;
    if (!seen.has(`${message.publisher}.${message.sequence}`)) lost.add(message.publisher);
    else if (lost.has(message.publisher)) found.push(`has ${message.publisher}.${message.sequence} but lacks one before`);
  }
  return found;
}

/** Of a queue group exactly one member gets a message. */
function queueFaults(subscriptions: readonly ModelSubscription[], published: readonly Published[], delivered: readonly Delivered[]): string[] {
  const found: string[] = [];
  const queueOf = new Map(subscriptions.map((subscription) => [`${subscription.client}/${subscription.sid}`, subscription.queue]));
  const counts = new Map<string, number>();
  for (const delivery of delivered) {
    const queue = queueOf.get(`${delivery.client}/${delivery.sid}`) ?? "";
    if (queue === "") continue;
    const key = `${queue} ${delivery.publisher}.${delivery.sequence}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const queue of new Set(subscriptions.map((subscription) => subscription.queue))) {
    if (queue === "") continue;
    for (const message of published) {
      const members = subscriptions.filter((subscription) => subscription.queue === queue && takes(subscription, message));
      const count = counts.get(`${queue} ${message.publisher}.${message.sequence}`) ?? 0;
      const must = members.length > 0 && members.every((member) => !member.uncertain) && !message.uncertain ? 1 : 0;
      if (count > 1 || count < must) found.push(`group ${queue}: ${count} members got ${message.publisher}.${message.sequence}`);
    }
  }
  return found;
}

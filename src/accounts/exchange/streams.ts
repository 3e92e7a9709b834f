/**
 * Stream imports. Every subscription of the importing account that meets an import gets a *shadow* in the exporting account: a subscription of the same queue
 * group on the exporter's subject, narrowed to what the original asks for. What reaches the shadow is delivered to the original's owner under the local
 * subject, so that echo, limits, permissions and slow consumers are judged where they always are. A message that crosses costs one call more than one that
 * does not, and where the subject changes, a lookup.
 */
import type { ImportRoute } from "../../config/index.ts";
import { Delivery, type Interest, type InterestObserver, intersectionOf, type Message, type MessageTrace, type SeenSubject, type Subscriber, Subscription } from "../../routing/index.ts";

/** Subjects whose local form an import remembers. */
const SEEN_MAX = 4096;

/** The owner of a shadow. */
class Shadow implements Subscriber {
  readonly isExchange = true;

  constructor(
    readonly original: Subscription,
    private readonly stream: StreamImport,
  ) {}

  deliver(shadow: Subscription, message: Message, seen: SeenSubject, origin: Subscriber | undefined): Delivery {
    // What came in as a request is not passed on as a stream.
    if (message.passed.length > 0) return Delivery.Denied;
    if (message.trace !== undefined) return this.#deliverTraced(shadow, message, message.trace, seen, origin);
    const { original } = this;
    return original.owner.deliver(original, message, message.sentTo === "" ? this.stream.localOf(seen) : seen, origin);
  }

  /** Where traces may not pass they end with the news that the message went over, and one that was only to be looked at goes no further. */
  #deliverTraced(shadow: Subscription, message: Message, trace: MessageTrace, seen: SeenSubject, origin: Subscriber | undefined): Delivery {
    const { original, stream } = this;
    const local = stream.localOf(seen);
    trace.streamed(stream.importer, local.subject);
    if (stream.allowTrace) return trace.offer(original, shadow, message, local, origin, stream.importer);
    if (trace.only) return Delivery.Denied;
    message.trace = undefined;
    try {
      return original.owner.deliver(original, message, local, origin);
    } finally {
      message.trace = trace;
    }
  }

  judge(_shadow: Subscription, subject: string, origin: Subscriber | undefined): Delivery {
    return this.original.owner.judge(this.original, this.stream.localSubject(subject), origin);
  }

  describe(): { readonly kind: number; readonly cid: number; readonly name?: string } {
    return this.original.owner.describe();
  }
}

export class StreamImport {
  readonly #seen = new Map<string, SeenSubject>();
  #last: SeenSubject | undefined = undefined;
  #lastSource = "";
  readonly #shadows = new Map<Subscription, Subscription>();

  constructor(
    readonly exporter: Interest,
    /** Name of the importing account. */
    readonly importer: string,
    private readonly route: ImportRoute,
    /** Whether traces pass. */
    readonly allowTrace: boolean,
  ) {}

  get size(): number {
    return this.#shadows.size;
  }

  /** Gives `original` its shadow, if it asks for anything of this import. */
  add(original: Subscription): void {
    const subject = shadowSubject(this.route, original.subject);
    if (subject === undefined) return;
    const shadow = new Subscription(new Shadow(original, this), subject, original.queue, original.sid);
    this.#shadows.set(original, shadow);
    this.exporter.insert(shadow);
  }

  remove(original: Subscription): void {
    const shadow = this.#shadows.get(original);
    if (shadow === undefined) return;
    this.#shadows.delete(original);
    shadow.closed = true;
    this.exporter.remove(shadow);
  }

  close(): void {
    for (const original of [...this.#shadows.keys()]) this.remove(original);
  }

  localSubject(subject: string): string {
    return this.route.transform?.apply(subject, () => 0) ?? subject;
  }

  /** The exporter's subject as the importer sees it. Hot. */
  localOf(seen: SeenSubject): SeenSubject {
    if (this.route.transform === undefined) return seen;
    if (this.#last !== undefined && this.#lastSource === seen.subject) return this.#last;
    let local = this.#seen.get(seen.subject);
    if (local === undefined) {
      const subject = this.localSubject(seen.subject);
      local = { subject, bytes: Buffer.from(subject, "latin1") };
      if (this.#seen.size >= SEEN_MAX) this.#seen.clear();
      this.#seen.set(seen.subject, local);
    }
    this.#lastSource = seen.subject;
    this.#last = local;
    return local;
  }
}

/** All stream imports of one account. */
export class StreamImports implements InterestObserver {
  readonly #imports = new Set<StreamImport>();

  readonly #stopObserving: () => void;

  constructor(private readonly interest: Interest) {
    this.#stopObserving = interest.observe(this);
  }

  /** Subscriptions that come and go do not matter any more. */
  close(): void {
    this.#stopObserving();
  }

  get size(): number {
    return this.#imports.size;
  }

  /** Subscriptions that exist already get their shadows now. */
  add(stream: StreamImport): void {
    this.#imports.add(stream);
    // An account may import from itself, and then the loop below would meet its own shadows.
    for (const subscription of [...this.interest.all()]) if (mayFollow(subscription)) stream.add(subscription);
  }

  remove(stream: StreamImport): void {
    this.#imports.delete(stream);
    stream.close();
  }

  inserted(subscription: Subscription): void {
    if (!mayFollow(subscription)) return;
    for (const stream of this.#imports) stream.add(subscription);
  }

  removed(subscription: Subscription): void {
    for (const stream of this.#imports) stream.remove(subscription);
  }
}

/** Imports are not passed on: neither shadows nor the subscriptions of services get shadows. */
function mayFollow({ owner }: Subscription): boolean {
  return owner.isExchange !== true;
}

/**
 * The exporter's subject that a subscription on `wanted` has to follow; undefined when it has nothing to do with the import. Exported for its property test.
 */
export function shadowSubject({ source, local, transform }: ImportRoute, wanted: string): string | undefined {
  const met = intersectionOf(wanted, local);
  if (met === undefined) return undefined;
  if (transform === undefined) return met;
  const metTokens = met.split(".");
  // Which of the source's wildcards each token of the destination stands for.
  const found = new Map<number, string>();
  const destination = transform.destination.split(".");
  for (let i = 0; i < destination.length; i++) {
    const number = referenceOf(destination[i]);
    if (number === undefined) continue;
    const before = found.get(number) ?? "*";
    const both = intersectionOf(before, metTokens[i]);
    if (both === undefined) return undefined;
    found.set(number, both);
  }
  const rest = metTokens.slice(destination.length - 1).join(".");
  let count = 0;
  return source
    .split(".")
    .map((token) => (token === "*" ? (found.get(++count) ?? "*") : token === ">" ? rest : token))
    .join(".");
}

function referenceOf(token: string): number | undefined {
  const match = /^(?:\$(\d+)|\{\{\s*[Ww]ildcard\s*\(\s*(\d+)\s*\)\s*\}\})$/.exec(token);
  return match === null ? undefined : Number(match[1] ?? match[2]);
}

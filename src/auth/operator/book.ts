/**
 * The accounts whose tokens this server has read: fetched on first use, judged, kept, replaced when a newer token comes, expired when their time is over.
 * What an account imports is loaded with it. Spec: accounts and authentication, section 7.3.
 */
import { type AccountClaims, decodeAccount, JwtError, validateAccount } from "../../jwt/index.ts";
import type { Logger } from "../../log/index.ts";
import type { Clock, Timer } from "../../platform/index.ts";
import { formatDurationMs } from "../../util/duration.ts";
import { isPublicKey } from "../../util/nkeys.ts";
import { type Resolver, ResolverError } from "./resolver.ts";
import type { Trust } from "./trust.ts";

/** An expired account is asked for again at each use, but not more often than this. */
const REFETCH_MS = 1000;
/** Longest single timer; later ends are reached in steps. */
const TIMER_MAX_MS = 86_400_000;
/** What is wrong with a token that is not in force here: not trusted, not the account's, past its time, in contradiction to itself. */
const INVALID = "account validation failed";
/** A fetch that takes longer is told. */
const SLOW_FETCH_MS = 1000;

export interface BookHost {
  readonly clock: Clock;
  readonly log: Logger;
  /** Claims are in force from now on; `before` is undefined for an account that was not loaded. A login waits for the promise. */
  entered(now: AccountClaims, before: AccountClaims | undefined): void | Promise<void>;
  expired(claims: AccountClaims): void;
}

export type Loaded = { readonly ok: true; readonly claims: AccountClaims; readonly isExpired: boolean } | { readonly ok: false; readonly problem: string };

interface Entry {
  claims: AccountClaims;
  isExpired: boolean;
  /** When a resolver was last asked, on the monotonic clock. */
  askedAtMs: number;
  timer: Timer | undefined;
}

export class AccountBook {
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<Loaded>>();

  /** Logins refused because their account is not pinned, since the start. */
  pinnedRefusals = 0;

  constructor(
    private readonly host: BookHost,
    private readonly resolver: Resolver,
    readonly trust: Trust,
  ) {}

  /** Seconds since the Unix epoch. */
  get nowS(): number {
    return Number(this.host.clock.nowNs() / 1_000_000_000n);
  }

  /** Claims of an account that is loaded. */
  claims(account: string): AccountClaims | undefined {
    return this.#entries.get(account)?.claims;
  }

  all(): AccountClaims[] {
    return [...this.#entries.values()].map(({ claims }) => claims);
  }

  isExpired(account: string): boolean {
    return this.#entries.get(account)?.isExpired === true;
  }

  /** The account, from the resolver when it is not loaded yet. A promise only when the resolver, or whoever hosts the account, needs time. Never rejects. */
  load(account: string): Loaded | Promise<Loaded> {
    const underWay = this.#loading.get(account);
    if (underWay !== undefined) return underWay;
    const entry = this.#entries.get(account);
    const nowMs = this.host.clock.monotonicMs();
    if (entry !== undefined && (!entry.isExpired || nowMs - entry.askedAtMs < REFETCH_MS)) return known(entry);
    if (entry !== undefined) entry.askedAtMs = nowMs;
    const fetched = this.#fetch(account);
    const result = fetched instanceof Promise ? fetched.then((token) => this.#take(account, token)) : this.#take(account, fetched);
    if (!(result instanceof Promise)) return result;
    const tracked = result.finally(() => this.#loading.delete(account));
    this.#loading.set(account, tracked);
    return tracked;
  }

  /** A token for an account that is loaded: judged and taken up. What is wrong with it, or undefined. */
  update(account: string, token: string): string | undefined | Promise<string | undefined> {
    const entry = this.#entries.get(account);
    if (entry !== undefined && entry.claims.token === token) return undefined;
    const claims = this.#judge(account, token);
    if (claims === undefined) return INVALID;
    const entered = this.#enter(claims);
    return entered instanceof Promise ? entered.then(() => undefined) : undefined;
  }

  /** Stands in for an account whose token is not here yet, until one comes. */
  enterTemporary(claims: AccountClaims): Loaded | Promise<Loaded> {
    return this.#enter(claims);
  }

  /** Ends an account: it can be loaded again, if a resolver still has it. */
  drop(account: string): void {
    this.#entries.get(account)?.timer?.cancel();
    this.#entries.delete(account);
  }

  close(): void {
    for (const { timer } of this.#entries.values()) timer?.cancel();
    this.#entries.clear();
  }

  #fetch(account: string): string | ResolverError | Promise<string | ResolverError> {
    if (!isPublicKey(account, "account")) return new ResolverError("will only fetch valid account keys");
    const { clock, log } = this.host;
    const failed = (error: unknown): ResolverError => {
      if (!(error instanceof ResolverError)) throw error;
      log.warn(`Account fetch failed: ${error.message}`);
      return error;
    };
    const startMs = clock.monotonicMs();
    try {
      const fetched = this.resolver.fetch(account);
      if (!(fetched instanceof Promise)) return fetched;
      const tellSlow = (): void => {
        const tookMs = clock.monotonicMs() - startMs;
        if (tookMs > SLOW_FETCH_MS) log.warn(`Account [${account}] fetch took ${formatDurationMs(tookMs)}`);
      };
      return fetched.finally(tellSlow).catch(failed);
    } catch (error) {
      return failed(error);
    }
  }

  #take(account: string, token: string | ResolverError): Loaded | Promise<Loaded> {
    if (token instanceof ResolverError) return this.#fall(account, token.message);
    const entry = this.#entries.get(account);
    if (entry?.isExpired === true && entry.claims.token === token) return known(entry);
    const claims = this.#judge(account, token);
    if (claims === undefined) return this.#fall(account, INVALID);
    return this.#enter(claims);
  }

  /** A lookup failed: an account that expired stays so. */
  #fall(account: string, problem: string): Loaded {
    const entry = this.#entries.get(account);
    return entry === undefined ? { ok: false, problem } : known(entry);
  }

  #judge(account: string, token: string): AccountClaims | undefined {
    let claims: AccountClaims;
    try {
      claims = decodeAccount(token);
    } catch (error) {
      if (error instanceof JwtError) return undefined;
      throw error;
    }
    return claims.sub === account && this.trust.trusts(claims.iss) && !validateAccount(claims, this.nowS).blocks(true) ? claims : undefined;
  }

  #enter(claims: AccountClaims): Loaded | Promise<Loaded> {
    const before = this.#entries.get(claims.sub);
    before?.timer?.cancel();
    const entry: Entry = { claims, isExpired: false, askedAtMs: this.host.clock.monotonicMs(), timer: undefined };
    this.#entries.set(claims.sub, entry);
    this.#watch(entry);
    // What it imports comes first: it is complete, or as complete as can be, when somebody logs in.
    const waits: Promise<unknown>[] = [];
    for (const { claims: wanted } of claims.imports) {
      if (wanted === undefined || this.#entries.has(wanted.account)) continue;
      const tell = (loaded: Loaded): void => {
        if (!loaded.ok) this.host.log.debug(`Can't locate account [${wanted.account}] for import of [${wanted.subject}] ${wanted.kind} (err=${loaded.problem})`);
      };
      const loaded = this.load(wanted.account);
      if (loaded instanceof Promise) waits.push(loaded.then(tell));
      else tell(loaded);
    }
    const result = known(entry);
    if (waits.length > 0) return Promise.all(waits).then(() => this.host.entered(claims, before?.claims)).then(() => result);
    const entered = this.host.entered(claims, before?.claims);
    return entered instanceof Promise ? entered.then(() => result) : result;
  }

  #watch(entry: Entry): void {
    const { exp } = entry.claims;
    if (exp === 0) return;
    const leftMs = exp * 1000 - Number(this.host.clock.nowNs() / 1_000_000n);
    entry.timer = this.host.clock.after(Math.min(Math.max(0, leftMs), TIMER_MAX_MS), () => {
      if (leftMs > TIMER_MAX_MS) return this.#watch(entry);
      entry.isExpired = true;
      this.host.expired(entry.claims);
    });
  }
}

function known({ claims, isExpired }: Entry): Loaded {
  return { ok: true, claims, isExpired };
}

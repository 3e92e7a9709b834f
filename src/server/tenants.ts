/**
 * Accounts that come as tokens, made part of the server: what the book of claims says becomes accounts, imports and JetStream access, and every connection is
 * held against it. Spec: accounts and authentication, section 7.3.
 */
import { AccountBook, accountOptions, firstActivationEnd, MemoryResolver, type Resolver, ResolverError, review, Trust } from "../auth/operator/index.ts";
import { ClaimsService, StoredResolver, UrlResolver } from "../auth/resolver/index.ts";
import { type AccountOptions, type Options, type TlsOptions, withDomain } from "../config/index.ts";
import { type AccountClaims, allowsJetStream, type JetStreamClaims, temporaryAccount, validateAccount } from "../jwt/index.ts";
import type { AccountLimitsBody } from "../jetstream/index.ts";
import type { HttpTls, Timer } from "../platform/index.ts";
import { ClaimsDesk } from "./claims.ts";
import { peersOf } from "./lookup.ts";
import { isPublicKey } from "../util/nkeys.ts";
import type { Server } from "./server.ts";

/** Longest single timer; a later end is reached in steps. */
const STEP_MS = 86_400_000;

export class Tenants {
  readonly book: AccountBook;
  readonly #resolver: Resolver;
  #desk: ClaimsDesk | undefined = undefined;
  /** As the rest of the server knows them. */
  readonly #options = new Map<string, AccountOptions>();
  /** By claims, what they were made into. */
  #made = new WeakMap<AccountClaims, AccountOptions>();
  #activations: Timer | undefined = undefined;

  constructor(private readonly server: Server) {
    const { clock, log } = server;
    const trust = new Trust(server.options.operator);
    this.#resolver = makeResolver(server, trust);
    this.book = new AccountBook({ clock, log, entered: (now, before) => this.#entered(now, before), expired: (claims) => this.#expired(claims) }, this.#resolver, trust);
  }

  options(account: string): AccountOptions | undefined {
    return this.#options.get(account);
  }

  accounts(): Iterable<AccountOptions> {
    return this.#options.values();
  }

  /** Says what is odd about the preloads, and loads the accounts that must be there from the start: the system's and those that store messages. */
  async start(stored: readonly string[]): Promise<void> {
    const { operator, systemAccount } = this.server.options;
    this.#tellIssues();
    if (this.#resolver instanceof StoredResolver) this.#resolver.open();
    this.#storePreloads(operator.preloads);
    if (this.#resolver instanceof UrlResolver) await this.#resolver.check();
    if (isPublicKey(systemAccount, "account")) {
      const loaded = await this.book.load(systemAccount);
      if (!loaded.ok) await this.#standIn(systemAccount, loaded.problem);
    }
    this.#openDesk(systemAccount);
    const stores = [...operator.preloads].filter(([, claims]) => allowsJetStream(claims.limits)).map(([account]) => account);
    for (const account of new Set([...stores, ...stored])) await this.book.load(account);
  }

  /** A memory resolver has it or never will; with the others it may be pushed by its own users, who can log in to a stand-in. */
  async #standIn(systemAccount: string, problem: string): Promise<void> {
    if (this.#resolver instanceof MemoryResolver) throw new Error(`error resolving system account: ${problem}`);
    const { operators, trustedKeys } = this.server.options.operator;
    await this.book.enterTemporary(temporaryAccount(systemAccount, operators[0]?.sub ?? trustedKeys[0] ?? ""));
  }

  /** The system account's requests about tokens. */
  #openDesk(systemAccount: string): void {
    const account = this.server.account(systemAccount);
    if (account === undefined) return;
    const stored = this.#resolver instanceof StoredResolver ? this.#resolver : undefined;
    const { book } = this;
    const service = new ClaimsService(
      {
        trust: book.trust,
        get nowS() {
          return book.nowS;
        },
        systemAccount,
        isLoaded: (name) => book.claims(name) !== undefined,
        update: (name, token) => book.update(name, token),
        removed: (name) => this.#removed(name),
        tell: (problem) => this.server.log.error(problem),
      },
      stored,
    );
    this.#desk = new ClaimsDesk(this.server, account, service, stored);
  }

  /** Preloads go into the folder unless it has newer ones. */
  #storePreloads(preloads: ReadonlyMap<string, AccountClaims>): void {
    if (!(this.#resolver instanceof StoredResolver)) return;
    for (const [account, { token }] of preloads) {
      try {
        this.#resolver.offer(account, token);
      } catch (error) {
        this.server.log.error(`Storing preload for account ${account} failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  /** Its token was deleted: its clients go, its streams stop and stay on disk. */
  #removed(account: string): void {
    if (this.book.claims(account) === undefined) return;
    for (const link of this.#links(account)) link.closeWithError("Account Authentication Expired", "Authentication Expired");
    this.book.drop(account);
    this.#refresh();
    this.server.refreshJetStream().catch((error: unknown) => this.server.log.error(`Internal error: ${String(error)}`));
  }

  /** After a reload: what was preloaded may have changed, and accounts may be gone. */
  async reload(options: Options): Promise<void> {
    const { log } = this.server;
    this.#made = new WeakMap();
    if (this.#resolver instanceof MemoryResolver) this.#resolver.replace(tokensOf(options.operator.preloads));
    this.#storePreloads(options.operator.preloads);
    this.#tellIssues();
    for (const { sub } of this.book.all()) {
      const fresh = await this.#fetchAgain(sub);
      if (fresh !== undefined && (await this.book.update(sub, fresh)) === undefined) continue;
      // A stand-in stays until its token comes.
      if (fresh === undefined && sub === options.systemAccount) continue;
      log.info(`Reloaded: deleting account [${fresh === undefined ? "removed" : "bad claims"}]: ${JSON.stringify(sub)}`);
      this.book.drop(sub);
      this.#options.delete(sub);
      for (const link of this.#links(sub)) link.close("Client Closed");
    }
    this.#refresh();
    await this.server.refreshJetStream();
  }

  async #fetchAgain(account: string): Promise<string | undefined> {
    try {
      return await this.#resolver.fetch(account);
    } catch (error) {
      if (error instanceof ResolverError) return undefined;
      throw error;
    }
  }

  stop(): void {
    this.#desk?.stop();
    if (this.#resolver instanceof StoredResolver) this.#resolver.stop();
    this.#activations?.cancel();
    this.book.close();
  }

  /** Who may use JetStream, by tier. */
  *jetstreamTiers(): Iterable<[string, ReadonlyMap<string, AccountLimitsBody>]> {
    for (const { sub, limits } of this.book.all()) {
      if (sub === this.server.options.systemAccount || !allowsJetStream(limits)) continue;
      const tiers: Iterable<[string, JetStreamClaims]> = limits.tiers.size > 0 ? limits.tiers : [["", limits.jetStream]];
      yield [sub, new Map([...tiers].map(([tier, claims]) => [tier, limitsBody(claims)]))];
    }
  }

  #entered(now: AccountClaims, before: AccountClaims | undefined): void | Promise<void> {
    this.#refresh();
    if (before !== undefined) this.#recheck(now);
    const storesNow = allowsJetStream(now.limits);
    if (!storesNow && (before === undefined || !allowsJetStream(before.limits))) {
      const account = this.server.account(now.sub);
      if (account !== undefined) this.server.jetstream?.greet(account);
      return;
    }
    return this.server.refreshJetStream();
  }

  /** Holds the account's connections against its new claims. */
  #recheck(now: AccountClaims): void {
    for (const link of this.#links(now.sub)) {
      const { identity } = link;
      if (identity?.token === undefined) continue;
      const verdict = review(identity.token, now, this.book.trust.isStrict(now.iss));
      if (verdict.keep) link.admission.updatePermissions(verdict.permissions);
      else if (verdict.error === "") link.close(verdict.reason);
      else link.closeWithError(verdict.error, verdict.reason);
    }
    this.server.closeAccountSurplus();
  }

  #expired(claims: AccountClaims): void {
    for (const link of this.#links(claims.sub)) link.closeWithError("Account Authentication Expired", "Authentication Expired");
  }

  #links(account: string) {
    return [...this.server.connections.live.values()].filter((link) => link.identity?.account === account);
  }

  /** Makes the server's accounts what the book says, at once and when the next activation token ends. */
  #refresh(): void {
    const { nowS } = this.book;
    const exporter = (account: string): AccountClaims | undefined => this.book.claims(account);
    this.#options.clear();
    let next = 0;
    for (const claims of this.book.all()) {
      this.#options.set(claims.sub, this.#optionsOf(claims, exporter, nowS));
      const end = firstActivationEnd(claims, nowS);
      if (end > 0 && (next === 0 || end < next)) next = end;
    }
    this.server.updateAccounts();
    this.#activations?.cancel();
    this.#activations = next === 0 ? undefined : this.server.clock.after(Math.min(STEP_MS, Math.max(0, next * 1000 - Number(this.server.clock.nowNs() / 1_000_000n))), () => this.#refresh());
  }

  /** Those of an account without imports depend on nothing but its claims: with thousands of accounts, all but one are as they were. */
  #optionsOf(claims: AccountClaims, exporter: (account: string) => AccountClaims | undefined, nowS: number): AccountOptions {
    const known = claims.imports.length === 0 ? this.#made.get(claims) : undefined;
    if (known !== undefined) return known;
    const made = withDomain(accountOptions(claims, exporter, nowS), this.server.options);
    this.#made.set(claims, made);
    return made;
  }

  #tellIssues(): void {
    const { log, options } = this.server;
    for (const [account, claims] of options.operator.preloads) {
      const { texts } = validateAccount(claims, this.book.nowS);
      if (texts.length === 0) continue;
      log.warn(`Account [${account}] has validation issues:`);
      for (const text of texts) log.warn(`  - ${text}`);
    }
  }
}

/** Throws `Error` when a folder cannot be used. */
function makeResolver(server: Server, trust: Trust): Resolver {
  const { platform, log, options } = server;
  const { resolver, resolverTls, preloads } = options.operator;
  if (resolver?.kind === "url") return new UrlResolver(platform.http, resolver.url, resolverTls === undefined ? undefined : httpTls(resolverTls));
  if (resolver?.kind !== "full" && resolver?.kind !== "cache") return new MemoryResolver(tokensOf(preloads));
  return new StoredResolver({ disk: platform.disk, clock: platform.clock, log }, resolver, peersOf(server), (issuer) => trust.trusts(issuer));
}

function httpTls({ caPem, certificates, insecure }: TlsOptions): HttpTls {
  const [own] = certificates;
  return { ca: caPem, certificate: own?.certPem ?? "", key: own?.keyPem ?? "", insecure };
}

function tokensOf(preloads: ReadonlyMap<string, AccountClaims>): ReadonlyMap<string, string> {
  return new Map([...preloads].map(([account, { token }]) => [account, token]));
}

/** In these, 0 is no limit too. */
function bound(limit: number): number {
  return limit <= 0 ? -1 : limit;
}

function limitsBody(claims: JetStreamClaims): AccountLimitsBody {
  return {
    max_memory: claims.memStorage,
    max_storage: claims.diskStorage,
    max_streams: claims.streams,
    max_consumers: claims.consumers,
    max_ack_pending: bound(claims.maxAckPending),
    memory_max_stream_bytes: bound(claims.memMaxStreamBytes),
    storage_max_stream_bytes: bound(claims.diskMaxStreamBytes),
    max_bytes_required: claims.maxBytesRequired,
  };
}

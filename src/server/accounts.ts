/** The accounts of a server, made from the options and brought up to date at reload. */
import { Account, Exchange, GLOBAL_ACCOUNT, NO_LIMITS } from "../accounts/index.ts";
import type { AccountOptions, MappingOptions, Options } from "../config/index.ts";
import type { Clock, Random } from "../platform/index.ts";
import { type Mapping, SubjectMapper, SubjectTransform } from "../routing/index.ts";
import { InternalLink } from "../links/internal/index.ts";
import { Nuid } from "../util/nuid.ts";
import { toByteString } from "../util/bytes.ts";

/** How traces name an account as a peer. */
const KIND_ACCOUNT = 6;

export class Accounts {
  readonly byName = new Map<string, Account>();

  /** What was applied to an account last. */
  readonly #applied = new WeakMap<Account, AccountOptions>();
  readonly #exchange: Exchange;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    serverName: () => string,
  ) {
    let nuid: Nuid | undefined;
    this.#exchange = new Exchange({
      clock,
      random,
      serverName,
      nuid: () => (nuid ??= new Nuid((below) => random.integer(below))).next(),
      publish: (account, subject, payload) => clock.endOfTurn(() => new InternalLink(account, KIND_ACCOUNT, "ACCOUNT").publish(subject, "", "", payload)),
    });
  }

  get global(): Account {
    const account = this.byName.get(GLOBAL_ACCOUNT);
    if (account === undefined) throw new Error("the global account exists from the first update on");
    return account;
  }

  /** Makes, changes and removes accounts so that they are those of `options`, and `tenants`, which came as tokens. `clusterName` selects cluster-scoped mappings. */
  update(options: Options, clusterName: string, tenants: Iterable<AccountOptions>): void {
    const nowNs = this.clock.nowNs();
    const wanted = new Set([GLOBAL_ACCOUNT]);
    if (options.systemAccount !== "") wanted.add(options.systemAccount);
    this.#ensure(GLOBAL_ACCOUNT, options, nowNs).mapper = this.#mapper(options.mappings, clusterName);
    if (options.systemAccount !== "") this.#ensure(options.systemAccount, options, nowNs);
    const all = [...options.accounts, ...tenants];
    for (const configured of all) {
      wanted.add(configured.name);
      const account = this.#ensure(configured.name, options, nowNs);
      if (this.#applied.get(account) === configured) continue;
      this.#applied.set(account, configured);
      account.mapper = this.#mapper(configured.mappings, clusterName);
      account.limits = configured.limits;
      account.nkey = configured.nkey;
      account.traceDestination = configured.traceDestination;
      account.traceSampling = configured.traceSampling;
      account.updatedAtNs = nowNs;
    }
    for (const [name, account] of this.byName) {
      if (wanted.has(name)) continue;
      this.byName.delete(name);
      account.limits = NO_LIMITS;
    }
    this.#exchange.update(all, (name) => this.byName.get(name));
  }

  #ensure(name: string, options: Options, nowNs: bigint): Account {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    const account = new Account(name, name === options.systemAccount, options.disableSublistCache ? 0 : undefined);
    account.updatedAtNs = nowNs;
    this.byName.set(name, account);
    return account;
  }

  #mapper(mappings: readonly MappingOptions[], clusterName: string): SubjectMapper | undefined {
    if (mappings.length === 0) return undefined;
    return new SubjectMapper(
      mappings.map((mapping) => compileMapping(mapping, clusterName)),
      (below) => this.random.integer(below),
    );
  }
}

/** Destinations of this cluster where there are some, else those without a cluster; what they leave of 100 % stays where it was. */
function compileMapping(mapping: MappingOptions, clusterName: string): Mapping {
  const source = toByteString(mapping.source);
  const ours = mapping.destinations.filter((destination) => destination.cluster !== "" && destination.cluster === clusterName);
  const chosen = ours.length > 0 ? ours : mapping.destinations.filter((destination) => destination.cluster === "");
  const destinations = chosen.map((destination) => ({ transform: SubjectTransform.compile(source, toByteString(destination.subject)), weight: destination.weight }));
  const total = destinations.reduce((sum, destination) => sum + destination.weight, 0);
  const listsItself = chosen.some((destination) => destination.subject === mapping.source);
  if (total < 100 && !listsItself) destinations.push({ transform: SubjectTransform.identity(source), weight: 100 - total });
  return { source, destinations };
}

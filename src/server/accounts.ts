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
    for (const { name } of all) wanted.add(name);
    const gone = [...this.byName.keys()].filter((name) => !wanted.has(name));
    for (const name of gone) {
      const account = this.byName.get(name);
      this.byName.delete(name);
      if (account !== undefined) account.limits = NO_LIMITS;
    }
    this.#take(all, gone, options, clusterName);
  }

  /** Makes or changes these accounts, and leaves all others alone. */
  updateSome(changed: readonly AccountOptions[], options: Options, clusterName: string): void {
    this.#take(changed, [], options, clusterName);
  }

  #take(changed: readonly AccountOptions[], gone: readonly string[], options: Options, clusterName: string): void {
    const nowNs = this.clock.nowNs();
    for (const configured of changed) {
      const account = this.#ensure(configured.name, options, nowNs);
      account.mapper = this.#mapper(configured.mappings, clusterName);
      account.limits = configured.limits;
      account.nkey = configured.nkey;
      account.traceDestination = configured.traceDestination;
      account.traceSampling = configured.traceSampling;
      account.updatedAtNs = nowNs;
    }
    this.#exchange.update(changed, gone, (name) => this.byName.get(name));
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

/** /subsz: interest. Spec: monitoring, section 8. */
import type { Account } from "../accounts/index.ts";
import { type InterestStats, isValidLiteralSubject, subjectMatches, type Subscription } from "../routing/index.ts";
import { fromByteString, toByteString } from "../util/bytes.ts";
import { timestamp } from "../util/timestamp.ts";
import type { SubscriptionDetail } from "./connection.ts";
import { optional } from "./format.ts";
import { ParameterError, type Parameters } from "./params.ts";
import type { MonitorSource } from "./source.ts";

export interface SubszOptions {
  readonly offset: number;
  readonly limit: number;
  readonly subscriptions: boolean;
  /** Only this account, also for the statistics; empty: all. */
  readonly account: string;
  /** Only subscriptions that would receive this literal subject; empty: all. */
  readonly test: string;
}

/** Figures of one interest, or of several together. */
export interface SublistStats {
  readonly num_subscriptions: number;
  readonly num_cache: number;
  readonly num_inserts: number;
  readonly num_removes: number;
  readonly num_matches: number;
  readonly cache_hit_rate: number;
  readonly max_fanout: number;
  readonly avg_fanout: number;
}

export interface Subsz extends SublistStats {
  readonly server_id: string;
  readonly now: string;
  readonly total: number;
  readonly offset: number;
  readonly limit: number;
  readonly subscriptions_list?: readonly SubscriptionDetail[] | undefined;
}

const DEFAULT_LIMIT = 1024;

/** Reads the parameters, in the order in which wrong ones are told. */
export function subszOptions(parameters: Parameters): SubszOptions {
  return {
    subscriptions: parameters.boolean("subs"),
    offset: parameters.integer("offset"),
    limit: parameters.integer("limit"),
    test: parameters.text("test"),
    account: parameters.text("acc"),
  };
}

/** Throws `ParameterError` for a test subject that nobody could publish to. */
export function subsz(source: MonitorSource, options: SubszOptions): Subsz {
  const test = toByteString(options.test);
  if (test !== "" && !isValidLiteralSubject(test)) throw new ParameterError(`invalid test subject, must be valid publish subject: ${options.test}`);
  const accounts = [...source.accounts.byName.values()].filter((account) => options.account === "" || account.name === options.account);
  const offset = Math.max(0, options.offset);
  const limit = options.limit > 0 ? options.limit : DEFAULT_LIMIT;
  const found = options.subscriptions ? find(accounts, test, offset, limit) : { total: 0, page: [] };
  return {
    server_id: source.identity.id,
    now: timestamp(source.platform.clock.nowNs()),
    ...sublistStats(accounts.map((account) => account.interest.stats())),
    total: found.total,
    offset,
    limit,
    subscriptions_list: optional(found.page),
  };
}

/** Counts what is wanted and describes only the page. */
function find(accounts: readonly Account[], test: string, offset: number, limit: number): { readonly total: number; readonly page: readonly SubscriptionDetail[] } {
  const page: SubscriptionDetail[] = [];
  let total = 0;
  for (const account of accounts) {
    for (const subscription of account.interest.all()) {
      if (test !== "" && !subjectMatches(test, subscription.subject)) continue;
      if (total >= offset && page.length < limit) page.push(describe(account, subscription));
      total++;
    }
  }
  return { total, page };
}

function describe(account: Account, subscription: Subscription): SubscriptionDetail {
  return {
    account: account.name,
    account_tag: account.name,
    subject: fromByteString(subscription.subject),
    qgroup: optional(fromByteString(subscription.queue)),
    sid: fromByteString(subscription.sid),
    msgs: subscription.delivered,
    max: optional(subscription.max),
    cid: subscription.owner.describe().cid,
  };
}

/** Sums figures; the rates are over all of them together. */
export function sublistStats(all: readonly InterestStats[]): SublistStats {
  const sum = (pick: (stats: InterestStats) => number): number => all.reduce((total, stats) => total + pick(stats), 0);
  const matches = sum((stats) => stats.numMatches);
  const hits = sum((stats) => stats.cacheHits);
  // Fan-out is counted where a subject is looked up, not where it is found in the cache.
  const lookups = matches - hits;
  return {
    num_subscriptions: sum((stats) => stats.numSubscriptions),
    num_cache: sum((stats) => stats.numCache),
    num_inserts: sum((stats) => stats.numInserts),
    num_removes: sum((stats) => stats.numRemoves),
    num_matches: matches,
    cache_hit_rate: matches === 0 ? 0 : hits / matches,
    max_fanout: all.reduce((most, stats) => Math.max(most, stats.maxFanout), 0),
    avg_fanout: lookups === 0 ? 0 : sum((stats) => stats.totalFanout) / lookups,
  };
}

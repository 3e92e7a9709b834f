/**
 * What accounts give to each other, kept in step with their options. An update makes the imports that are new, ends those that are gone, and leaves the others
 * alone, with the answers they wait for. The rules are those of `config/exchange.ts`; an import they do not allow is not made. An update costs what the accounts
 * that changed and their importers cost, however many others there are: operators have thousands of accounts, which arrive one by one.
 */
import { cycleProblem, type ExchangeParty, type ExportOptions, exportFor, type ImportOptions, type ImportRoute, type ImportStep, routeOf } from "../../config/index.ts";
import type { Clock, Random } from "../../platform/index.ts";
import { TransformError } from "../../routing/index.ts";
import type { Account } from "../account.ts";
import { LatencyMeter } from "./latency.ts";
import { Responses } from "./responses.ts";
import { ServiceImport } from "./services.ts";
import { StreamImport, StreamImports } from "./streams.ts";
import { Waiting } from "./waiting.ts";

/** How long a service may take when its export does not say. */
const RESPONSE_THRESHOLD_MS = 120_000;

export interface ExchangeHost {
  readonly clock: Clock;
  readonly random: Random;
  serverName(): string;
  nuid(): string;
  /** Publishes in an account, after what is going on now. Byte strings. */
  publish(account: Account, subject: string, payload: string): void;
}

type AccountByName = (name: string) => Account | undefined;

interface Live {
  readonly kind: ImportOptions["kind"];
  readonly route: ImportRoute;
  readonly importer: Account;
  readonly exporter: Account;
  close(): void;
}

/** An import that is allowed; whether it would close a circle is seen when it is made. */
interface Wanted {
  readonly kind: ImportOptions["kind"];
  readonly exporter: string;
  readonly source: string;
  make(): Live;
}

export class Exchange {
  readonly #parties = new Map<string, ExchangeParty>();
  /** Who imports something, by the name of the account it comes from. */
  readonly #importers = new Map<string, Set<string>>();
  /** Imports of an account, by everything that makes an import what it is. */
  readonly #live = new Map<string, Map<string, Live>>();
  readonly #streams = new Map<Account, StreamImports>();
  readonly #responses = new Map<Account, Responses>();
  readonly #waiting = new Map<Account, Waiting>();
  #lastSid = 0;

  constructor(private readonly host: ExchangeHost) {}

  /** Takes up accounts that are new or changed, and that others are `gone`. `account` finds the account of a name. */
  update(changed: readonly ExchangeParty[], gone: readonly string[], account: AccountByName): void {
    const touched = new Set<string>();
    for (const name of gone) {
      this.#enlist(name, undefined);
      touched.add(name);
    }
    for (const party of changed) {
      this.#enlist(party.name, party);
      touched.add(party.name);
    }
    const affected = new Set(touched);
    for (const name of touched) for (const importer of this.#importers.get(name) ?? []) affected.add(importer);
    for (const name of affected) this.#prune(name, account);
    // Who waits for it goes first: of imports in a circle the one that closes it is not made.
    for (const name of [...affected].reverse()) this.#bring(name, account);
    if (gone.length > 0) this.#forget(account);
  }

  /** Lets go of accounts that are not there any more. */
  #forget(account: AccountByName): void {
    for (const [holder, responses] of this.#responses) {
      if (account(holder.name) === holder) continue;
      this.#responses.delete(holder);
      responses.close();
    }
    for (const holder of this.#waiting.keys()) if (account(holder.name) !== holder) this.#waiting.delete(holder);
  }

  #enlist(name: string, party: ExchangeParty | undefined): void {
    for (const before of this.#parties.get(name)?.imports ?? []) this.#importers.get(before.account)?.delete(name);
    if (party === undefined) this.#parties.delete(name);
    else this.#parties.set(name, party);
    for (const { account } of party?.imports ?? []) {
      const importers = this.#importers.get(account);
      if (importers === undefined) this.#importers.set(account, new Set([name]));
      else importers.add(name);
    }
  }

  /** Ends what one account should not have. */
  #prune(name: string, account: AccountByName): void {
    const live = this.#live.get(name);
    if (live === undefined) return;
    const wanted = this.#wantedBy(name, account);
    for (const [key, each] of live) {
      if (wanted.has(key) && account(each.importer.name) === each.importer && account(each.exporter.name) === each.exporter) continue;
      live.delete(key);
      each.close();
    }
    if (live.size === 0) this.#live.delete(name);
  }

  /** Makes what one account should have and has not. */
  #bring(name: string, account: AccountByName): void {
    for (const [key, { kind, exporter, source, make }] of this.#wantedBy(name, account)) {
      const live = this.#live.get(name) ?? new Map<string, Live>();
      if (live.has(key) || cycleProblem(name, exporter, source, (other) => this.#stepsOf(other, kind)) !== undefined) continue;
      this.#live.set(name, live.set(key, make()));
    }
  }

  *#stepsOf(name: string, kind: Live["kind"]): Iterable<ImportStep> {
    for (const live of this.#live.get(name)?.values() ?? []) if (live.kind === kind) yield { account: live.exporter.name, local: live.route.local, source: live.route.source };
  }

  #wantedBy(name: string, account: AccountByName): ReadonlyMap<string, Wanted> {
    const wanted = new Map<string, Wanted>();
    const to = account(name);
    for (const each of this.#parties.get(name)?.imports ?? []) {
      const exporter = this.#parties.get(each.account);
      const offer = exporter === undefined ? undefined : exportFor(exporter, name, each.kind, each.subject);
      const route = offer === undefined ? undefined : routeIfAny(each);
      const from = account(each.account);
      if (offer === undefined || route === undefined || from === undefined || to === undefined) continue;
      // Who else may have it is no part of it, and may be a long list.
      wanted.set(JSON.stringify([each, { ...offer, accounts: undefined }]), { kind: each.kind, exporter: each.account, source: route.source, make: () => ({ kind: each.kind, route, importer: to, exporter: from, close: this.#make(to, from, each, offer, route) }) });
    }
    return wanted;
  }

  /** Returns how to end it. */
  #make(importer: Account, exporter: Account, wanted: ImportOptions, offer: ExportOptions, route: ImportRoute): () => void {
    if (wanted.kind === "stream") return this.#makeStream(importer, exporter, route, wanted.allowTrace);
    const rule = { responseType: offer.responseType, thresholdMs: offer.responseThresholdMs > 0 ? offer.responseThresholdMs : RESPONSE_THRESHOLD_MS };
    const doors = { nowMs: () => this.host.clock.monotonicMs(), serverName: () => this.host.serverName(), responsesOf: (account: Account) => this.#responsesOf(account), waitingOf: (account: Account) => this.#waitingOf(account) };
    const { clock, random } = this.host;
    const latencyDoors = { clock, random, serverName: () => this.host.serverName(), nuid: () => this.host.nuid(), publish: (subject: string, payload: string) => this.host.publish(exporter, subject, payload) };
    const meter = offer.latency === undefined ? undefined : new LatencyMeter(offer.latency, wanted.share, latencyDoors);
    const service = new ServiceImport({ importer, exporter, route, share: wanted.share, offer, rule, allowTrace: offer.allowTrace, meter }, doors, String(++this.#lastSid));
    return () => service.close();
  }

  #makeStream(importer: Account, exporter: Account, route: ImportRoute, allowTrace: boolean): () => void {
    const stream = new StreamImport(exporter.interest, importer.name, route, allowTrace);
    let streams = this.#streams.get(importer);
    if (streams === undefined) {
      streams = new StreamImports(importer.interest);
      this.#streams.set(importer, streams);
    }
    const owner = streams;
    owner.add(stream);
    return () => this.#endStream(importer, owner, stream);
  }

  #endStream(importer: Account, streams: StreamImports, stream: StreamImport): void {
    streams.remove(stream);
    if (streams.size > 0) return;
    streams.close();
    this.#streams.delete(importer);
  }

  #waitingOf(account: Account): Waiting {
    let waiting = this.#waiting.get(account);
    if (waiting === undefined) this.#waiting.set(account, (waiting = new Waiting(account)));
    return waiting;
  }

  #responsesOf(account: Account): Responses {
    let responses = this.#responses.get(account);
    if (responses === undefined) {
      responses = new Responses(account, { clock: this.host.clock, random: this.host.random, serverName: () => this.host.serverName(), responsesOf: (other) => this.#responsesOf(other), waitingOf: (other) => this.#waitingOf(other) });
      this.#responses.set(account, responses);
    }
    return responses;
  }
}

/** Undefined when its subjects cannot be mapped to each other. */
function routeIfAny(wanted: ImportOptions): ImportRoute | undefined {
  try {
    return routeOf(wanted);
  } catch (error) {
    if (error instanceof TransformError) return undefined;
    throw error;
  }
}

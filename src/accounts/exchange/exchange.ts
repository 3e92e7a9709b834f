/**
 * What accounts give to each other, kept in step with their options. An update makes the imports that are new, ends those that are gone, and leaves the others
 * alone, with the answers they wait for. The rules are those of `config/exchange.ts`; an import they do not allow is not made.
 */
import { type ExchangeParty, type ExportOptions, exportFor, type ImportOptions, type ImportRoute, routeOf } from "../../config/index.ts";
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

interface Live {
  readonly importer: Account;
  readonly exporter: Account;
  close(): void;
}

export class Exchange {
  /** By everything that makes an import what it is. */
  readonly #live = new Map<string, Live>();
  readonly #streams = new Map<Account, StreamImports>();
  readonly #responses = new Map<Account, Responses>();
  readonly #waiting = new Map<Account, Waiting>();
  #lastSid = 0;

  constructor(private readonly host: ExchangeHost) {}

  /** Makes the imports of `parties` those that exist. `account` finds the account of a name. */
  update(parties: readonly ExchangeParty[], account: (name: string) => Account | undefined): void {
    const byName = new Map(parties.map((party) => [party.name, party]));
    const wanted = new Map<string, () => Live>();
    for (const party of parties) {
      for (const each of party.imports) {
        const exporter = byName.get(each.account);
        const offer = exporter === undefined ? undefined : exportFor(exporter, party.name, each.kind, each.subject);
        const route = offer === undefined ? undefined : routeIfAny(each);
        const from = account(each.account);
        const to = account(party.name);
        if (offer === undefined || route === undefined || from === undefined || to === undefined) continue;
        wanted.set(JSON.stringify([party.name, each, offer]), () => this.#make(to, from, each, offer, route));
      }
    }
    for (const [key, live] of this.#live) {
      if (wanted.has(key) && account(live.importer.name) === live.importer && account(live.exporter.name) === live.exporter) continue;
      this.#live.delete(key);
      live.close();
    }
    for (const [key, make] of wanted) if (!this.#live.has(key)) this.#live.set(key, make());
    for (const [holder, responses] of this.#responses) {
      if (account(holder.name) === holder) continue;
      this.#responses.delete(holder);
      responses.close();
      this.#waiting.delete(holder);
    }
  }

  #make(importer: Account, exporter: Account, wanted: ImportOptions, offer: ExportOptions, route: ImportRoute): Live {
    if (wanted.kind === "stream") return this.#makeStream(importer, exporter, route, wanted.allowTrace);
    const rule = { responseType: offer.responseType, thresholdMs: offer.responseThresholdMs > 0 ? offer.responseThresholdMs : RESPONSE_THRESHOLD_MS };
    const doors = { nowMs: () => this.host.clock.monotonicMs(), serverName: () => this.host.serverName(), responsesOf: (account: Account) => this.#responsesOf(account), waitingOf: (account: Account) => this.#waitingOf(account) };
    const { clock, random } = this.host;
    const latencyDoors = { clock, random, serverName: () => this.host.serverName(), nuid: () => this.host.nuid(), publish: (subject: string, payload: string) => this.host.publish(exporter, subject, payload) };
    const meter = offer.latency === undefined ? undefined : new LatencyMeter(offer.latency, wanted.share, latencyDoors);
    const service = new ServiceImport({ importer, exporter, route, share: wanted.share, offer, rule, allowTrace: offer.allowTrace, meter }, doors, String(++this.#lastSid));
    return { importer, exporter, close: () => service.close() };
  }

  #makeStream(importer: Account, exporter: Account, route: ImportRoute, allowTrace: boolean): Live {
    const stream = new StreamImport(exporter.interest, importer.name, route, allowTrace);
    let streams = this.#streams.get(importer);
    if (streams === undefined) {
      streams = new StreamImports(importer.interest);
      this.#streams.set(importer, streams);
    }
    const owner = streams;
    owner.add(stream);
    return { importer, exporter, close: () => this.#endStream(importer, owner, stream) };
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

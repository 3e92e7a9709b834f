/**
 * The endpoints of monitoring as services: the same functions, asked by JSON. Options have other names here than as parameters of a URL; the tables say which.
 * Spec: monitoring, sections 3 to 12 and 15.
 */
import {
  accountz,
  accstatz,
  connz,
  type ConnzOptions,
  expvar,
  gatewayz,
  healthz,
  healthzOptions,
  ipqueuesz,
  jsz,
  jszOptions,
  leafz,
  NotLeaderError,
  ParameterError,
  Parameters,
  checkedSort,
  RaftzError,
  raftz,
  routez,
  subsz,
  varz,
} from "../monitor/index.ts";
import type { SystemHost } from "./host.ts";
import { profilez } from "./profilez.ts";
import { type RequestBody, ServiceError } from "./request.ts";

/** The data of an answer, or a promise of it; undefined: there is none. Throws `ServiceError`. */
export type Endpoint = (source: SystemHost, body: RequestBody) => unknown;

/** An account's own services: the account is in the subject. */
export type AccountEndpoint = (source: SystemHost, body: RequestBody, account: string) => unknown;

/** What the reference calls the options of a server's endpoint. */
export function optionsOf(name: string): string {
  return `${name.slice(0, 1)}${name.slice(1).toLowerCase()}EventOptions`;
}

/** The same for an account's endpoint. */
export function accountOptionsOf(name: string): string {
  return name === "INFO" ? "AccInfoEventOptions" : name === "STATZ" ? "AccountStatzEventOptions" : optionsOf(name);
}

export const SERVER_ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ["VARZ", (source) => varz(source)],
  ["SUBSZ", (source, body) => typed(() => subsz(source, subszOf(body, body.text("account"), body.flag("subscriptions"))))],
  ["CONNZ", (source, body) => typed(() => connz(source, connzOf(body, body.text("acc"))))],
  ["ROUTEZ", (source) => routez(source)],
  ["GATEWAYZ", (source, body) => gatewayz(source, { name: body.text("name"), accounts: body.flag("accounts"), accountName: body.text("account_name"), subscriptions: wanted(body) })],
  ["LEAFZ", (source, body) => leafz(source, { subscriptions: body.flag("subscriptions"), account: body.text("account") })],
  ["ACCOUNTZ", (source, body) => typed(() => accountz(source, body.text("account")))],
  ["JSZ", (source, body) => leaderOnly(() => jsz(source, jszOf(body, body.text("account"), body.flag("accounts"))))],
  [
    "HEALTHZ",
    (source, body) => {
      const { status, code, ...rest } = healthz(source, healthzOptions(parameters(body, ["details", "js-enabled", "js-enabled-only", "js-server-only", "js-meta-only"], ["account", "stream", "consumer"])));
      return { status, status_code: code, ...rest };
    },
  ],
  ["PROFILEZ", profilez],
  ["EXPVARZ", (source) => expvarz(source)],
  ["IPQUEUESZ", (_, body) => ipqueuesz({ all: body.flag("all"), filter: body.text("filter") })],
  ["RAFTZ", (_, body) => noRaft(() => raftz({ account: body.text("account"), group: body.text("group") }))],
]);

export const ACCOUNT_ENDPOINTS: ReadonlyMap<string, AccountEndpoint> = new Map<string, AccountEndpoint>([
  ["SUBSZ", (source, body, account) => typed(() => subsz(source, subszOf(body, account, true)))],
  ["CONNZ", (source, body, account) => typed(() => connz(source, connzOf(body, account)))],
  ["LEAFZ", (source, body, account) => leafz(source, { subscriptions: body.flag("subscriptions"), account })],
  ["INFO", (source, _, account) => typed(() => accountz(source, account).account_detail)],
  ["JSZ", (source, body, account) => accountJsz(source, body, account)],
  [
    "STATZ",
    (source, body, account) => {
      const includeUnused = body.flag("include_unused");
      const found = accstatz(source, { accounts: [account], includeUnused });
      return found.account_statz.length === 0 && !includeUnused ? undefined : found;
    },
  ],
]);

/** Statistics of several accounts at once. */
export function accountsStatz(source: SystemHost, body: RequestBody): unknown {
  const found = accstatz(source, { accounts: body.texts("accounts"), includeUnused: body.flag("include_unused") });
  return found.account_statz.length === 0 ? undefined : found;
}

function subszOf(body: RequestBody, account: string, subscriptions: boolean): Parameters_<typeof subsz> {
  return { offset: body.number("offset"), limit: body.number("limit"), subscriptions, account, test: body.text("test") };
}

type Parameters_<F extends (source: never, options: never) => unknown> = F extends (source: never, options: infer O) => unknown ? O : never;

const STATES = ["open", "closed", "all"] as const;

/** Throws `ParameterError`. */
function connzOf(body: RequestBody, account: string): ConnzOptions {
  const state = STATES[body.number("state", "server.ConnState")] ?? "none";
  const filterSubject = body.text("filter_subject");
  if (filterSubject !== "" && account === "") throw new ParameterError("filter by subject only valid with account filtering");
  return {
    sort: checkedSort(body.text("sort", "server.SortOpt"), state),
    auth: body.flag("auth"),
    subscriptions: wanted(body),
    offset: body.number("offset"),
    limit: body.number("limit"),
    cid: body.number("cid", "uint64"),
    state,
    user: body.text("user"),
    account,
    mqttClient: body.text("mqtt_client"),
    filterSubject: filterSubject === ">" ? "" : filterSubject,
  };
}

function jszOf(body: RequestBody, account: string, accounts: boolean): Parameters_<typeof jsz> {
  return {
    ...jszOptions(new Parameters(new Map())),
    account,
    accounts,
    streams: body.flag("streams"),
    consumers: body.flag("consumer"),
    directConsumers: body.flag("direct_consumer"),
    config: body.flag("config"),
    leaderOnly: body.flag("leader_only"),
    offset: body.number("offset"),
    limit: body.number("limit"),
    raft: body.flag("raft"),
    streamLeaderOnly: body.flag("stream_leader_only"),
  };
}

function accountJsz(source: SystemHost, body: RequestBody, account: string): unknown {
  if (source.jetstream === undefined) throw new ServiceError(500, "jetstream not enabled", true);
  if (source.account(account) === undefined) throw new ServiceError(500, `account ${JSON.stringify(account)} not found`, true);
  if (!source.jetstream.accounts.has(account)) throw new ServiceError(500, `account ${JSON.stringify(account)} not jetstream enabled`, true);
  const details = jsz(source, jszOf(body, account, true));
  return "account_details" in details ? details.account_details?.[0] : undefined;
}

/** Options of a request as parameters, for endpoints that name them alike. */
function parameters(body: RequestBody, flags: readonly string[], texts: readonly string[]): Parameters {
  return new Parameters(new Map([...flags.map((name) => [name, body.flag(name) ? "true" : ""] as const), ...texts.map((name) => [name, body.text(name)] as const)]));
}

function typed<T>(answer: () => T): T {
  try {
    return answer();
  } catch (error) {
    if (error instanceof ParameterError) throw new ServiceError(500, error.message, true);
    throw error;
  }
}

/** Who is not the leader keeps silent. */
function leaderOnly<T>(answer: () => T): T | undefined {
  try {
    return answer();
  } catch (error) {
    if (error instanceof NotLeaderError) return undefined;
    throw error;
  }
}

function noRaft<T>(answer: () => T): T | object {
  try {
    return answer();
  } catch (error) {
    if (error instanceof RaftzError) return {};
    throw error;
  }
}

function expvarz(source: SystemHost): unknown {
  const { memstats, cmdline } = expvar(source);
  return { memstats, cmdline };
}

function wanted(body: RequestBody): ConnzOptions["subscriptions"] {
  return body.flag("subscriptions_detail") ? "detail" : body.flag("subscriptions") ? "list" : "none";
}

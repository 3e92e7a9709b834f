/**
 * /connz: connections, open and closed. Selecting, sorting and paging work on light rows that borrow from the connection; only the rows of the page become
 * entries, so that one page of many thousand connections costs little. Spec: monitoring, section 4.
 */
import type { ClientLink } from "../links/index.ts";
import { subjectsOverlap } from "../routing/index.ts";
import { timestamp } from "../util/timestamp.ts";
import { closedRow, type ConnectionRow, type ConnzEntry, entryOf, openRow } from "./connection.ts";
import { ParameterError, type Parameters, type SubscriptionsWanted } from "./params.ts";
import type { MonitorSource } from "./source.ts";

export interface ConnzOptions {
  readonly sort: string;
  /** Whether to tell who the clients are. */
  readonly auth: boolean;
  readonly subscriptions: SubscriptionsWanted;
  readonly offset: number;
  readonly limit: number;
  /** Only this connection; 0: all. */
  readonly cid: number;
  /** `none`: a state that does not exist, of which there are no connections. */
  readonly state: "open" | "closed" | "all" | "none";
  readonly user: string;
  readonly account: string;
  readonly mqttClient: string;
  /** Only open connections with a subscription that overlaps; empty: no filter. Needs an account. */
  readonly filterSubject: string;
}

export interface Connz {
  readonly server_id: string;
  readonly now: string;
  readonly num_connections: number;
  readonly total: number;
  readonly offset: number;
  readonly limit: number;
  readonly connections: readonly ConnzEntry[] | null;
}

const DEFAULT_LIMIT = 1024;

/** Reads the parameters, in the order in which wrong ones are told. */
export function connzOptions(parameters: Parameters): ConnzOptions {
  return {
    auth: parameters.boolean("auth"),
    subscriptions: parameters.subscriptions(),
    offset: parameters.integer("offset"),
    limit: parameters.integer("limit"),
    cid: parameters.unsigned("cid"),
    state: connectionState(parameters.text("state")),
    sort: checkedSort(parameters.text("sort"), parameters.text("state")),
    user: parameters.text("user"),
    account: parameters.text("acc"),
    mqttClient: parameters.text("mqtt_client"),
    filterSubject: "",
  };
}

function connectionState(text: string): ConnzOptions["state"] {
  switch (text.toLowerCase()) {
    case "":
    case "open":
      return "open";
    case "closed":
      return "closed";
    case "any":
    case "all":
      return "all";
    default:
      throw new ParameterError(`Error decoding state for ${text}`);
  }
}

type Comparison = (a: ConnectionRow, b: ConnectionRow) => number;

function orders(nowNs: bigint): Readonly<Record<string, Comparison>> {
  const nowMs = Number(nowNs) / 1e6;
  // Milliseconds as doubles tell times apart to the microsecond, and compare much faster than big integers.
  const startMs = (row: ConnectionRow): number => Number(row.startedAtNs) / 1e6;
  const endMs = (row: ConnectionRow): number => (row.closedAtNs === undefined ? nowMs : Number(row.closedAtNs) / 1e6);
  return {
    cid: (a, b) => a.id - b.id,
    start: (a, b) => a.id - b.id,
    subs: (a, b) => b.subscriptionCount - a.subscriptionCount,
    pending: (a, b) => b.pendingBytes - a.pendingBytes,
    msgs_to: (a, b) => b.outMsgs - a.outMsgs,
    msgs_from: (a, b) => b.inMsgs - a.inMsgs,
    bytes_to: (a, b) => b.outBytes - a.outBytes,
    bytes_from: (a, b) => b.inBytes - a.inBytes,
    last: (a, b) => b.lastActivityMs - a.lastActivityMs,
    idle: (a, b) => endMs(b) - b.lastActivityMs - (endMs(a) - a.lastActivityMs),
    uptime: (a, b) => endMs(a) - startMs(a) - (endMs(b) - startMs(b)),
    stop: (a, b) => endMs(b) - endMs(a),
    reason: (a, b) => (a.reason < b.reason ? -1 : a.reason > b.reason ? 1 : 0),
    rtt: (a, b) => b.rttNs - a.rttNs,
  };
}

const SORT_NAMES: ReadonlySet<string> = new Set(Object.keys(orders(0n)));

/** The sort option, checked against the state; empty means by id. Throws `ParameterError`. */
export function checkedSort(sort: string, state: string): string {
  if (sort === "") return "cid";
  if (!SORT_NAMES.has(sort)) throw new ParameterError(`invalid sorting option: ${sort}`);
  if ((sort === "stop" || sort === "reason") && connectionState(state) !== "closed") throw new ParameterError(`sort by ${sort} only valid on closed connections`);
  return sort;
}

export function connz(source: MonitorSource, options: ConnzOptions): Connz {
  const nowNs = source.platform.clock.nowNs();
  const limit = options.cid > 0 ? 1 : options.limit > 0 ? options.limit : DEFAULT_LIMIT;
  const offset = Math.max(options.offset, 0);
  if (options.account !== "" && !source.accounts.byName.has(options.account)) {
    return { server_id: "", now: timestamp(nowNs), num_connections: 0, total: 0, offset, limit, connections: null };
  }
  const population = [...openRows(source, options), ...closedRows(source, options)];
  let rows = population.filter((row) => isWanted(row, options));
  // A connection that is open hides a closed one of the same id.
  if (options.cid > 0) rows = rows.slice(0, 1);
  else rows.sort(orders(nowNs)[options.sort]);
  const page = rows.slice(offset, offset + limit);
  for (const row of page) measureOnce(row.link);
  const zoneMinutes = source.platform.clock.zoneOffsetMinutes(Number(nowNs / 1_000_000n));
  const connections = page.map((row) => entryOf(row, { nowNs, zoneMinutes, auth: options.auth, subscriptions: options.subscriptions }));
  return { server_id: source.identity.id, now: timestamp(nowNs), num_connections: connections.length, total: population.length, offset, limit, connections };
}

function openRows(source: MonitorSource, options: ConnzOptions): ConnectionRow[] {
  if (options.state === "closed" || options.state === "none") return [];
  const rows: ConnectionRow[] = [];
  for (const link of source.connections.live.values()) {
    if (options.account === "" || link.account.name === options.account) rows.push(openRow(link));
  }
  return rows;
}

/** Records of the global account name no account, so that asking for its closed connections finds none, as in the reference. */
function closedRows(source: MonitorSource, options: ConnzOptions): ConnectionRow[] {
  if (options.state === "open" || options.state === "none") return [];
  const closed = source.connections.closed();
  return (options.account === "" ? closed : closed.filter((record) => record.account === options.account)).map(closedRow);
}

function isWanted(row: ConnectionRow, options: ConnzOptions): boolean {
  if (options.cid > 0 && row.id !== options.cid) return false;
  if (options.user !== "" && row.user() !== options.user) return false;
  // No connection speaks MQTT here, so none has a client id.
  if (options.mqttClient !== "") return false;
  if (options.filterSubject === "" || options.filterSubject === ">" || row.link === undefined) return true;
  for (const subscription of row.link.subscriptions.values()) if (subjectsOverlap(subscription.subject, options.filterSubject)) return true;
  return false;
}

/** Reading about a client that says what it is, and whose distance is not known yet, measures it for the next time. */
function measureOnce(link: ClientLink | undefined): void {
  if (link !== undefined && link.heartbeat.rttNs === 0 && link.connect.lang !== "") link.heartbeat.measure();
}


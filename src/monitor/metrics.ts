/**
 * /metrics: the figures of the other endpoints for Prometheus, without an exporter beside the server. Names and labels are those of the well-known
 * `prometheus-nats-exporter`, so that dashboards and alerts made for it go on working; `server_id` is the server's name, which outlives a restart (the
 * exporter's `-use_internal_server_name`). Text format 0.0.4. What is ours alone begins with `process_` or `nats_bun_`.
 */
import { OWN_VERSION, VERSION } from "../util/version.ts";
import { accstatz } from "./accstatz.ts";
import { healthz } from "./healthz.ts";
import { jsz } from "./jsz.ts";
import { DELAY_BUCKETS_S } from "./loopdelay.ts";
import { leafz } from "./leafz.ts";
import { type Labels, MetricsText } from "./metricstext.ts";
import { routez } from "./routez.ts";
import type { MonitorSource } from "./source.ts";
import { subsz } from "./subsz.ts";
import { varz } from "./varz.ts";

export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Texts of /varz that become a series with the text as label `value`. */
const VARZ_TEXTS: ReadonlySet<string> = new Set(["server_id", "server_name", "version", "cluster_name"]);
/** Times of /varz that become milliseconds since the epoch. */
const VARZ_TIMES: ReadonlySet<string> = new Set(["start", "config_load_time"]);

const HELP: Readonly<Record<string, string>> = {
  gnatsd_varz_connections: "Client connections now open.",
  gnatsd_varz_total_connections: "Client connections accepted since the start.",
  gnatsd_varz_in_msgs: "Messages received since the start.",
  gnatsd_varz_out_msgs: "Messages sent since the start.",
  gnatsd_varz_in_bytes: "Payload bytes received since the start.",
  gnatsd_varz_out_bytes: "Payload bytes sent since the start.",
  gnatsd_varz_mem: "Resident memory, bytes.",
  gnatsd_varz_cpu: "Processor time used lately, percent of one core.",
  gnatsd_varz_subscriptions: "Subscriptions of all accounts.",
  gnatsd_varz_slow_consumers: "Connections closed since the start because they did not keep up.",
  gnatsd_varz_start: "When the server started, milliseconds since the epoch.",
};

export function metrics(source: MonitorSource): string {
  const text = new MetricsText({ server_id: source.identity.name }, HELP);
  varzMetrics(text, source);
  connzMetrics(text, source);
  subszMetrics(text, source);
  linkMetrics(text, source);
  accountMetrics(text, source);
  healthMetrics(text, source);
  jetstreamMetrics(text, source);
  processMetrics(text, source);
  return text.toString();
}

function varzMetrics(text: MetricsText, source: MonitorSource): void {
  flatten("", varz(source), (path, value) => {
    const name = `gnatsd_varz_${path}`;
    if (typeof value === "number") text.gauge(name, value);
    else if (VARZ_TEXTS.has(path)) text.gauge(name, 1, { value });
    else if (VARZ_TIMES.has(path)) text.gauge(name, Date.parse(value));
  });
}

/** Calls `each` for every number and text, its path joined with `_`; lists are left out. */
function flatten(path: string, value: unknown, each: (path: string, value: number | string) => void): void {
  if (typeof value === "number" || typeof value === "string") return each(path, value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  for (const [key, inner] of Object.entries(value)) flatten(path === "" ? key : `${path}_${wordOf(key)}`, inner, each);
}

/** A key as part of a metric's name: `/debug/vars` becomes `debug_vars`, `/` becomes `root`. */
function wordOf(key: string): string {
  return key === "/" ? "root" : key.replace(/^\//, "").replace(/[^A-Za-z0-9_]/g, "_");
}

/** Sums over all open connections, where the exporter sums one page. */
function connzMetrics(text: MetricsText, { connections }: MonitorSource): void {
  const sum = { pendingBytes: 0, subscriptions: 0, inMsgs: 0, inBytes: 0, outMsgs: 0, outBytes: 0 };
  for (const link of connections.live.values()) {
    sum.pendingBytes += link.outbound.pending;
    sum.subscriptions += link.subscriptions.size;
    sum.inMsgs += link.inMsgs;
    sum.inBytes += link.inBytes;
    sum.outMsgs += link.outMsgs;
    sum.outBytes += link.outBytes;
  }
  text.gauge("gnatsd_connz_num_connections", connections.live.size);
  text.gauge("gnatsd_connz_total", connections.live.size);
  text.gauge("gnatsd_connz_offset", 0);
  text.gauge("gnatsd_connz_limit", 1024);
  text.gauge("gnatsd_connz_pending_bytes", sum.pendingBytes);
  text.gauge("gnatsd_connz_subscriptions", sum.subscriptions);
  text.gauge("gnatsd_connz_in_msgs", sum.inMsgs);
  text.gauge("gnatsd_connz_in_bytes", sum.inBytes);
  text.gauge("gnatsd_connz_out_msgs", sum.outMsgs);
  text.gauge("gnatsd_connz_out_bytes", sum.outBytes);
}

function subszMetrics(text: MetricsText, source: MonitorSource): void {
  const { server_id, now: _now, subscriptions_list: _list, ...figures } = subsz(source, { offset: 0, limit: 0, subscriptions: false, account: "", test: "" });
  text.gauge("gnatsd_subsz_server_id", 1, { value: server_id });
  for (const [name, value] of Object.entries(figures)) text.gauge(`gnatsd_subsz_${name}`, value);
}

function linkMetrics(text: MetricsText, source: MonitorSource): void {
  const routes = routez(source);
  text.gauge("gnatsd_routez_num_routes", routes.num_routes);
  text.gauge("gnatsd_routez_server_id", 1, { value: routes.server_id });
  text.gauge("gnatsd_routez_server_name", 1, { value: routes.server_name });
  text.gauge("gnatsd_leafz_conn_nodes_total", leafz(source, { subscriptions: false, account: "" }).leafnodes);
}

function accountMetrics(text: MetricsText, source: MonitorSource): void {
  const { account_statz: stats } = accstatz(source, { accounts: [], includeUnused: true });
  for (const stat of stats) {
    const labels: Labels = { account: stat.acc, account_id: stat.acc, account_name: stat.name };
    text.gauge("gnatsd_accstatz_current_connections", stat.conns, labels);
    text.gauge("gnatsd_accstatz_total_connections", stat.total_conns, labels);
    text.gauge("gnatsd_accstatz_leaf_nodes", stat.leafnodes, labels);
    text.gauge("gnatsd_accstatz_subscriptions", stat.num_subscriptions, labels);
    text.gauge("gnatsd_accstatz_sent_messages", stat.sent.msgs, labels);
    text.gauge("gnatsd_accstatz_sent_bytes", stat.sent.bytes, labels);
    text.gauge("gnatsd_accstatz_received_messages", stat.received.msgs, labels);
    text.gauge("gnatsd_accstatz_received_bytes", stat.received.bytes, labels);
    text.gauge("gnatsd_accstatz_slow_consumers", stat.slow_consumers, labels);
  }
  for (const account of source.accounts.byName.values()) {
    const labels: Labels = { account_id: account.name, account_name: account.name };
    text.gauge("gnatsd_accountz_client_connections", account.clientConnections, labels);
    text.gauge("gnatsd_accountz_leafnode_connections", 0, labels);
    text.gauge("gnatsd_accountz_subscriptions", account.interest.size, labels);
    text.gauge("gnatsd_accountz_is_system", Number(account.isSystem), labels);
    text.gauge("gnatsd_accountz_jetstream_enabled", Number(source.jetstream?.accounts.has(account.name) === true), labels);
    text.gauge("gnatsd_accountz_expired", 0, labels);
    text.gauge("gnatsd_accountz_complete", 1, labels);
  }
}

/** As the exporter has it: status is 0 when all is well, and its readable form is 1. */
function healthMetrics(text: MetricsText, source: MonitorSource): void {
  const { status } = healthz(source, { account: "", stream: "", consumer: "", details: false, only: undefined });
  for (const name of ["gnatsd_healthz_status", "gnatsd_healthz_js_enabled_only_status", "gnatsd_healthz_js_server_only_status"]) {
    text.gauge(name, status === "ok" ? 0 : 1);
    text.gauge(`${name}_value`, status === "ok" ? 1 : 0, { value: status });
  }
}

function jetstreamMetrics(text: MetricsText, source: MonitorSource): void {
  const figures = jsz(source, { account: "", accounts: false, streams: false, consumers: false, directConsumers: false, config: false, leaderOnly: false, offset: 0, limit: 0, raft: false, streamLeaderOnly: false });
  const labels: Labels = { server_name: source.identity.name, cluster: "", domain: "", meta_leader: "", is_meta_leader: "false" };
  text.gauge("jetstream_server_jetstream_disabled", Number(source.jetstream === undefined), labels);
  text.gauge("jetstream_server_max_memory", figures.config.max_memory, labels);
  text.gauge("jetstream_server_max_storage", figures.config.max_storage, labels);
  text.gauge("jetstream_server_total_streams", figures.streams, labels);
  text.gauge("jetstream_server_total_consumers", figures.consumers, labels);
  text.gauge("jetstream_server_total_messages", figures.messages, labels);
  text.gauge("jetstream_server_total_message_bytes", figures.bytes, labels);
}

function processMetrics(text: MetricsText, source: MonitorSource): void {
  const { monitoring, platform, startedAtNs } = source;
  const stats = platform.system.stats();
  text.gauge("process_resident_memory_bytes", stats.rssBytes, {}, "Resident memory.");
  text.counter("process_cpu_seconds_total", stats.cpuMs / 1000, {}, "Processor time used, user and system.");
  text.gauge("process_start_time_seconds", Number(startedAtNs / 1_000_000n) / 1000, {}, "When the server started, seconds since the epoch.");
  text.gauge("nats_bun_build_info", 1, { version: OWN_VERSION, compatible: VERSION, runtime: `bun${Bun.version}` }, "What this server is.");
  const delay = monitoring.loopDelay.read();
  text.histogram("nats_bun_event_loop_delay_seconds", DELAY_BUCKETS_S, delay, "How late timers fire: time that messages wait for the event loop. Measured from the first scrape on.");
}

/** The options at the top level of the file, and with them the whole language of options: every other block hangs here. */
import { formatDuration, parseDuration } from "../../util/duration.ts";
import { goQuote } from "../../util/quote.ts";
import { typeName } from "../values.ts";
import { accounts, mappings } from "./accounts.ts";
import { type AnyOption, type Form, option, type Reload, wrongType } from "./form.ts";
import { duration, durationString, flag, integer, listen, mapped, size, strings, text } from "./forms.ts";
import { jetstream } from "./jetstream.ts";
import { cluster, gateway, leafnodes, mqtt } from "./links.ts";
import { ocsp, ocspCache } from "./ocsp.ts";
import { operators, proxies, resolver, resolverPreload, trustedKeys } from "./operator.ts";
import { nameWithoutSpaces, writeTimeout } from "./shared.ts";
import { linkTls, tls } from "./tls.ts";
import { authorization } from "./users.ts";
import { websocket } from "./websocket.ts";

const INT32_MAX = 2 ** 31 - 1;
const LAME_DUCK_MIN_NS = 30_000_000_000n;

function refused(field: string): { readonly reload: Reload } {
  return { reload: { refusedAs: field } };
}
const applied = { reload: "applied" } as const;

const int32: Form<number> = mapped(integer, (value, { key, node }, reading) => {
  if (value <= INT32_MAX) return value;
  reading.error(node.position, `${key} value is too big`);
  return undefined;
});

const subscriptionTokens: Form<number> = mapped(integer, (value, { key, node }, reading) => {
  if (value > 0 && value <= 255) return value;
  reading.error(node.position, `${key} value ${value > 255 ? "is too big" : "can not be negative"}`);
  return undefined;
});

/** Zero connections is written 0 and means what negative numbers mean: none at all. */
const maxConnections: Form<number> = mapped(integer, (value) => (value === 0 ? -1 : value));

const tags: Form<readonly string[]> = {
  label: "string or list of strings",
  read({ node }, reading) {
    const items = node.value.kind === "array" ? node.value.items : node.value.kind === "string" ? [node] : undefined;
    if (items === undefined) {
      reading.error(node.position, `error parsing tags: unsupported type ${typeName(node.value)}`);
      return undefined;
    }
    const read = new Set<string>();
    for (const item of items) {
      if (item.value.kind !== "string") {
        reading.error(node.position, "error parsing tags: unsupported type *conf.token where string is expected");
        return undefined;
      }
      read.add(item.value.text.trim().toLowerCase());
    }
    return [...read];
  },
};

const metadata: Form<Readonly<Record<string, string>>> = {
  label: "map of strings",
  read({ node }, reading) {
    if (node.value.kind !== "map") {
      reading.error(node.position, `error parsing metadata: unsupported type ${typeName(node.value)}`);
      return undefined;
    }
    return Object.fromEntries(
      [...node.value.entries].map(([key, entry]) => {
        if (entry.value.kind !== "string") throw wrongType(entry, "string");
        return [key, entry.value.text];
      }),
    );
  },
};

const featureFlags: Form<Readonly<Record<string, boolean>>> = {
  label: "map of booleans",
  read({ node }, reading) {
    if (node.value.kind !== "map") {
      reading.error(node.position, `error parsing feature flags: unsupported type ${typeName(node.value)}`);
      return undefined;
    }
    const read: Record<string, boolean> = {};
    for (const [key, { value, position }] of node.value.entries) {
      if (value.kind === "boolean") read[key] = value.boolean;
      else reading.error(position, `error parsing feature flag ${goQuote(key)}: expected bool, got ${typeName(value)}`);
    }
    return read;
  },
};

const lameDuckDuration: Form<bigint> = mapped(durationString(), (ns, { node }, reading) => {
  if (ns >= LAME_DUCK_MIN_NS) return ns;
  const written = node.value.kind === "string" ? node.value.text : "";
  const parsed = parseDuration(written);
  reading.error(node.position, `invalid lame_duck_duration of ${parsed.ok ? formatDuration(parsed.ns) : written}, minimum is 30 seconds`);
  return undefined;
});

const lameDuckGrace: Form<bigint> = mapped(durationString(), (ns, { node }, reading) => {
  if (ns >= 0n) return ns;
  reading.error(node.position, "invalid lame_duck_grace_period, needs to be positive");
  return undefined;
});

/** The system account is looked for before all else, and only under its lower-case names; other spellings mean nothing. */
const systemAccount: Form<string> = {
  label: "string",
  read({ key, node }, reading) {
    if (key !== key.toLowerCase()) return undefined;
    if (node.value.kind === "string") return node.value.text;
    reading.error(node.position, "system account name must be a string");
    return undefined;
  },
};

const domains: Form<number> = {
  label: "map of account to domain",
  read({ node }, reading) {
    if (node.value.kind === "map") return node.value.entries.size;
    reading.error(node.position, `error default_js_domain config: unsupported type ${typeName(node.value)}`);
    return undefined;
  },
};

export const serverBlock = {
  listen: option(listen, "Address for clients.", refused("Host")),
  host: option(text, "Host for clients.", { aliases: ["net"], default: "0.0.0.0", ...refused("Host") }),
  port: option(integer, "Port for clients; -1 picks a free one.", { default: "4222", ...refused("Port") }),
  client_advertise: option(text, "Address told to clients instead of the listener's.", applied),
  server_name: option(nameWithoutSpaces("server"), "Name of the server.", { default: "its id", ...refused("ServerName") }),
  server_tags: option(tags, "Tags of the server.", applied),
  server_metadata: option(metadata, "Further facts about the server.", applied),
  feature_flags: option(featureFlags, "Behaviour to opt in to or out of.", refused("FeatureFlags")),
  debug: option(flag, "Log debug lines.", { default: "false", ...applied }),
  trace: option(flag, "Log the protocol.", { default: "false", ...applied }),
  trace_verbose: option(flag, "As `trace`, of the system account too.", { default: "false", ...applied }),
  trace_headers: option(flag, "As `trace`, of messages only the headers.", { default: "false", ...applied }),
  logtime: option(flag, "Date and time in log lines.", { default: "true", ...applied }),
  logtime_utc: option(flag, "In UTC.", { default: "false", ...applied }),
  log_file: option(text, "File to log to.", { aliases: ["logfile"], ...applied }),
  log_size_limit: option(size, "Size at which the log file is rotated.", { aliases: ["logfile_size_limit"], default: "0 (never)", ...refused("LogSizeLimit") }),
  log_max_num: option(integer, "Log files kept, the current one included.", { aliases: ["logfile_max_num"], default: "0 (all)", ...refused("LogMaxFiles") }),
  syslog: option(flag, "Log to syslog.", { default: "false", ...applied }),
  remote_syslog: option(text, "Log to this syslog: `udp://host:port`, `tcp://host:port`, `unix:/path`.", applied),
  pid_file: option(text, "File for the process id.", { aliases: ["pidfile"], ...applied }),
  ports_file_dir: option(text, "Folder for a file with the ports in use.", applied),
  prof_port: option(integer, "Accepted; there is no profiler.", { default: "0 (off)", ...refused("ProfPort") }),
  prof_block_rate: option(integer, "Accepted; there is no profiler.", { default: "0", ...applied }),
  http: option(listen, "Address for monitoring.", refused("HTTPHost")),
  https: option(listen, "Address for monitoring over TLS.", refused("HTTPHost")),
  http_port: option(integer, "Port for monitoring.", { aliases: ["monitor_port"], default: "0 (off)", ...refused("HTTPPort") }),
  https_port: option(integer, "Port for monitoring over TLS.", { default: "0 (off)", ...refused("HTTPSPort") }),
  http_base_path: option(text, "Path before those of monitoring.", { default: "/", ...refused("HTTPBasePath") }),
  max_connections: option(maxConnections, "Clients; 0 and negative refuse all.", { aliases: ["max_conn"], default: "65536", ...applied }),
  max_control_line: option(int32, "Bytes of a protocol line.", { default: "4096", ...applied }),
  max_payload: option(int32, "Bytes of a message.", { default: "1048576", ...applied }),
  max_pending: option(size, "Bytes waiting for one client before it is a slow consumer.", { default: "67108864", ...refused("MaxPending") }),
  max_subscriptions: option(integer, "Subscriptions of one client.", { aliases: ["max_subs"], default: "0 (no limit)", ...refused("MaxSubs") }),
  max_sub_tokens: option(subscriptionTokens, "Tokens in a subscription's subject, 1 to 255.", {
    aliases: ["max_subscription_tokens"],
    default: "no limit",
    ...refused("MaxSubTokens"),
  }),
  max_closed_clients: option(integer, "Closed connections remembered for monitoring.", { default: "10000", ...refused("MaxClosedClients") }),
  max_traced_msg_len: option(integer, "Bytes of a message in trace lines.", { default: "0 (all)", ...applied }),
  ping_interval: option(duration(), "Time between PINGs.", { default: "2m", ...applied }),
  ping_max: option(integer, "Unanswered PINGs before a client is closed.", { default: "2", ...applied }),
  write_deadline: option(duration(), "Time for a write to a client.", { default: "10s", ...applied }),
  write_timeout: option(writeTimeout, "What a write past its deadline does.", { default: "default", ...refused("WriteTimeout") }),
  lame_duck_duration: option(lameDuckDuration, "Time over which clients are closed in lame duck mode, at least 30s.", {
    default: "2m",
    ...refused("LameDuckDuration"),
  }),
  lame_duck_grace_period: option(lameDuckGrace, "Time before the first of them is closed.", { default: "10s", ...refused("LameDuckGracePeriod") }),
  no_fast_producer_stall: option(flag, "Do not slow down publishers for slow subscribers.", { default: "false", ...applied }),
  disable_sublist_cache: option(flag, "Do not cache matches of subjects.", { aliases: ["no_sublist_cache"], default: "false", ...refused("NoSublistCache") }),
  no_header_support: option(flag, "Do without message headers.", { default: "false", ...refused("NoHeaderSupport") }),
  connect_error_reports: option(integer, "Every how manieth failed first attempt is logged.", { default: "3600", ...applied }),
  reconnect_error_reports: option(integer, "Every how manieth failed further attempt is logged.", { default: "1", ...applied }),
  proxy_protocol: option(flag, "Clients come with a PROXY header.", { default: "false", ...refused("ProxyProtocol") }),
  proxies: option(proxies, "Trusted proxies.", applied),
  authorization: option(authorization, "Users of the global account.", applied),
  accounts: option(accounts, "Accounts.", applied),
  mappings: option(mappings, "Subject mappings of the global account.", { aliases: ["maps"], ...applied }),
  no_auth_user: option(text, "User of clients that present nothing.", refused("NoAuthUser")),
  default_sentinel: option(text, "JWT of clients that present nothing.", applied),
  system_account: option(systemAccount, "Account of the system.", { aliases: ["system"], default: "`$SYS`", ...refused("SystemAccount") }),
  no_system_account: option(flag, "Do without a system account.", { aliases: ["no_system", "no_sys_acc"], default: "false", ...refused("NoSystemAccount") }),
  operator: option(operators, "Operators: JWTs or files.", {
    aliases: ["operators", "root", "roots", "root_operator", "root_operators"],
    ...refused("TrustedOperators"),
  }),
  trusted: option(trustedKeys, "Operator nkeys.", { aliases: ["trusted_keys"], ...refused("TrustedKeys") }),
  resolver: option(resolver, "Where account JWTs come from.", { aliases: ["account_resolver", "accounts_resolver"], ...refused("AccountResolver") }),
  resolver_tls: option(linkTls, "TLS towards a URL resolver.", refused("AccountResolverTLSConfig")),
  resolver_preload: option(resolverPreload, "Account JWTs.", applied),
  resolver_pinned_accounts: option(strings("resolver_pinned_accounts"), "Accounts whose users may log in, when not those of all.", applied),
  tls: option(tls, "TLS for clients.", applied),
  allow_non_tls: option(flag, "Clients may do without TLS.", { default: "false", ...refused("AllowNonTLS") }),
  ocsp: option(ocsp, "OCSP stapling.", { ...applied, notBuilt: (on) => on }),
  ocsp_cache: option(ocspCache, "Cache for `ocsp_peer`.", applied),
  cluster: option(cluster, "Routes to the servers of this cluster.", { ...applied, notBuilt: (on) => on }),
  gateway: option(gateway, "Gateways to other clusters.", { ...refused("Gateway"), notBuilt: (on) => on }),
  leafnodes: option(leafnodes, "Leafnodes.", { aliases: ["leaf"], ...applied, notBuilt: (on) => on }),
  websocket: option(websocket, "Listener for WebSocket clients.", { aliases: ["ws"], ...refused("Websocket") }),
  mqtt: option(mqtt, "Listener for MQTT clients.", { ...refused("MQTT"), notBuilt: (on) => on }),
  jetstream: option(jetstream, "JetStream.", applied),
  store_dir: option(text, "Folder of JetStream.", { aliases: ["storedir"], default: "in the temporary folder" }),
  default_js_domain: option(domains, "JetStream domains of accounts.", { ...refused("JsAccDefaultDomain"), notBuilt: (count) => count > 0 }),
} satisfies Record<string, AnyOption>;

/** `cluster {}`, `gateway {}` and `leafnodes {}`: servers connected to servers. Known and checked; the links themselves are not in this version. */
import { goQuote } from "../../util/quote.ts";
import { isPublicKey } from "../../util/nkeys.ts";
import { formatPosition, plainText, typeName } from "../values.ts";
import { type AnyOption, type BlockReading, type Form, option } from "./form.ts";
import { anything, block, blockList, duration, flag, integer, listen, strings, text } from "./forms.ts";
import { permissions } from "./permissions.ts";
import { compression, isUrl, linkAuthorization, nameWithoutSpaces, urls, writeOptions } from "./shared.ts";
import { linkTls, tls } from "./tls.ts";
import { authTimeout } from "./users.ts";

const listenOptions = {
  listen: option(listen, "Address to listen on."),
  host: option(text, "Host to listen on.", { aliases: ["net"], default: "0.0.0.0" }),
  port: option(integer, "Port to listen on; -1 picks a free one.", { default: "0 (off)" }),
} satisfies Record<string, AnyOption>;

function hasPort({ values }: BlockReading<typeof listenOptions>): boolean {
  return (values.port ?? values.listen?.port ?? 0) !== 0;
}

export const clusterBlock = {
  name: option(nameWithoutSpaces("cluster"), "Name of the cluster.", { default: "random" }),
  ...listenOptions,
  advertise: option(text, "Address told to other servers.", { aliases: ["cluster_advertise"] }),
  no_advertise: option(flag, "Do not tell clients of the other servers.", { default: "false" }),
  routes: option(urls("route"), "Servers to connect to."),
  connect_retries: option(integer, "Attempts for routes learned from others.", { default: "0" }),
  connect_backoff: option(flag, "Wait longer from attempt to attempt.", { default: "false" }),
  authorization: option(linkAuthorization("Cluster"), "User that other servers present."),
  permissions: option(permissions, "Subjects that pass between servers."),
  tls: option(linkTls, "TLS of routes; certificates are always verified."),
  pool_size: option(integer, "Connections to one server; -1 is a single one.", { default: "3" }),
  accounts: option(strings("accounts"), "Accounts with a route of their own."),
  compression: option(compression, "Compression of routes.", { default: "accept" }),
  ping_interval: option(duration(), "PING interval of routes, at most 30s.", { default: "the server's" }),
  ping_max: option(integer, "Unanswered PINGs before a route is closed.", { default: "the server's" }),
  ...writeOptions,
} satisfies Record<string, AnyOption>;

/** True when servers are to be connected. */
export const cluster: Form<boolean> = block(
  clusterBlock,
  (type) => `Expected map to define cluster, got ${type}`,
  (read, _entry, reading) => {
    const interval = read.entries.get("ping_interval");
    if (interval !== undefined && (read.values.ping_interval ?? 0n) > 30_000_000_000n) {
      reading.warnings.push(`${formatPosition(interval.node.position)}: Cluster 'ping_interval' will reset to 30s which is the max for routes`);
    }
    return hasPort(read) || (read.values.routes ?? []).length > 0;
  },
);

export const remoteGatewayBlock = {
  name: option(text, "Name of the remote cluster."),
  url: option(text, "URL of one of its servers."),
  urls: option(urls("gateway"), "URLs of its servers."),
  tls: option(linkTls, "TLS towards it."),
} satisfies Record<string, AnyOption>;

const remoteGateways: Form<readonly unknown[]> = {
  label: "list of blocks",
  read(entry, reading) {
    if (entry.node.value.kind === "array") return remoteGatewayList.read(entry, reading);
    // This one text stands without its place.
    reading.errors.push(`Expected gateways field to be an array, got ${typeName(entry.node.value)}`);
    return undefined;
  },
};

const remoteGatewayList = blockList(
  remoteGatewayBlock,
  {
    notArray: (type) => `Expected gateways field to be an array, got ${type}`,
    notMap: (_type, value) => `Expected gateway entry to be a map/struct, got ${value}`,
  },
  (read) => read.values,
);

export const gatewayBlock = {
  name: option(nameWithoutSpaces("gateway"), "Name of this cluster."),
  ...listenOptions,
  authorization: option(linkAuthorization("Gateway"), "User that other clusters present."),
  tls: option(linkTls, "TLS of gateways; certificates are always verified."),
  advertise: option(text, "Address told to other clusters."),
  connect_retries: option(integer, "Attempts for gateways learned from others.", { default: "0" }),
  connect_backoff: option(flag, "Wait longer from attempt to attempt.", { default: "false" }),
  reject_unknown_cluster: option(flag, "Only clusters of the list may connect.", { aliases: ["reject_unknown"], default: "false" }),
  ...writeOptions,
  gateways: option(remoteGateways, "Remote clusters."),
} satisfies Record<string, AnyOption>;

export const gateway: Form<boolean> = block(
  gatewayBlock,
  (type) => `Expected gateway to be a map, got ${type}`,
  (read) => hasPort(read) || (read.values.name ?? "") !== "",
);

export const leafUserBlock = {
  user: option(text, "User name.", { aliases: ["username"] }),
  password: option(text, "Password.", { aliases: ["pass"] }),
  account: option(text, "Account the leafnode is bound to.", { default: "`$G`" }),
  proxy_required: option(flag, "The leafnode must come through a trusted proxy.", { default: "false" }),
} satisfies Record<string, AnyOption>;

const leafUsers = blockList(
  leafUserBlock,
  {
    notArray: (type) => `Expected users field to be an array, got ${type}`,
    notMap: (_type, value) => `Expected user entry to be a map/struct, got ${value}`,
  },
  (read) => read.values,
);

const leafNkey: Form<string> = {
  label: "string",
  read(entry, reading) {
    const key = text.read(entry, reading) ?? "";
    if (isPublicKey(key, "user")) return key;
    reading.error(entry.node.position, "Not a valid public nkey for leafnode authorization");
    return undefined;
  },
};

export const leafAuthorizationBlock = {
  ...leafUserBlock,
  nkey: option(leafNkey, "Public user nkey."),
  timeout: option(authTimeout("leafnode authorization"), "Time for a leafnode to authenticate."),
  users: option(leafUsers, "Users of leafnodes."),
} satisfies Record<string, AnyOption>;

const leafAuthorization: Form<true> = block(leafAuthorizationBlock, "wrong type", ({ values, entries }, { node }, reading) => {
  if (entries.has("users") && (values.user ?? "") !== "") reading.error(node.position, "can not have a single user/pass and a users array");
  if (entries.has("users") && (values.nkey ?? "") !== "") reading.error(node.position, "can not have a single nkey and a users array");
  return true;
});

const remoteUrls: Form<readonly string[]> = {
  label: "URL or list of URLs",
  read(entry, reading) {
    const { node } = entry;
    if (node.value.kind === "array") return urls("leafnode").read(entry, reading);
    if (node.value.kind !== "string") {
      reading.error(node.position, `Expected remote leafnode url to be an array or string, got ${plainText(node.value)}`);
      return undefined;
    }
    if (isUrl(node.value.text)) return [node.value.text];
    reading.error(node.position, `error parsing leafnode url [${goQuote(node.value.text)}]`);
    return undefined;
  },
};

const migrate: Form<boolean> = {
  label: "boolean or `{leader_migrate_delay}`",
  read({ key, name, node }, reading) {
    if (node.value.kind === "boolean") return node.value.boolean;
    if (node.value.kind !== "map") {
      // This one text stands without its place.
      reading.errors.push(`Expected boolean or map for jetstream_cluster_migrate, got ${typeName(node.value)}`);
      return undefined;
    }
    const delay = node.value.entries.get("leader_migrate_delay");
    if (delay !== undefined) duration("leader_migrate_delay").read({ key, name, node: delay }, reading);
    return true;
  },
};

export const proxyBlock = {
  url: option(text, "URL of the proxy."),
  username: option(text, "User for the proxy."),
  password: option(text, "Its password."),
  timeout: option(duration(), "Time to connect through the proxy."),
} satisfies Record<string, AnyOption>;

const proxy = block(
  proxyBlock,
  (type) => `Expected proxy to be a map, got ${type}`,
  (read) => read.values,
);

export const remoteLeafBlock = {
  urls: option(remoteUrls, "Servers to connect to; port 7422 when none is given.", { aliases: ["url"] }),
  no_randomize: option(flag, "Keep the order of the URLs.", { aliases: ["dont_randomize"], default: "false" }),
  account: option(text, "Local account.", { aliases: ["local"], default: "`$G`" }),
  credentials: option(text, "Credentials file.", { aliases: ["creds"] }),
  nkey: option(text, "User nkey seed.", { aliases: ["seed"] }),
  tls: option(tls, "TLS towards the remote."),
  hub: option(flag, "This side is the hub.", { default: "false" }),
  deny_imports: option(strings("deny_imports"), "Subjects that do not come in.", { aliases: ["deny_import"] }),
  deny_exports: option(strings("deny_exports"), "Subjects that do not go out.", { aliases: ["deny_export"] }),
  ws_compression: option(flag, "WebSocket: compress.", { aliases: ["ws_compress", "websocket_compress", "websocket_compression"], default: "false" }),
  ws_no_masking: option(flag, "WebSocket: do not mask.", { aliases: ["websocket_no_masking"], default: "false" }),
  jetstream_cluster_migrate: option(migrate, "Move leaders away while disconnected.", { aliases: ["js_cluster_migrate"], default: "false" }),
  isolate_leafnode_interest: option(flag, "Do not pass on interest of other leafnodes.", { aliases: ["isolate"], default: "false" }),
  request_isolation: option(flag, "Ask the remote for isolation.", { default: "false" }),
  compression: option(compression, "Compression.", { default: "s2_auto" }),
  first_info_timeout: option(duration(), "Time for the remote's first INFO.", { default: "1s" }),
  dial_timeout: option(duration(), "Time to connect.", { default: "the block's" }),
  disabled: option(flag, "Do not connect.", { default: "false" }),
  ignore_discovered_servers: option(flag, "Only the configured URLs.", { default: "false" }),
  proxy: option(proxy, "HTTP proxy for WebSocket remotes."),
} satisfies Record<string, AnyOption>;

const remotes = blockList(
  remoteLeafBlock,
  {
    notArray: (type) => `Expected remotes field to be an array, got ${type}`,
    notMap: (_type, value) => `Expected remote leafnode entry to be a map/struct, got ${value}`,
  },
  ({ values, entries }, { node }, reading) => {
    if (entries.has("credentials") && entries.has("nkey")) {
      reading.error(node.position, "Remote leafnode can not have both creds and nkey defined");
    }
    return values;
  },
);

export const leafnodesBlock = {
  ...listenOptions,
  advertise: option(text, "Address told to leafnodes.", { aliases: ["leafnode_advertise"] }),
  no_advertise: option(flag, "Do not tell leafnodes of the other servers.", { default: "false" }),
  authorization: option(leafAuthorization, "Users of leafnodes."),
  tls: option(tls, "TLS of the listener."),
  reconnect: option(duration("reconnect"), "Time between attempts.", { aliases: ["reconnect_delay", "reconnect_interval"], default: "1s" }),
  dial_timeout: option(duration(), "Time to connect.", { default: "1s" }),
  min_version: option(text, "Lowest version of leafnodes.", { aliases: ["minimum_version"] }),
  compression: option(compression, "Compression.", { default: "s2_auto" }),
  isolate_leafnode_interest: option(flag, "Do not pass on interest of other leafnodes.", { aliases: ["isolate"], default: "false" }),
  ...writeOptions,
  remotes: option(remotes, "Servers to connect to as a leafnode."),
} satisfies Record<string, AnyOption>;

export const leafnodes: Form<boolean> = block(
  leafnodesBlock,
  (type) => `Expected map to define a leafnode, got ${type}`,
  (read) => hasPort(read) || (read.values.remotes ?? []).some((remote) => remote.disabled !== true),
);

const maxAckPending: Form<number> = {
  label: "integer, 0 to 65535",
  read(entry, reading) {
    const value = integer.read(entry, reading) ?? 0;
    if (value >= 0 && value <= 65535) return value;
    reading.error(entry.node.position, `invalid value ${value}, should in [0..65535] range`);
    return undefined;
  },
};

const ignoredReplicas: Form<true> = {
  label: "any",
  read({ key, node }, reading) {
    reading.warn(node.position, key, "consumer replicas setting ignored in this server version");
    return true;
  },
};

export const mqttBlock = {
  ...listenOptions,
  tls: option(tls, "TLS of the listener.", { reload: "applied" }),
  authorization: option({ label: "block", read: anything.read }, "Single user or token of this listener.", { aliases: ["authentication"] }),
  no_auth_user: option(text, "User of clients that present nothing."),
  ack_wait: option(duration(), "Time before a message is sent again.", {
    aliases: ["ackwait"],
    default: "30s",
    reload: "applied",
  }),
  js_api_timeout: option(duration(), "Time for a JetStream request.", {
    aliases: ["api_timeout"],
    default: "5s",
  }),
  max_ack_pending: option(maxAckPending, "Unacknowledged messages of one subscription.", {
    aliases: ["max_pending", "max_inflight"],
    default: "1024",
    reload: "applied",
  }),
  js_domain: option(text, "JetStream domain to use."),
  stream_replicas: option(integer, "Replicas of the session and message streams.", { default: "automatic", reload: "applied" }),
  consumer_replicas: option(ignoredReplicas, "Ignored.", { reload: "applied" }),
  consumer_memory_storage: option(flag, "Keep consumers in memory.", { default: "false", reload: "applied" }),
  consumer_inactive_threshold: option(duration(), "Time after which unused consumers are removed.", { aliases: ["consumer_auto_cleanup"], reload: "applied" }),
  reject_qos2_publish: option(flag, "Refuse QoS 2 publishes.", { default: "false" }),
  downgrade_qos2_subscribe: option(flag, "Grant QoS 1 for QoS 2 subscriptions.", { default: "false" }),
} satisfies Record<string, AnyOption>;

export const mqtt: Form<boolean> = block(mqttBlock, (type) => `Expected mqtt to be a map, got ${type}`, hasPort);


/** `accounts`: subject spaces with users, limits and mappings; and the subject mappings of the global account. */
import { goQuote } from "../../util/quote.ts";
import { isPublicKey } from "../../util/nkeys.ts";
import type { AccountJetStreamOptions, AccountOptions, MappingDestination, MappingOptions, PermissionOptions } from "../options.ts";
import { isLiteralSubject, isSubject, mappingProblem } from "../subjects.ts";
import { formatPosition, type MapValue, type Node, plainText, type Position, typeName } from "../values.ts";
import { type AnyOption, type Entry, type Form, option, readBlock, type Reading, type UnknownKeys, wrongType } from "./form.ts";
import { exportList, importList, type PlacedImport } from "./exchange.ts";
import { integer, text } from "./forms.ts";
import { permissions } from "./permissions.ts";
import { type ReadUser, userList } from "./users.ts";

const GLOBAL_ACCOUNT = "$G";

function unknownIn(what: string): UnknownKeys {
  return { text: (key) => `Unknown field ${goQuote(key)} parsing ${what}`, exceptUsed: true };
}

export const accountLimitsBlock = {
  max_connections: option(integer, "Client and leafnode connections of the account.", { aliases: ["max_conn"], default: "-1" }),
  max_subscriptions: option(integer, "Subscriptions of one connection.", { aliases: ["max_subs"], default: "-1" }),
  max_payload: option(integer, "Bytes of one message.", { aliases: ["max_pay"], default: "-1" }),
  max_leafnodes: option(integer, "Leafnode connections of the account.", { aliases: ["max_leafs"], default: "-1" }),
} satisfies Record<string, AnyOption>;

const limits: Form<AccountOptions["limits"]> = {
  label: "block",
  read({ node }, reading) {
    if (node.value.kind !== "map") {
      reading.error(node.position, `Expected account limits to be a map/struct, got ${plainText(node.value)}`);
      return undefined;
    }
    const { values } = readBlock(accountLimitsBlock, node.value, reading, unknownIn("account limits"));
    return {
      maxConnections: values.max_connections ?? -1,
      maxSubscriptions: values.max_subscriptions ?? -1,
      maxPayload: values.max_payload ?? -1,
      maxLeafnodes: values.max_leafnodes ?? -1,
    };
  },
};

interface MessageTrace {
  readonly destination: string;
  readonly sampling: number;
}

const messageTrace: Form<MessageTrace> = {
  label: "subject or `{dest, sampling}`",
  read({ key, node }, reading) {
    if (node.value.kind !== "string" && node.value.kind !== "map") {
      reading.error(node.position, `Expected account message trace ${goQuote(key)} to be a string or a map/struct, got ${typeName(node.value)}`);
      return undefined;
    }
    const found = { destination: "", sampling: 100, sampled: false };
    if (node.value.kind === "string") found.destination = node.value.text;
    else readTraceMap(node.value, key, found, reading);
    if (found.destination !== "" && !isLiteralSubject(found.destination)) {
      reading.error(node.position, `Trace destination ${goQuote(found.destination)} is not valid`);
      return undefined;
    }
    if (found.destination === "" && found.sampled) {
      reading.warnings.push(`${formatPosition(node.position)}: Trace destination sampling ignored since no destination was set`);
    }
    return found;
  },
};

function readTraceMap(map: MapValue, block: string, found: { destination: string; sampling: number; sampled: boolean }, reading: Reading): void {
  for (const [key, node] of map.entries) {
    const name = key.toLowerCase();
    if (name === "dest") {
      if (node.value.kind === "string") found.destination = node.value.text;
      else reading.error(node.position, `Field ${goQuote(key)} should be a string, got ${typeName(node.value)}`);
    } else if (name === "sampling") {
      found.sampled = true;
      found.sampling = sampling(key, node, reading) ?? found.sampling;
    } else if (!node.used) {
      reading.error(node.position, `Unknown field ${goQuote(key)} parsing account message trace map/struct ${goQuote(block)}`);
    }
  }
}

function sampling(key: string, node: Node, reading: Reading): number | undefined {
  const { value } = node;
  if (value.kind !== "integer" && value.kind !== "string") {
    reading.error(node.position, `Trace destination sampling field ${goQuote(key)} should be an integer or a percentage, got ${typeName(value)}`);
    return undefined;
  }
  const digits = value.kind === "integer" ? value.integer.toString() : value.text.trim().replace(/%$/, "");
  if (!/^[+-]?\d+$/.test(digits)) {
    reading.error(node.position, `Invalid trace destination sampling value ${goQuote(plainText(value))}`);
    return undefined;
  }
  const percent = Number(digits);
  if (percent >= 1 && percent <= 100) return percent;
  reading.error(node.position, `Ttrace destination sampling value ${digits} is invalid, needs to be [1..100]`);
  return undefined;
}

const unlimited: Form<number> = {
  label: "integer",
  read({ key, node }, reading) {
    if (node.value.kind === "integer") return Number(node.value.integer);
    reading.error(node.position, `Expected a parseable size for ${goQuote(key)}, got ${plainText(node.value)}`);
    return undefined;
  },
};

const parseableFlag: Form<boolean> = {
  label: "boolean",
  read({ key, node }, reading) {
    if (node.value.kind === "boolean") return node.value.boolean;
    reading.error(node.position, `Expected a parseable bool for ${goQuote(key)}, got ${plainText(node.value)}`);
    return undefined;
  },
};

const clusterTraffic: Form<string> = {
  label: "`system` or `owner`",
  read({ key, node }, reading) {
    const { value } = node;
    if (value.kind === "string" && (value.text === "system" || value.text === "owner")) return value.text;
    const expected = value.kind === "string" ? "Expected either 'system' or 'owner' string value" : "Expected 'system' or 'owner' string value";
    reading.error(node.position, `${expected} for ${goQuote(key)}, got ${plainText(value)}`);
    return undefined;
  },
};

export const accountJetstreamBlock = {
  max_memory: option(unlimited, "Bytes in memory.", { aliases: ["max_mem", "mem", "memory"], default: "-1" }),
  max_store: option(unlimited, "Bytes on disk.", { aliases: ["max_file", "max_disk", "store", "disk"], default: "-1" }),
  max_streams: option(unlimited, "Streams.", { aliases: ["streams"], default: "-1" }),
  max_consumers: option(unlimited, "Consumers.", { aliases: ["consumers"], default: "-1" }),
  mem_max_stream_bytes: option(unlimited, "Bytes of one stream in memory.", { aliases: ["memory_max_stream_bytes"], default: "-1" }),
  disk_max_stream_bytes: option(unlimited, "Bytes of one stream on disk.", { aliases: ["store_max_stream_bytes"], default: "-1" }),
  max_bytes_required: option(parseableFlag, "Streams must be limited in bytes.", { aliases: ["max_stream_bytes", "max_bytes"], default: "false" }),
  max_ack_pending: option(unlimited, "Unacknowledged messages of one consumer.", { default: "-1" }),
  cluster_traffic: option(clusterTraffic, "Account that carries replication.", { default: "system" }),
} satisfies Record<string, AnyOption>;

const UNLIMITED_JETSTREAM: AccountJetStreamOptions = {
  maxMemory: -1,
  maxStore: -1,
  maxStreams: -1,
  maxConsumers: -1,
  maxAckPending: -1,
  memoryMaxStreamBytes: -1,
  storeMaxStreamBytes: -1,
  maxBytesRequired: false,
};

/** Limits when the account asks for JetStream; `false` when it says it does not want it. */
const accountJetstream: Form<AccountJetStreamOptions | false> = {
  label: "boolean, `enabled`, `disabled`, or block",
  read({ node }, reading) {
    const { value } = node;
    if (value.kind === "boolean") return value.boolean && UNLIMITED_JETSTREAM;
    if (value.kind === "string") {
      const word = value.text.toLowerCase();
      if (word === "enabled" || word === "enable") return UNLIMITED_JETSTREAM;
      if (word === "disabled" || word === "disable") return false;
      reading.error(node.position, `Expected 'enabled' or 'disabled' for string value, got '${value.text}'`);
      return undefined;
    }
    if (value.kind === "map") {
      const { values } = readBlock(accountJetstreamBlock, value, reading);
      return {
        maxMemory: values.max_memory ?? -1,
        maxStore: values.max_store ?? -1,
        maxStreams: values.max_streams ?? -1,
        maxConsumers: values.max_consumers ?? -1,
        maxAckPending: values.max_ack_pending ?? -1,
        memoryMaxStreamBytes: values.mem_max_stream_bytes ?? -1,
        storeMaxStreamBytes: values.disk_max_stream_bytes ?? -1,
        maxBytesRequired: values.max_bytes_required ?? false,
      };
    }
    // This one text stands without its place.
    reading.errors.push(`Expected map, bool or string to define JetStream, got ${typeName(value)}`);
    return undefined;
  },
};

export const mappingDestinationBlock = {
  destination: option(text, "Subject that replaces the source.", { aliases: ["dest"] }),
  weight: option(integer, "Percent of the messages, as a number or such as `\"50%\"`."),
  cluster: option(text, "Only in this cluster."),
} satisfies Record<string, AnyOption>;

interface ReadDestination extends MappingDestination {
  readonly position: Position;
}

function readDestination(node: Node, map: MapValue, reading: Reading): ReadDestination | undefined {
  let subject = "";
  let weight: number | undefined;
  let cluster = "";
  for (const [key, entry] of map.entries) {
    const { value } = entry;
    switch (key.toLowerCase()) {
      case "dest":
      case "destination":
        if (value.kind !== "string") throw wrongType(entry, "string");
        subject = value.text;
        break;
      case "weight":
        weight = readWeight(entry, reading);
        if (weight === undefined) return undefined;
        break;
      case "cluster":
        if (value.kind !== "string") throw wrongType(entry, "string");
        cluster = value.text;
        break;
      default:
        if (entry.used) continue;
        reading.error(entry.position, `Unknown field ${goQuote(key)} for mapping destination`);
        return undefined;
    }
  }
  if (weight === undefined) {
    reading.error(node.position, `Missing weight for mapping destination ${goQuote(subject)}`);
    return undefined;
  }
  return { subject, weight, cluster, position: node.position };
}

function readWeight(node: Node, reading: Reading): number | undefined {
  const { value } = node;
  if (value.kind !== "integer" && value.kind !== "string") {
    reading.error(node.position, `Unknown entry type for weight of ${plainText(value)}\n`);
    return undefined;
  }
  const digits = value.kind === "integer" ? value.integer.toString() : value.text.replace(/%$/, "");
  const weight = Number(digits);
  if (/^[+-]?\d+$/.test(digits) && weight >= 0 && weight <= 100) return weight;
  const shown = value.kind === "string" ? goQuote(value.text) : digits;
  reading.error(node.position, `Invalid weight ${shown} for mapping destination`);
  return undefined;
}

/** `mappings {}` of an account. */
export const mappings: Form<readonly MappingOptions[]> = {
  label: "map of subject to destination, `{destination, weight, cluster}`, or a list of those",
  read({ node }, reading) {
    if (node.value.kind !== "map") throw wrongType(node, "map[string]interface {}");
    const read: MappingOptions[] = [];
    for (const [source, entry] of node.value.entries) {
      if (!isSubject(source)) {
        reading.error(node.position, `Subject ${goQuote(source)} is not a valid subject`);
        continue;
      }
      const destinations = readDestinations(source, entry, reading);
      if (destinations !== undefined) read.push({ source, destinations });
    }
    return read;
  },
};

function readDestinations(source: string, entry: Node, reading: Reading): readonly MappingDestination[] | undefined {
  const { value } = entry;
  if (value.kind === "string") {
    const problem = mappingProblem(source, value.text);
    if (problem === undefined) return [{ subject: value.text, weight: 100, cluster: "" }];
    reading.error(entry.position, `Error adding mapping for ${goQuote(source)} to ${goQuote(value.text)} : ${problem}`);
    return undefined;
  }
  const items = value.kind === "array" ? value.items : [entry];
  const destinations: ReadDestination[] = [];
  for (const item of items) {
    if (item.value.kind !== "map") {
      reading.error(item.position, "Expected an entry for the mapping destination");
      return undefined;
    }
    const destination = readDestination(item, item.value, reading);
    if (destination === undefined) return undefined;
    destinations.push(destination);
  }
  const problem = weightsProblem(source, destinations);
  if (problem !== undefined) {
    reading.error(entry.position, `Error adding mapping for ${goQuote(source)} : ${problem}`);
    return undefined;
  }
  return destinations.map(({ subject, weight, cluster }) => ({ subject, weight, cluster }));
}

function weightsProblem(source: string, destinations: readonly MappingDestination[]): string | undefined {
  const totals = new Map<string, number>();
  const seen = new Set<string>();
  for (const { subject, weight, cluster } of destinations) {
    if (seen.has(subject)) return `duplicate entry for ${goQuote(subject)}`;
    seen.add(subject);
    const problem = subject === "" ? undefined : mappingProblem(source, subject);
    if (problem !== undefined) return problem;
    const total = (totals.get(cluster) ?? 0) + weight;
    if (total > 100) return "total weight needs to be <= 100";
    totals.set(cluster, total);
  }
  return undefined;
}

const accountNkey: Form<string> = {
  label: "string",
  read(entry, reading) {
    const key = text.read(entry, reading) ?? "";
    if (isPublicKey(key, "account")) return key;
    reading.error(entry.node.position, `Not a valid public nkey for an account: ${goQuote(key)}`);
    return undefined;
  },
};

export const accountBlock = {
  nkey: option(accountNkey, "Public account nkey.", { reload: "applied" }),
  users: option(userList, "Users of the account.", { reload: "applied" }),
  default_permissions: option(permissions, "Permissions of users that have none of their own.", { reload: "applied" }),
  jetstream: option(accountJetstream, "JetStream for the account, with limits.", { reload: "applied" }),
  exports: option(exportList, "Subjects offered to other accounts.", { reload: "applied" }),
  imports: option(importList, "Subjects taken from other accounts.", { reload: "applied" }),
  mappings: option(mappings, "Subject mappings.", { aliases: ["maps"], reload: "applied" }),
  limits: option(limits, "Limits of the account.", { reload: "applied" }),
  msg_trace: option(messageTrace, "Destination for traces that come from outside.", { aliases: ["trace_dest"], reload: "applied" }),
} satisfies Record<string, AnyOption>;

/** An account with its users, before they are checked against those of other accounts. */
export interface ReadAccount {
  readonly account: AccountOptions;
  readonly users: readonly ReadUser[];
  readonly defaultPermissions?: PermissionOptions;
  readonly usersPosition: Position;
  /** Those of `account.imports`, with their places. */
  readonly imports: readonly PlacedImport[];
}

const NO_LIMITS: AccountOptions["limits"] = { maxConnections: -1, maxSubscriptions: -1, maxPayload: -1, maxLeafnodes: -1 };

function emptyAccount(name: string): AccountOptions {
  return { name, nkey: "", mappings: [], exports: [], imports: [], limits: NO_LIMITS, traceDestination: "", traceSampling: 100 };
}

/** `accounts`, as a list of names or a map. Any other value means nothing at all. */
export const accounts: Form<readonly ReadAccount[]> = {
  label: "list of names, or map of name to block",
  read({ node }: Entry, reading) {
    if (node.value.kind === "array") return namedAccounts(node.value.items, reading);
    if (node.value.kind !== "map") return undefined;
    return [...node.value.entries].flatMap(([name, entry]) => readAccount(name, entry, reading) ?? []);
  },
};

function namedAccounts(items: readonly Node[], reading: Reading): readonly ReadAccount[] {
  const read = new Map<string, ReadAccount>();
  for (const item of items) {
    if (item.value.kind !== "string") throw wrongType(item, "string");
    const name = item.value.text;
    if (name === GLOBAL_ACCOUNT) reading.error(item.position, `${goQuote(name)} is a Reserved Account`);
    else if (read.has(name)) reading.error(item.position, `Duplicate Account Entry: ${name}`);
    else read.set(name, { account: emptyAccount(name), users: [], usersPosition: item.position, imports: [] });
  }
  return [...read.values()];
}

function readAccount(name: string, entry: Node, reading: Reading): ReadAccount | undefined {
  if (entry.value.kind !== "map") {
    if (!entry.used) reading.error(entry.position, "Expected map entries for accounts");
    return undefined;
  }
  if (name === GLOBAL_ACCOUNT) {
    reading.error(entry.position, `${goQuote(name)} is a Reserved Account`);
    return undefined;
  }
  const { values, entries } = readBlock(accountBlock, entry.value, reading);
  const imports = values.imports ?? [];
  return {
    account: {
      ...emptyAccount(name),
      nkey: values.nkey ?? "",
      mappings: values.mappings ?? [],
      exports: values.exports ?? [],
      imports: imports.map(({ options }) => options),
      limits: values.limits ?? NO_LIMITS,
      traceDestination: values.msg_trace?.destination ?? "",
      traceSampling: values.msg_trace?.sampling ?? 100,
      jetstream: values.jetstream || undefined,
    },
    users: values.users ?? [],
    defaultPermissions: values.default_permissions,
    usersPosition: entries.get("users")?.node.position ?? entry.position,
    imports,
  };
}

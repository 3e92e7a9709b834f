/** `jetstream {}` of the server. */
import { goQuote } from "../../util/quote.ts";
import { msOfNs } from "../../util/duration.ts";
import type { JetStreamOptions } from "../options.ts";
import { plainText, type Position, typeName } from "../values.ts";
import { type AnyOption, type Form, option, readBlock, UNKNOWN_FIELD, type ValuesOf } from "./form.ts";
import { block, duration, durationString, flag, integer, text } from "./forms.ts";

const UNITS: ReadonlyMap<string, number> = new Map([["K", 1024], ["M", 1024 ** 2], ["G", 1024 ** 3], ["T", 1024 ** 4]]);

/** A storage size: an integer, or a string with a unit. `shown` is the name in the texts. */
function storageSize(shown: string): Form<number> {
  return {
    label: "integer or string such as `\"10G\"`",
    read({ node }, reading) {
      const { value } = node;
      if (value.kind === "integer") return Number(value.integer);
      const problem = value.kind === "string" ? sizeProblem(value.text) : "must be int64 or string";
      if (problem !== undefined) {
        reading.error(node.position, `${shown} ${problem}`);
        return undefined;
      }
      const written = plainText(value);
      return Number(written.slice(0, -1)) * (UNITS.get(written.slice(-1).toUpperCase()) ?? 1);
    },
  };
}

function sizeProblem(written: string): string | undefined {
  if (written === "") return undefined;
  const digits = written.slice(0, -1);
  if (!/^[+-]?\d+$/.test(digits)) return `strconv.ParseInt: parsing ${goQuote(digits)}: invalid syntax`;
  return UNITS.has(written.slice(-1).toUpperCase()) ? undefined : "sizes defined as strings must end in K, M, G, T";
}

const cipher: Form<string> = {
  label: "`chacha` or `aes`",
  read(entry, reading) {
    const written = text.read(entry, reading) ?? "";
    const name = written.toLowerCase();
    if (name === "chacha" || name === "chachapoly" || name === "aes") return name;
    reading.error(entry.node.position, `Unknown cipher type: ${goQuote(written)}`);
    return undefined;
  },
};

const strict: Form<boolean> = {
  label: "boolean",
  read({ node }, reading) {
    if (node.value.kind === "boolean") return node.value.boolean;
    const got = node.value.kind === "string" ? node.value.text : `%!s(${typeName(node.value)}=${plainText(node.value)})`;
    reading.error(node.position, `Expected 'true' or 'false' for bool value, got '${got}'`);
    return undefined;
  },
};

const syncInterval: Form<bigint | "always"> = {
  label: "duration or `always`",
  read(entry, reading) {
    if (entry.node.value.kind === "string" && entry.node.value.text.toLowerCase() === "always") return "always";
    return duration(entry.key).read(entry, reading);
  },
};

const absolute = (range?: readonly [number, number]): Form<number> => ({
  label: "integer",
  read({ key, node }, reading) {
    const value = node.value.kind === "integer" ? Number(node.value.integer) : undefined;
    if (value !== undefined && value >= (range?.[0] ?? 0) && value <= (range?.[1] ?? Number.POSITIVE_INFINITY)) return value;
    const between = range === undefined ? "" : ` between ${range[0]} and ${range[1]}`;
    reading.error(node.position, `Expected an absolute size for ${goQuote(key)}${between}, got ${plainText(node.value)}`);
    return undefined;
  },
});

export const batchBlock = {
  max_inflight_per_stream: option(integer, "Open batches of one stream."),
  max_inflight_total: option(integer, "Open batches of the server."),
  max_msgs: option(integer, "Messages of one batch."),
  timeout: option(durationString(), "Time after which an open batch is dropped."),
} satisfies Record<string, AnyOption>;

export const jetstreamLimitsBlock = {
  max_ack_pending: option(integer, "Unacknowledged messages of one consumer."),
  max_ha_assets: option(integer, "Replicated streams and consumers on this server."),
  max_request_batch: option(integer, "Messages of one pull request."),
  duplicate_window: option(durationString(), "Longest window for duplicate detection."),
  batch: option(
    block(batchBlock, (type) => `Expected a map to define batch limits, got ${type}`, (read) => read.values),
    "Limits of batch publishing.",
  ),
} satisfies Record<string, AnyOption>;

export const tpmBlock = {
  keys_file: option(text, "File with the sealed key."),
  encryption_password: option(text, "Password of the key."),
  srk_password: option(text, "Password of the storage root key."),
  pcr: option(integer, "Platform configuration register."),
  cipher: option(cipher, "Cipher."),
} satisfies Record<string, AnyOption>;

export const jetstreamBlock = {
  enabled: option(flag, "Switches JetStream on.", { aliases: ["enable"], default: "true" }),
  store_dir: option(text, "Folder of streams and consumers.", { aliases: ["store", "storedir"], default: "in the temporary folder" }),
  max_memory_store: option(storageSize("max_mem_store"), "Bytes in memory.", { aliases: ["max_mem_store", "max_mem"], default: "75% of memory" }),
  max_file_store: option(storageSize("max_file_store"), "Bytes on disk.", { aliases: ["max_file"], default: "75% of free disk" }),
  domain: option(text, "Name of this JetStream."),
  key: option(text, "Encryption key.", { aliases: ["ek", "encryption_key"] }),
  prev_key: option(text, "Previous encryption key.", { aliases: ["prev_ek", "prev_encryption_key"] }),
  cipher: option(cipher, "Cipher of the encryption.", { default: "chacha" }),
  strict: option(strict, "Refuse requests with unknown fields.", { default: "true" }),
  sync_interval: option(syncInterval, "Time between syncs of files.", { aliases: ["sync"], default: "2m" }),
  unique_tag: option(text, "Tag prefix whose value must differ between replicas."),
  extension_hint: option(text, "`will_extend` or `no_extend`."),
  max_outstanding_catchup: option(storageSize("max_outstanding_catchup"), "Bytes in flight when a replica catches up.", { default: "64MB" }),
  max_buffered_size: option(storageSize("max_buffered_size"), "Bytes waiting for one stream.", { default: "128MB" }),
  max_buffered_msgs: option(integer, "Messages waiting for one stream.", { default: "100000" }),
  request_queue_limit: option(integer, "Waiting requests.", { default: "10000" }),
  info_queue_limit: option(integer, "Waiting info requests.", { default: "the request limit" }),
  meta_compact: option(absolute(), "Entries after which the meta log is compacted.", { default: "0", reload: "applied" }),
  meta_compact_size: option(storageSize("meta_compact_size"), "Bytes after which the meta log is compacted.", { default: "0", reload: "applied" }),
  meta_compact_sync: option(flag, "Compact the meta log synchronously.", { default: "false", reload: "applied" }),
  max_concurrent_io: option(absolute([4, 8192]), "Concurrent disk operations.", { default: "4096" }),
  limits: option(
    block(jetstreamLimitsBlock, (type) => `Expected a map to define JetStreamLimits, got ${type}`, (read) => read.values),
    "Limits of the server.",
  ),
  tpm: option(
    block(tpmBlock, (type) => `Expected a map to define tpm, got ${type}`, (read) => read.values),
    "Trusted platform module, on Windows.",
    { notBuilt: () => true },
  ),
} satisfies Record<string, AnyOption>;

/** The block with its defaults; a bare `true` is the block without entries. */
export interface ReadJetstream {
  readonly options: JetStreamOptions;
  /** Where `store_dir` stands, when it is given here. */
  readonly storeDirAt?: Position;
}

export const DEFAULT_JETSTREAM: JetStreamOptions = {
  enabled: true,
  storeDir: "",
  maxMemoryBytes: -1,
  maxStoreBytes: -1,
  domain: "",
  key: "",
  previousKey: "",
  cipher: "chacha",
  strict: true,
  syncIntervalMs: 120_000,
  uniqueTag: "",
  extensionHint: "",
  maxCatchupBytes: 0,
  maxBufferedBytes: 128 * 1024 * 1024,
  maxBufferedMessages: 100_000,
  requestQueueLimit: 10_000,
  infoQueueLimit: 10_000,
  hasConcurrentIoLimit: false,
  limits: { maxAckPending: 0, maxHaAssets: 0, maxRequestBatch: 0, duplicateWindowMs: 0, batch: { maxMessages: 0, timeoutMs: 0 } },
};

const positive = (value: number | undefined, otherwise: number): number => (value === undefined || value <= 0 ? otherwise : value);

function blockOptions(values: ValuesOf<typeof jetstreamBlock>): JetStreamOptions {
  const none = DEFAULT_JETSTREAM;
  const limits = values.limits ?? {};
  const batch = limits.batch ?? {};
  const requestQueueLimit = positive(values.request_queue_limit, none.requestQueueLimit);
  const sync = values.sync_interval;
  return {
    enabled: values.enabled ?? true,
    storeDir: values.store_dir ?? "",
    maxMemoryBytes: values.max_memory_store ?? none.maxMemoryBytes,
    maxStoreBytes: values.max_file_store ?? none.maxStoreBytes,
    domain: values.domain ?? "",
    key: values.key ?? "",
    previousKey: values.prev_key ?? "",
    cipher: values.cipher === "aes" ? "aes" : "chacha",
    strict: values.strict ?? true,
    syncIntervalMs: sync === "always" ? "always" : sync === undefined || sync === 0n ? none.syncIntervalMs : msOfNs(sync),
    uniqueTag: (values.unique_tag ?? "").trim().toLowerCase(),
    extensionHint: values.extension_hint ?? "",
    maxCatchupBytes: values.max_outstanding_catchup ?? 0,
    maxBufferedBytes: positive(values.max_buffered_size, none.maxBufferedBytes),
    maxBufferedMessages: positive(values.max_buffered_msgs, none.maxBufferedMessages),
    requestQueueLimit,
    infoQueueLimit: positive(values.info_queue_limit, requestQueueLimit),
    hasConcurrentIoLimit: values.max_concurrent_io !== undefined,
    limits: {
      maxAckPending: limits.max_ack_pending ?? 0,
      maxHaAssets: limits.max_ha_assets ?? 0,
      maxRequestBatch: limits.max_request_batch ?? 0,
      duplicateWindowMs: limits.duplicate_window === undefined ? 0 : msOfNs(limits.duplicate_window),
      batch: {
        maxInflightPerStream: batch.max_inflight_per_stream,
        maxInflightTotal: batch.max_inflight_total,
        maxMessages: batch.max_msgs ?? 0,
        timeoutMs: batch.timeout === undefined ? 0 : msOfNs(batch.timeout),
      },
    },
  };
}

export const jetstream: Form<ReadJetstream> = {
  label: "boolean, `enabled`, `disabled`, or block",
  read({ node }, reading) {
    const { value } = node;
    if (value.kind === "boolean") return { options: { ...DEFAULT_JETSTREAM, enabled: value.boolean } };
    if (value.kind === "string") {
      const word = value.text.toLowerCase();
      if (word === "enabled" || word === "enable") return { options: DEFAULT_JETSTREAM };
      if (word === "disabled" || word === "disable") return { options: { ...DEFAULT_JETSTREAM, enabled: false } };
      reading.error(node.position, `Expected 'enabled' or 'disabled' for string value, got '${value.text}'`);
      return undefined;
    }
    if (value.kind !== "map") {
      reading.error(node.position, `Expected map, bool or string to define JetStream, got ${typeName(value)}`);
      return undefined;
    }
    // Wrong types in this block are reported at the block's own place.
    const { values, entries } = readBlock(jetstreamBlock, value, reading, UNKNOWN_FIELD, node.position);
    return { options: blockOptions(values), storeDirAt: values.store_dir === undefined ? undefined : (entries.get("store_dir")?.node.position ?? node.position) };
  },
};

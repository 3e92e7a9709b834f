/** JetStream as part of this server: its settings from the options, who may use it, its lines in the log. */
import type { Account } from "../accounts/index.ts";
import { GLOBAL_ACCOUNT } from "../accounts/index.ts";
import { type AccountJetStreamOptions, hasJetStream, type JetStreamOptions, type Options } from "../config/index.ts";
import { type AccountLimitsBody, API_LEVEL, JetStream, type JetStreamAccess, type JetStreamHost, type JetStreamSettings, JetStreamStartError, NO_JETSTREAM_LIMITS } from "../jetstream/index.ts";
import type { Logger } from "../log/index.ts";
import { DiskError, type Platform, type StorageDisk } from "../platform/index.ts";
import { formatSize } from "../util/size.ts";
import { effectiveFeatureFlags } from "./banner.ts";
import { clientInfo } from "./clientinfo.ts";
import type { Server } from "./server.ts";
import type { Tenants } from "./tenants.ts";

/** When the machine does not say. */
const UNKNOWN_MEMORY_BYTES = 256 * 1024 * 1024;
const UNKNOWN_DISK_BYTES = 2 ** 40;
/** Share of memory and free disk that is taken when nothing is configured. */
const DYNAMIC_SHARE = 0.75;

const ART = [
  "    _ ___ _____ ___ _____ ___ ___   _   __  __",
  " _ | | __|_   _/ __|_   _| _ \\ __| /_\\ |  \\/  |",
  "| || | _|  | | \\__ \\ | | |   / _| / _ \\| |\\/| |",
  " \\__/|___| |_| |___/ |_| |_|_\\___/_/ \\_\\_|  |_|",
  "",
  "         https://docs.nats.io/jetstream",
  "",
];

export function jetstreamSettings(options: Options, platform: Platform): JetStreamSettings {
  const { jetstream } = options;
  const folder = jetstreamFolder(jetstream, platform);
  const { limits } = jetstream;
  return {
    folder,
    maxMemoryBytes: jetstream.maxMemoryBytes >= 0 ? jetstream.maxMemoryBytes : dynamicMemory(platform),
    maxStoreBytes: jetstream.maxStoreBytes >= 0 ? jetstream.maxStoreBytes : dynamicStore(platform.disk, folder),
    domain: jetstream.domain,
    strict: jetstream.strict,
    encryption: jetstream.key === "" ? undefined : { key: jetstream.key, previousKey: jetstream.previousKey, cipher: jetstream.cipher },
    syncIntervalMs: jetstream.syncIntervalMs,
    maxBufferedBytes: jetstream.maxBufferedBytes,
    maxBufferedMessages: jetstream.maxBufferedMessages,
    requestQueueLimit: jetstream.requestQueueLimit,
    infoQueueLimit: jetstream.infoQueueLimit,
    limits: {
      maxAckPending: limits.maxAckPending,
      maxRequestBatch: limits.maxRequestBatch,
      duplicateWindow: limits.duplicateWindowMs * 1e6,
      batch: {
        maxInflightPerStream: limits.batch.maxInflightPerStream,
        maxInflightTotal: limits.batch.maxInflightTotal,
        maxMessages: limits.batch.maxMessages || 1000,
        timeoutMs: limits.batch.timeoutMs || 10_000,
      },
    },
    ackSubjectsV2: effectiveFeatureFlags(options.featureFlags)["js_ack_fc_v2"] === true,
    maxPayload: options.maxPayload,
    maxPending: options.maxPending,
  };
}

function jetstreamFolder({ storeDir }: JetStreamOptions, { system }: Platform): string {
  return storeDir === "" ? `${system.temporaryFolder}/nats/jetstream` : `${storeDir.replace(/\/+$/, "")}/jetstream`;
}

function dynamicMemory({ system }: Platform): number {
  const bytes = system.memoryBytes();
  return bytes === 0 ? UNKNOWN_MEMORY_BYTES : Math.floor(Math.min(bytes, memoryLimit(system.environment("GOMEMLIMIT")) ?? bytes) * DYNAMIC_SHARE);
}

/** `GOMEMLIMIT`, which operators of the reference server set: bytes, or with a unit such as `MiB`. */
function memoryLimit(text: string | undefined): number | undefined {
  const match = /^(\d+)(?:(B|KiB|MiB|GiB|TiB))?$/.exec(text ?? "");
  if (match === null) return undefined;
  return Number(match[1]) * 1024 ** Math.max(0, ["B", "KiB", "MiB", "GiB", "TiB"].indexOf(match[2] ?? "B"));
}

/** Of the nearest folder that exists. */
function dynamicStore(disk: StorageDisk, folder: string): number {
  for (let path = folder; path !== ""; path = path.slice(0, Math.max(0, path.lastIndexOf("/")))) {
    try {
      return Math.floor(disk.space(path).freeBytes * DYNAMIC_SHARE);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
  return UNKNOWN_DISK_BYTES;
}

/** Folders of accounts in the store, which may be of accounts that are not loaded yet. */
export function storedAccounts(options: Options, platform: Platform): readonly string[] {
  try {
    return platform.disk.list(jetstreamFolder(options.jetstream, platform)).map(({ name }) => name);
  } catch (error) {
    if (error instanceof DiskError) return [];
    throw error;
  }
}

/** Accounts with a `jetstream` entry; the global account when no accounts are configured at all. In operator mode, those whose tokens say so. */
export function jetstreamAccess(options: Options, tenants: Tenants | undefined): JetStreamAccess {
  if (tenants !== undefined) return new Map(tenants.jetstreamTiers());
  const limitsOf = new Map(options.accounts.map(({ name, jetstream }) => [name, jetstream]));
  const names = [GLOBAL_ACCOUNT, ...limitsOf.keys()].filter((name) => hasJetStream(options, name));
  return new Map(
    names.map((name) => {
      const limits = limitsOf.get(name);
      return [name, new Map([["", limits === undefined ? NO_JETSTREAM_LIMITS : limitsBody(limits)]])];
    }),
  );
}

function limitsBody(limits: AccountJetStreamOptions): AccountLimitsBody {
  return {
    max_memory: limits.maxMemory,
    max_storage: limits.maxStore,
    max_streams: limits.maxStreams,
    max_consumers: limits.maxConsumers,
    max_ack_pending: limits.maxAckPending,
    memory_max_stream_bytes: limits.memoryMaxStreamBytes,
    storage_max_stream_bytes: limits.storeMaxStreamBytes,
    max_bytes_required: limits.maxBytesRequired,
  };
}

export function makeJetStream(server: Server): JetStream {
  const host: JetStreamHost = {
    clock: server.clock,
    random: server.random,
    disk: server.platform.disk,
    log: server.log,
    server: server.identity,
    accounts: () => server.accounts.byName.values(),
    systemAccount: (): Account | undefined => server.account(server.options.systemAccount),
    atEndOfTurn: (item) => server.turn.addStorage(item),
    afterTurn: (item) => server.turn.addBeside(item),
    clientInfo: (origin) => clientInfo(origin, server.identity.name),
    limitsRefused: (account, reason) => refuseLimits(server, account, reason),
  };
  return new JetStream(host, jetstreamSettings(server.options, server.platform));
}

/** A configuration that promises too much is not started with; when it comes later, or as a token, the account goes without. */
function refuseLimits(server: Server, account: string, reason: string): void {
  const { tenants, log } = server;
  if (tenants !== undefined) return log.error(`Error configuring jetstream for account [${account}/${tenants.book.claims(account)?.name ?? account}]: ${reason}`);
  const text = `Error enabling jetstream on configured accounts: ${reason}`;
  if (server.jetstream === undefined) throw new JetStreamStartError(text);
  log.error(text);
}

/** The lines of a start, up to what is recovered. */
export function logJetStream(log: Logger, options: JetStreamOptions, settings: JetStreamSettings): void {
  log.info("Starting JetStream");
  if (options.storeDir === "") log.warn("Temporary storage directory used, data could be lost on system reboot");
  if (options.hasConcurrentIoLimit) log.warn("max_concurrent_io has no meaning here: storage is written from one loop");
  for (const line of ART) log.info(line);
  log.info("---------------- JETSTREAM ----------------");
  if (settings.strict) log.info("  Strict:          true");
  log.info(`  Max Memory:      ${formatSize(settings.maxMemoryBytes)}`);
  log.info(`  Max Storage:     ${formatSize(settings.maxStoreBytes)}`);
  log.info(`  Store Directory: "${settings.folder}"`);
  if (settings.domain !== "") log.info(`  Domain:          ${settings.domain}`);
  if (settings.encryption !== undefined) log.info(`  Encryption:      ${settings.encryption.cipher === "aes" ? "AES-GCM" : "ChaCha20-Poly1305"}`);
  log.info(`  API Level:       ${API_LEVEL}`);
  log.info("-------------------------------------------");
}

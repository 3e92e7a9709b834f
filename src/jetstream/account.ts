/**
 * An account that may use JetStream: its streams, its limits, what it uses and what it has reserved. Limits are one flat set, or one per tier (`R1`, `R3`)
 * when they come from an account JWT.
 */
import type { Account } from "../accounts/index.ts";
import { InternalLink } from "../links/internal/index.ts";
import { OncePerInterval } from "../log/index.ts";
import { encodeJson } from "../protocol/index.ts";
import { toByteString } from "../util/bytes.ts";
import { timestamp } from "../util/timestamp.ts";
import { apiError } from "./api/errors.ts";
import type { JetStreamContext } from "./context.ts";
import { encodeInSteps } from "./json/index.ts";
import type { AdvisoryAudience, AssetAccount } from "./seams.ts";
import type { Sliced } from "./slices.ts";
import type { Stream } from "./stream/index.ts";
import type { AccountLimitsBody, Storage, StreamConfig } from "./wire.ts";

/** How trace events name JetStream among kinds of peers. */
const KIND_JETSTREAM = 5;

/** Flat limits have one entry, named "". */
export type AccountTiers = ReadonlyMap<string, AccountLimitsBody>;

export const NO_JETSTREAM_LIMITS: AccountLimitsBody = {
  max_memory: -1,
  max_storage: -1,
  max_streams: -1,
  max_consumers: -1,
  max_ack_pending: -1,
  memory_max_stream_bytes: -1,
  storage_max_stream_bytes: -1,
  max_bytes_required: false,
};

/** A stream asks for more than this server knows: it stays on disk, and is named with the reason. */
export class OfflineError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "OfflineError";
  }
}

export interface Usage {
  memory: number;
  store: number;
}

export class JetStreamAccount implements AssetAccount {
  readonly link: InternalLink;
  /** Requests answered and refused by this server. */
  readonly api = { total: 0, errors: 0 };
  readonly usage: Usage = { memory: 0, store: 0 };
  /** Streams that this server cannot serve, and why, by name. */
  readonly offline = new Map<string, string>();
  /** Names of streams whose restore is being finished: they have a folder, and are not there yet. */
  readonly arriving = new Set<string>();
  readonly #streams = new Map<string, Stream>();
  readonly #complaints: OncePerInterval;

  constructor(
    readonly account: Account,
    readonly context: JetStreamContext,
    public tiers: AccountTiers,
    /** Publishes in the system account; undefined while there is none. */
    private readonly system: () => InternalLink | undefined,
  ) {
    this.link = new InternalLink(account, KIND_JETSTREAM, "JETSTREAM");
    this.#complaints = new OncePerInterval(context.clock);
  }

  get name(): string {
    return this.account.name;
  }

  /** Where the account's streams are kept. */
  get folder(): string {
    return `${this.context.settings.folder}/${this.name}/streams`;
  }

  stream(name: string): Stream | undefined {
    return this.#streams.get(name);
  }

  streams(): Iterable<Stream> {
    return this.#streams.values();
  }

  /** Sorted by name. */
  sortedStreams(): Stream[] {
    return [...this.#streams.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  add(stream: Stream): void {
    this.#streams.set(stream.name, stream);
  }

  remove(stream: Stream): void {
    if (this.#streams.get(stream.name) === stream) this.#streams.delete(stream.name);
  }

  // Limits

  get isTiered(): boolean {
    return !this.tiers.has("");
  }

  limitsFor(replicas: number): AccountLimitsBody {
    const limits = this.tiers.get("") ?? this.tiers.get(tierName(replicas));
    if (limits === undefined) throw apiError(10120);
    return limits;
  }

  addUsage(storage: Storage, bytes: number): void {
    if (storage === "memory") {
      this.usage.memory += bytes;
      this.context.usage.memory += bytes;
    } else {
      this.usage.store += bytes;
      this.context.usage.store += bytes;
    }
  }

  storeRefusal(storage: Storage, bytes: number, replicas: number): 10002 | 10023 | 10120 | undefined {
    const limits = this.tiers.get("") ?? this.tiers.get(tierName(replicas));
    if (limits === undefined) return 10120;
    const { settings, usage } = this.context;
    const isMemory = storage === "memory";
    const most = isMemory ? limits.max_memory : limits.max_storage;
    if (most >= 0 && (isMemory ? this.usage.memory : this.usage.store) + bytes > most) return this.#isFull(storage);
    // The server's limit stops what comes after it is exceeded, not the message that exceeds it.
    return (isMemory ? usage.memory > settings.maxMemoryBytes : usage.store > settings.maxStoreBytes) ? this.#serverIsFull(storage) : undefined;
  }

  #isFull(storage: Storage): 10002 {
    const complaint = `JetStream ${storage} resource limits exceeded for account: ${JSON.stringify(this.name)}`;
    if (this.#complaints.admits(complaint)) this.context.log.warn(complaint);
    return 10002;
  }

  #serverIsFull(storage: Storage): 10023 {
    this.context.exhausted(storage);
    return 10023;
  }

  /** Bytes reserved by `max_bytes` of the streams, those of one tier when it is given; without one stream, when it is about to change. */
  reserved(storage: Storage, options: { readonly tier?: string; readonly without?: string } = {}): number {
    let sum = 0;
    for (const { config } of this.#streams.values()) {
      if (config.storage !== storage || config.name === options.without || config.max_bytes <= 0) continue;
      if (options.tier !== undefined && options.tier !== "" && tierName(config.num_replicas) !== options.tier) continue;
      // Flat limits count every replica; a tier's are per replica.
      sum += this.isTiered ? config.max_bytes : config.max_bytes * config.num_replicas;
    }
    return sum;
  }

  /**
   * Whether the account and the server can take a stream of this configuration (instead of the present one of that name, if there is one). Throws 10120, 10027, 10026,
   * 10028 or 10047. `serverReserved` is what all accounts have reserved already, without this stream.
   */
  checkLimits(config: StreamConfig, serverReserved: number): void {
    this.checkCounts(config);
    const limits = this.limitsFor(config.num_replicas);
    const { storage } = config;
    const isMemory = storage === "memory";
    const tooSmall = (): Error => apiError(isMemory ? 10028 : 10047);
    const exists = this.#streams.has(config.name);
    const tier = this.isTiered ? tierName(config.num_replicas) : "";
    const bytes = Math.max(0, config.max_bytes);
    const accountMax = isMemory ? limits.max_memory : limits.max_storage;
    const wanted = bytes * (this.isTiered ? 1 : config.num_replicas);
    if (accountMax >= 0 && this.reserved(storage, { tier, without: config.name }) + wanted > accountMax) throw tooSmall();
    const serverMax = isMemory ? this.context.settings.maxMemoryBytes : this.context.settings.maxStoreBytes;
    // A stream that reserves nothing still needs room for a byte.
    if (serverReserved + Math.max(bytes, exists ? 0 : 1) > serverMax) throw tooSmall();
  }

  /** The part of `checkLimits` that asks not for bytes: 10120, 10027 or 10026. */
  checkCounts({ name, num_replicas: replicas, max_consumers: consumers }: StreamConfig): void {
    const limits = this.limitsFor(replicas);
    const others = this.isTiered ? [...this.#streams.values()].filter(({ config }) => tierName(config.num_replicas) === tierName(replicas)).length : this.#streams.size;
    if (!this.#streams.has(name) && limits.max_streams > 0 && others >= limits.max_streams) throw apiError(10027);
    if (limits.max_consumers > 0 && consumers > limits.max_consumers) throw apiError(10026);
  }

  // Advisories

  advise(subject: string, type: string, fields: Readonly<Record<string, unknown>>, audience: AdvisoryAudience = "account"): void {
    const full = `$JS.EVENT.${toByteString(subject)}`;
    const system = audience === "account" ? undefined : this.system();
    const toAccount = audience !== "system" && this.link.hasInterest(full);
    const toSystem = system !== undefined && system.account !== this.account && system.hasInterest(full);
    if (!toAccount && !toSystem) return;
    const kind = subject.startsWith("METRIC.") ? "metric" : "advisory";
    const head = this.#adviceHead(kind, type);
    const rest = this.#withDomain(fields);
    if (toAccount) this.link.publish(full, "", "", toByteString(encodeJson({ ...head, ...rest })));
    if (toSystem) system.publish(full, "", "", toByteString(encodeJson({ ...head, account: this.name, ...rest })));
  }

  /** As `advise` to the account, of what takes long to put together: that is done only if somebody listens. */
  *adviseInSteps(subject: string, type: string, fields: () => Sliced<Readonly<Record<string, unknown>>>): Sliced<void> {
    const full = `$JS.EVENT.${toByteString(subject)}`;
    if (!this.link.hasInterest(full)) return;
    const head = this.#adviceHead("advisory", type);
    const advice = yield* encodeInSteps({ ...head, ...this.#withDomain(yield* fields()) });
    this.link.publish(full, "", "", advice.bytes());
  }

  #adviceHead(kind: "advisory" | "metric", type: string): Readonly<Record<string, unknown>> {
    return { type: `io.nats.jetstream.${kind}.v1.${type}`, id: this.context.nuid(), timestamp: timestamp(this.context.clock.nowNs()) };
  }

  #withDomain(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { domain } = this.context.settings;
    return domain === "" || "domain" in fields ? fields : { ...fields, domain };
  }
}

/** Name of the tier for streams of so many replicas. */
export function tierName(replicas: number): string {
  return `R${replicas}`;
}

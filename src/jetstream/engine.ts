/**
 * JetStream of one server: its accounts, its storage folder, and the API. It sees the core only as accounts to subscribe and publish in.
 *
 * Start: take the folder's lock, then read back the streams of every account, before any client may connect. A stream that cannot be read back is reported and left
 * alone; it never keeps the server, or another stream, from starting.
 */
import type { Account } from "../accounts/index.ts";
import { InternalLink } from "../links/internal/index.ts";
import { DiskError, type Clock, type DiskLock, type Random, type StorageDisk } from "../platform/index.ts";
import { type Logger, OncePerInterval } from "../log/index.ts";
import type { Subscriber } from "../routing/index.ts";
import { timestamp } from "../util/timestamp.ts";
import { Nuid } from "../util/nuid.ts";
import { encodeJson } from "../protocol/index.ts";
import { toByteString } from "../util/bytes.ts";
import { type AccountTiers, JetStreamAccount, OfflineError } from "./account.ts";
import { accountRoutes } from "./api/account.ts";
import { consumerRoutes } from "./api/consumers.ts";
import { Dispatcher, isOfApi } from "./api/dispatch.ts";
import { messageRoutes } from "./api/messages.ts";
import { snapshotRoutes } from "./api/snapshots.ts";
import { streamRoutes } from "./api/streams.ts";
import { handlePull, openAckRoads } from "./consumer/index.ts";
import type { EndOfTurn, JetStreamContext, JetStreamSettings } from "./context.ts";
import { MeasuredPace, removeLeftovers, type SyncPace } from "./store/index.ts";
import { Stream, UnfinishedError } from "./stream/index.ts";
import type { Storage } from "./wire.ts";

/** JetStream cannot start; the text follows `Can't start JetStream: `. */
export class JetStreamStartError extends Error {
  constructor(text: string) {
    super(text);
    this.name = "JetStreamStartError";
  }
}

/** What the engine needs of the server. */
export interface JetStreamHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: StorageDisk;
  readonly log: Logger;
  readonly server: { readonly id: string; readonly name: string };
  /** All accounts, those without JetStream too: they get an answer that says so. */
  accounts(): Iterable<Account>;
  systemAccount(): Account | undefined;
  atEndOfTurn(item: EndOfTurn): void;
  afterTurn(item: EndOfTurn): void;
  clientInfo(origin: Subscriber | undefined): Readonly<Record<string, unknown>> | undefined;
  /** What an account was promised does not fit into what the server has left. May throw `JetStreamStartError` while the server starts. */
  limitsRefused(account: string, reason: string): void;
}

/** Accounts that may use JetStream, with their limits. */
export type JetStreamAccess = ReadonlyMap<string, AccountTiers>;

/** Messages that the whole server has no room for are in the log that often. */
const COMPLAINT_MS = 10_000;
const LOCK_FILE = ".lock";

export class JetStream implements JetStreamContext {
  settings: JetStreamSettings;
  readonly usage = { memory: 0, store: 0 };
  readonly batches = { atomic: 0, fast: 0 };
  readonly syncPace: SyncPace;
  readonly #host: JetStreamHost;
  readonly #nuid: Nuid;
  readonly #accounts = new Map<string, JetStreamAccount>();
  /** How each account reaches the API. */
  readonly #doors = new Map<Account, InternalLink>();
  readonly #dispatcher: Dispatcher;
  /** `<account> > <stream>` that could not be read back, with the reason. */
  readonly unrecovered = new Map<string, string>();
  /** What was last said about an account whose limits do not fit. */
  readonly #refused = new Map<string, string>();
  #lock: DiskLock | undefined = undefined;
  #stopped = false;
  readonly #complaints: OncePerInterval;

  constructor(host: JetStreamHost, settings: JetStreamSettings) {
    this.#host = host;
    this.settings = settings;
    this.syncPace = new MeasuredPace(host.clock);
    this.#complaints = new OncePerInterval(host.clock, COMPLAINT_MS);
    this.#nuid = new Nuid((below) => host.random.integer(below));
    const routes = [...accountRoutes, ...streamRoutes, ...messageRoutes, ...consumerRoutes, ...snapshotRoutes];
    this.#dispatcher = new Dispatcher(
      {
        context: this,
        account: (name) => this.#accounts.get(name),
        pull: handlePull,
        onDropped: (dropped) => this.#adviseDropped(dropped),
      },
      routes,
    );
  }

  get clock(): Clock {
    return this.#host.clock;
  }

  get random(): Random {
    return this.#host.random;
  }

  get disk(): StorageDisk {
    return this.#host.disk;
  }

  get log(): Logger {
    return this.#host.log;
  }

  get server(): JetStreamContext["server"] {
    return this.#host.server;
  }

  atEndOfTurn(item: EndOfTurn): void {
    this.#host.atEndOfTurn(item);
  }

  afterTurn(item: EndOfTurn): void {
    this.#host.afterTurn(item);
  }

  nuid(): string {
    return this.#nuid.next();
  }

  clientInfo(origin: Subscriber | undefined): Readonly<Record<string, unknown>> | undefined {
    return this.#host.clientInfo(origin);
  }

  reserved(storage: Storage, without?: { readonly account: string; readonly stream: string }): number {
    let sum = 0;
    for (const account of this.#accounts.values()) {
      sum += account.reserved(storage, without?.account === account.name ? { without: without.stream } : {});
    }
    return sum;
  }

  exhausted(storage: Storage): void {
    if (this.#complaints.admits("")) this.log.error(`JetStream ${storage} resource limits exceeded for server`);
  }

  /** Requests of the API waiting or being carried out. */
  get apiInflight(): number {
    return this.#dispatcher.inflight;
  }

  /** Accounts with JetStream, by name. */
  get accounts(): ReadonlyMap<string, JetStreamAccount> {
    return this.#accounts;
  }

  // Start

  /** Takes the folder and reads back what is in it. Throws `JetStreamStartError`. */
  async start(access: JetStreamAccess): Promise<void> {
    this.#openFolder();
    this.#attach(access);
    for (const account of this.#accounts.values()) await this.#recover(account);
  }

  #openFolder(): void {
    const { folder } = this.settings;
    try {
      this.disk.makeFolder(folder);
    } catch (error) {
      if (error instanceof DiskError) throw new JetStreamStartError(`could not create storage directory - ${error.message}`);
      throw error;
    }
    try {
      this.#lock = this.disk.lock(`${folder}/${LOCK_FILE}`);
    } catch (error) {
      if (error instanceof DiskError) throw new JetStreamStartError("storage directory is not writable");
      throw error;
    }
    if (this.#lock === undefined) throw new JetStreamStartError(`storage directory ${JSON.stringify(folder)} is in use by another server`);
  }

  /** Why these limits of an account do not fit into what the server has, beside those of the other accounts; undefined when they do. */
  #misfit(name: string, tiers: AccountTiers): string | undefined {
    const promised = (of: AccountTiers, field: "max_memory" | "max_storage"): number => [...of.values()].reduce((sum, limits) => sum + Math.max(0, limits[field]), 0);
    const exceeds = (field: "max_memory" | "max_storage", most: number): boolean => {
      const others = [...this.#accounts.values()].reduce((sum, account) => sum + (account.name === name ? 0 : promised(account.tiers, field)), 0);
      return promised(tiers, field) > 0 && others + promised(tiers, field) > most;
    };
    const { maxMemoryBytes, maxStoreBytes } = this.settings;
    if (exceeds("max_memory", maxMemoryBytes)) return "insufficient memory resources available (10028)";
    return exceeds("max_storage", maxStoreBytes) ? "insufficient storage resources available (10047)" : undefined;
  }

  /**
   * Makes JetStream accounts for those that may, and a door to the API for all. An account whose limits do not fit keeps those it had; a new one has no JetStream, and
   * nobody answers it.
   */
  #attach(access: JetStreamAccess): void {
    for (const account of this.#host.accounts()) {
      const tiers = access.get(account.name);
      if (tiers === undefined) this.greet(account);
      else this.#admit(account, tiers);
    }
  }

  /** Said once, not again whenever some account changes. */
  #refuse(name: string, misfit: string, tiers: AccountTiers): void {
    const said = JSON.stringify([misfit, ...tiers]);
    if (this.#refused.get(name) === said) return;
    this.#refused.set(name, said);
    this.#host.limitsRefused(name, misfit);
  }

  #admit(account: Account, tiers: AccountTiers): void {
    const misfit = this.#misfit(account.name, tiers);
    if (misfit !== undefined) return this.#refuse(account.name, misfit, tiers);
    this.#refused.delete(account.name);
    const present = this.#accounts.get(account.name);
    if (present !== undefined) {
      present.tiers = tiers;
      return;
    }
    const made = new JetStreamAccount(account, this, tiers, () => this.#systemDoor());
    this.#accounts.set(account.name, made);
    openAckRoads(made);
  }

  /** An account that came later, without JetStream: it is told so when it asks. */
  greet(account: Account): void {
    if (!this.#doors.has(account)) this.#openDoor(account, new InternalLink(account, KIND_JETSTREAM, "JETSTREAM"));
  }

  #openDoor(account: Account, link: InternalLink): void {
    const receive = (purges: boolean): Parameters<InternalLink["subscribe"]>[1] => (message, subject, origin) => {
      if (purges && subject.startsWith(PURGE_PREFIX)) return this.#purgeAccount(link, subject.slice(PURGE_PREFIX.length), message.reply());
      // Who takes the API of another account talks to that one's JetStream.
      if (account.importsService(subject)) return false;
      if (message.trace !== undefined && isOfApi(subject)) {
        // The API is a service of the system account's, as traces show it, and they do not pass into that.
        message.trace.served(this.#host.systemAccount()?.name ?? "$SYS", subject, subject);
        if (message.trace.only) return false;
      }
      return this.#dispatcher.receive(link, message, subject, origin);
    };
    link.subscribe("$JS.API.>", receive(account.isSystem));
    this.#doors.set(account, link);
  }

  #systemDoor(): InternalLink | undefined {
    const account = this.#host.systemAccount();
    return account === undefined ? undefined : this.#doors.get(account);
  }

  /** Reads back an account's streams; then it is answered. */
  async #recover(account: JetStreamAccount): Promise<void> {
    if (this.disk.exists(account.folder)) await this.#recoverStreams(account);
    if (!this.#stopped && this.#accounts.get(account.name) === account) this.#openDoor(account.account, account.link);
  }

  async #recoverStreams(account: JetStreamAccount): Promise<void> {
    removeLeftovers(this.disk, account.folder);
    for (const { name, isDirectory } of this.disk.list(account.folder).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (!isDirectory || name.startsWith(".")) continue;
      const title = `${account.name} > ${name}`;
      this.log.info(`  Starting restore for stream '${title}'`);
      const startMs = this.clock.monotonicMs();
      try {
        const stream = await Stream.recover(account, `${account.folder}/${name}`);
        if (this.#stopped || this.#accounts.get(account.name) !== account) return stream.stop();
        this.log.info(`  Restored ${grouped(stream.store.state.messages)} messages for stream '${title}' in ${Math.max(1, Math.round(this.clock.monotonicMs() - startMs))}ms`);
        if (stream.consumers.count > 0) this.log.info(`  Recovering ${stream.consumers.count} consumers for stream - '${title}'`);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (error instanceof UnfinishedError) {
          this.log.warn(`  Stream '${title}' was being made when the machine stopped: removed`);
          continue;
        }
        if (error instanceof OfflineError) {
          account.offline.set(name, reason);
          this.log.warn(`  Stream '${title}' is offline: ${reason}`);
          continue;
        }
        this.unrecovered.set(title, reason);
        this.log.warn(`  Error recreating stream '${title}': ${reason}`);
      }
    }
  }

  // Reload and stop

  /** Takes up other settings and access. Streams of an account that lost JetStream stop, and stay on disk. */
  async update(settings: JetStreamSettings, access: JetStreamAccess): Promise<void> {
    this.settings = settings;
    const known = new Set(this.#host.accounts());
    for (const [name, account] of this.#accounts) {
      if (access.has(name) && known.has(account.account)) continue;
      this.#stopStreams(account);
      this.#accounts.delete(name);
      this.#closeDoor(account.account);
    }
    for (const account of this.#doors.keys()) if (!known.has(account)) this.#closeDoor(account);
    const before = new Set(this.#accounts.keys());
    // A door that answered "not enabled" gives way to that of the JetStream account.
    for (const account of this.#host.accounts()) if (access.has(account.name) && !before.has(account.name)) this.#closeDoor(account);
    this.#attach(access);
    for (const [name, account] of this.#accounts) if (!before.has(name)) await this.#recover(account);
  }

  /** What one stream cannot write any more must not keep the others, and the server's end, waiting. */
  #stopStreams(account: JetStreamAccount): void {
    for (const stream of account.streams()) {
      try {
        stream.stop();
      } catch (error) {
        this.log.error(`Error stopping stream '${account.name} > ${stream.name}': ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  #closeDoor(account: Account): void {
    const link = this.#doors.get(account);
    if (link === undefined) return;
    link.close();
    this.#doors.delete(account);
  }

  /** Writes everything and lets go of the folder. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const account of this.#accounts.values()) this.#stopStreams(account);
    for (const account of [...this.#doors.keys()]) this.#closeDoor(account);
    this.#accounts.clear();
    this.#lock?.release();
  }

  // System account

  outOfStorage(stream: string): void {
    const { id, name } = this.server;
    this.#adviseServer("SERVER.OUT_OF_STORAGE", "server_out_of_space", { server: name, server_id: id, stream, cluster: "" });
  }

  #adviseDropped(dropped: number): void {
    const { domain } = this.settings;
    // Here the domain is not the last.
    this.#adviseServer("API.LIMIT_REACHED", "api_limit_reached", { server: this.server.name, ...(domain === "" ? {} : { domain }), dropped });
  }

  /** An advisory of the server's own, which no account but the system's gets. */
  #adviseServer(subject: string, type: string, fields: Readonly<Record<string, unknown>>): void {
    const link = this.#systemDoor();
    const full = `$JS.EVENT.ADVISORY.${subject}`;
    if (link?.hasInterest(full) !== true) return;
    const { domain } = this.settings;
    const head = { type: `io.nats.jetstream.advisory.v1.${type}`, id: this.nuid(), timestamp: timestamp(this.clock.nowNs()) };
    const rest = domain === "" || "domain" in fields ? fields : { ...fields, domain };
    link.publish(full, "", "", toByteString(encodeJson({ ...head, ...rest })));
  }

  /** `ACCOUNT.PURGE` from the system account: the account's streams and its folder go, also when the account is not known any more. */
  #purgeAccount(link: InternalLink, name: string, reply: string): boolean {
    const type = "io.nats.jetstream.api.v1.account_purge_response";
    const answer = (body: Readonly<Record<string, unknown>>): boolean => {
      if (reply !== "") link.publish(reply, "", "", toByteString(encodeJson({ type, ...body })));
      return true;
    };
    if (/[\\/]/.test(name)) return answer({ error: { code: 500, err_code: 10051, description: "account name can not contain path separators" } });
    const account = this.#accounts.get(name);
    for (const stream of [...(account?.streams() ?? [])]) stream.delete();
    this.disk.removeTree(`${this.settings.folder}/${name}`);
    return answer({ initiated: true });
  }
}

const PURGE_PREFIX = "$JS.API.ACCOUNT.PURGE.";
const KIND_JETSTREAM = 5;

/** `1234567` as `1,234,567`. */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

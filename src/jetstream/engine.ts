/**
 * JetStream of one server: its accounts, its storage folder, and the API. It sees the core only as accounts to subscribe and publish in.
 *
 * Start: take the folder's lock, then read back the streams of every account, before any client may connect. A stream that cannot be read back is reported and left
 * alone; it never keeps the server, or another stream, from starting.
 */
import type { Account } from "../accounts/index.ts";
import { InternalLink } from "../links/internal/index.ts";
import { DiskError, type Clock, type DiskLock, type Random, type StorageDisk } from "../platform/index.ts";
import type { Logger } from "../log/index.ts";
import type { Subscriber } from "../routing/index.ts";
import { timestamp } from "../util/timestamp.ts";
import { Nuid } from "../util/nuid.ts";
import { encodeJson } from "../protocol/index.ts";
import { toByteString } from "../util/bytes.ts";
import { type AccountTiers, JetStreamAccount, OfflineError } from "./account.ts";
import { accountRoutes } from "./api/account.ts";
import { consumerRoutes } from "./api/consumers.ts";
import { Dispatcher } from "./api/dispatch.ts";
import { messageRoutes } from "./api/messages.ts";
import { snapshotRoutes } from "./api/snapshots.ts";
import { streamRoutes } from "./api/streams.ts";
import { handlePull, openAckRoads } from "./consumer/index.ts";
import type { EndOfTurn, JetStreamContext, JetStreamSettings } from "./context.ts";
import { removeLeftovers } from "./store/index.ts";
import { Stream } from "./stream/index.ts";
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
  clientInfo(origin: Subscriber | undefined): Readonly<Record<string, unknown>> | undefined;
}

/** Accounts that may use JetStream, with their limits. */
export type JetStreamAccess = ReadonlyMap<string, AccountTiers>;

const LOCK_FILE = ".lock";

export class JetStream implements JetStreamContext {
  settings: JetStreamSettings;
  readonly usage = { memory: 0, store: 0 };
  readonly batches = { atomic: 0, fast: 0 };
  readonly #host: JetStreamHost;
  readonly #nuid: Nuid;
  readonly #accounts = new Map<string, JetStreamAccount>();
  /** How each account reaches the API. */
  readonly #doors = new Map<Account, InternalLink>();
  readonly #dispatcher: Dispatcher;
  /** `<account> > <stream>` that could not be read back, with the reason. */
  readonly unrecovered = new Map<string, string>();
  #lock: DiskLock | undefined = undefined;
  #stopped = false;

  constructor(host: JetStreamHost, settings: JetStreamSettings) {
    this.#host = host;
    this.settings = settings;
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
    this.#checkTotals();
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

  /** Limits that accounts were promised must fit into what the server has. */
  #checkTotals(): void {
    const total = (field: "max_memory" | "max_storage"): number =>
      [...this.#accounts.values()].reduce((sum, { tiers }) => sum + Math.max(0, tiers.get("")?.[field] ?? 0), 0);
    const { maxMemoryBytes, maxStoreBytes } = this.settings;
    if (total("max_memory") > maxMemoryBytes) throw new JetStreamStartError("insufficient memory resources available (10028)");
    if (total("max_storage") > maxStoreBytes) throw new JetStreamStartError("insufficient storage resources available (10047)");
  }

  /** Makes JetStream accounts for those that may, and a door to the API for all. */
  #attach(access: JetStreamAccess): void {
    for (const account of this.#host.accounts()) {
      const tiers = access.get(account.name);
      const present = this.#accounts.get(account.name);
      if (tiers !== undefined && present !== undefined) present.tiers = tiers;
      if (tiers !== undefined && present === undefined) {
        const made = new JetStreamAccount(account, this, tiers, () => this.#systemDoor());
        this.#accounts.set(account.name, made);
        openAckRoads(made);
        this.#openDoor(account, made.link);
      } else if (!this.#doors.has(account)) this.#openDoor(account, new InternalLink(account, KIND_JETSTREAM, "JETSTREAM"));
    }
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
      return this.#dispatcher.receive(link, message, subject, origin);
    };
    link.subscribe("$JS.API.>", receive(account.isSystem));
    this.#doors.set(account, link);
  }

  #systemDoor(): InternalLink | undefined {
    const account = this.#host.systemAccount();
    return account === undefined ? undefined : this.#doors.get(account);
  }

  async #recover(account: JetStreamAccount): Promise<void> {
    if (!this.disk.exists(account.folder)) return;
    removeLeftovers(this.disk, account.folder);
    for (const { name, isDirectory } of this.disk.list(account.folder).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (!isDirectory || name.startsWith(".")) continue;
      const title = `${account.name} > ${name}`;
      this.log.info(`  Starting restore for stream '${title}'`);
      const startMs = this.clock.monotonicMs();
      try {
        const stream = await Stream.recover(account, `${account.folder}/${name}`);
        account.add(stream);
        this.log.info(`  Restored ${grouped(stream.store.state.messages)} messages for stream '${title}' in ${Math.max(1, Math.round(this.clock.monotonicMs() - startMs))}ms`);
        if (stream.consumers.count > 0) this.log.info(`  Recovering ${stream.consumers.count} consumers for stream - '${title}'`);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
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

  #adviseDropped(dropped: number): void {
    const link = this.#systemDoor();
    const subject = "$JS.EVENT.ADVISORY.API.LIMIT_REACHED";
    if (link?.hasInterest(subject) !== true) return;
    const { domain } = this.settings;
    const advisory = {
      type: "io.nats.jetstream.advisory.v1.api_limit_reached",
      id: this.nuid(),
      timestamp: timestamp(this.clock.nowNs()),
      server: this.server.name,
      ...(domain === "" ? {} : { domain }),
      dropped,
    };
    link.publish(subject, "", "", toByteString(encodeJson(advisory)));
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

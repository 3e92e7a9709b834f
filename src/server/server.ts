/**
 * The composition root: builds every part from the options and owns start, lame duck and stop (`reload.ts` has reload). It is the `LinkHost` of its
 * connections.
 */
import type { Account } from "../accounts/index.ts";
import { CalloutAuthenticator, type CalloutHost } from "../auth/callout/index.ts";
import { type Authenticator, ConfiguredAuthenticator } from "../auth/index.ts";
import { type AccountBook, OperatorAuthenticator } from "../auth/operator/index.ts";
import { type AccountOptions, isOperatorMode, type Options } from "../config/index.ts";
import { acceptClient, type AcceptSettings, CLOSE_FLUSH_MS, ClientLink, HandshakeRateLimit, type LinkHost, type LinkSettings, type LinkStats, Turn } from "../links/index.ts";
import { acceptWebsocket } from "../links/websocket/index.ts";
import { type JetStream, JetStreamStartError } from "../jetstream/index.ts";
import type { Logger } from "../log/index.ts";
import { type Clock, type Listener, ListenError, type Platform, type Random } from "../platform/index.ts";
import { type Monitor, type MonitorSource, MonitorState, startMonitor } from "../monitor/index.ts";
import type { CloseReason, ServerInfo } from "../protocol/index.ts";
import { Message, seedDistribution } from "../routing/index.ts";
import { formatDuration, formatDurationMs } from "../util/duration.ts";
import { joinHostPort, splitHostPort } from "../util/hostport.ts";
import { randomDigits } from "../util/nuid.ts";
import { timestamp } from "../util/timestamp.ts";
import { VERSION } from "../util/version.ts";
import { Accounts } from "./accounts.ts";
import { effectiveFeatureFlags, logBanner } from "./banner.ts";
import { calloutHost } from "./callout.ts";
import { Connections } from "./connections.ts";
import { makeIdentity, type ServerIdentity, type ServerKeys } from "./identity.ts";
import { jetstreamAccess, logJetStream, makeJetStream, storedAccounts } from "./jetstream.ts";
import { LameDuck } from "./lameduck.ts";
import { writePidFile } from "./pidfile.ts";
import { type PortsListener, portsFilePath, removePortsFile, writePortsFile } from "./portsfile.ts";
import { closeAccountSurplus, type ReloadDoors, reload } from "./reload.ts";
import { acceptSettings, linkSettings } from "./settings.ts";
import { System } from "../system/index.ts";
import { Tenants } from "./tenants.ts";

/** A start that cannot go on; the text is what the user sees after `[FTL]`. */
export class FatalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FatalError";
  }
}

export class Server implements LinkHost, MonitorSource {
  readonly platform: Platform;
  readonly log: Logger;
  readonly identity: ServerIdentity;
  readonly connections: Connections;
  readonly accounts: Accounts;
  /** Undefined outside operator mode. */
  readonly tenants: Tenants | undefined;
  readonly turn: Turn;
  readonly message = new Message();
  readonly monitoring: MonitorState;
  readonly handshakes: HandshakeRateLimit;
  readonly startedAtNs: bigint;
  configLoadedAtNs: bigint;
  options: Options;
  settings: LinkSettings;
  accepting: AcceptSettings;
  authenticator: Authenticator;

  readonly #reloadDoors: ReloadDoors;
  readonly #callout: CalloutHost;
  #clientListener: Listener | undefined = undefined;
  #websocketListener: Listener | undefined = undefined;
  #monitor: Monitor | undefined = undefined;
  /** Undefined without a system account. */
  #guest: string | undefined = undefined;
  #system: System | undefined = undefined;
  /** Undefined while JetStream is off, or could not start. */
  jetstream: JetStream | undefined = undefined;

  constructor(parts: { readonly options: Options; readonly platform: Platform; readonly log: Logger; readonly reload: ReloadDoors; readonly keys: ServerKeys }) {
    this.#reloadDoors = parts.reload;
    this.options = parts.options;
    this.platform = parts.platform;
    this.log = parts.log;
    this.identity = makeIdentity(parts.keys, parts.options.serverName);
    this.#callout = calloutHost(this, parts.keys);
    this.turn = new Turn(this.clock);
    this.monitoring = new MonitorState(parts.platform);
    this.settings = linkSettings(parts.options);
    this.accepting = acceptSettings(parts.options, parts.platform.network);
    this.handshakes = new HandshakeRateLimit(this.clock, this.log);
    this.connections = new Connections(this.clock, parts.options.maxClosedClients, (link) => this.#onDeadline(link));
    this.accounts = new Accounts(this.clock, this.random, () => this.identity.name);
    this.accounts.update(parts.options, "", []);
    this.tenants = isOperatorMode(parts.options) ? new Tenants(this) : undefined;
    this.authenticator = this.authenticatorFor(parts.options);
    this.startedAtNs = this.configLoadedAtNs = this.clock.nowNs();
    seedDistribution(this.random.integer(2 ** 31));
  }

  authenticatorFor(options: Options): Authenticator {
    if (this.tenants !== undefined) return new CalloutAuthenticator(new OperatorAuthenticator(options, this.tenants.book), options, this.#callout, true);
    const configured = new ConfiguredAuthenticator(options, this.platform.system, () => (this.#guest ??= `nats-${randomDigits(8, (below) => this.random.integer(below))}`));
    return options.authCallout === undefined ? configured : new CalloutAuthenticator(configured, options, this.#callout, false);
  }

  get listenHost(): string {
    return this.options.host;
  }

  get clock(): Clock {
    return this.platform.clock;
  }

  get random(): Random {
    return this.platform.random;
  }

  get stats(): LinkStats {
    return this.connections.stats;
  }

  get clientCount(): number {
    return this.connections.live.size;
  }

  get globalAccount(): Account {
    return this.accounts.global;
  }

  /** Port the client listener really has. */
  get clientPort(): number {
    return this.#clientListener?.port ?? this.options.port;
  }

  get featureFlags(): Readonly<Record<string, boolean>> {
    return effectiveFeatureFlags(this.options.featureFlags);
  }

  get listening(): boolean {
    return this.#clientListener !== undefined && !this.isLameDuck;
  }

  /** What monitoring reads of accounts that came as tokens. */
  get tokens(): AccountBook | undefined {
    return this.tenants?.book;
  }

  accountOptions(name: string): AccountOptions | undefined {
    return this.tenants?.options(name) ?? this.options.accounts.find((each) => each.name === name);
  }

  account(name: string): Account | undefined {
    return this.accounts.byName.get(name);
  }

  nextClientId(): number {
    return this.connections.nextId();
  }

  infoFor(link: ClientLink): Omit<ServerInfo, "client_id" | "client_ip" | "nonce" | "max_payload"> {
    return {
      server_id: this.identity.id,
      server_name: this.identity.name,
      version: VERSION,
      proto: 1,
      go: `bun${Bun.version}`,
      ...this.#advertised(link),
      headers: this.settings.headers,
      auth_required: link.identity === undefined ? this.authenticator.announced(link.connectionType) : this.authenticator.required(link.connectionType),
      ...this.#tlsFlags(link),
      ldm: this.isLameDuck,
      ...(this.jetstream === undefined ? {} : { jetstream: true }),
      ...(this.jetstream === undefined || this.options.jetstream.domain === "" ? {} : { domain: this.options.jetstream.domain }),
      api_lvl: 5,
      xkey: this.identity.xkey,
    };
  }

  /** Where INFO says this server is. */
  #advertised(link: ClientLink): Pick<ServerInfo, "host" | "port"> {
    if (link.kind === "websocket") return { host: this.options.websocket.host, port: this.websocketPort };
    const advertise = this.options.clientAdvertise;
    if (advertise === "") return { host: this.options.host, port: this.clientPort };
    const address = splitHostPort(advertise);
    // A malformed one was refused before it got here.
    return address.ok ? { host: address.host, port: address.port > 0 ? address.port : this.clientPort } : { host: advertise, port: this.clientPort };
  }

  #tlsFlags(link: ClientLink): Pick<ServerInfo, "tls_required" | "tls_available" | "tls_verify"> {
    const { tls, websocketTls, allowNonTls } = this.accepting;
    const tls_verify = tls?.options.verify ?? false;
    if (link.kind === "websocket") return { tls_required: websocketTls !== undefined, tls_available: websocketTls !== undefined, tls_verify };
    return { tls_required: tls !== undefined && !allowNonTls, tls_available: tls !== undefined && allowNonTls, tls_verify };
  }

  #sequence = 0;

  serverBlock(): Readonly<Record<string, unknown>> {
    const { serverTags, serverMetadata, featureFlags } = this.options;
    return {
      name: this.identity.name,
      host: this.options.host,
      id: this.identity.id,
      ...(this.jetstream === undefined || this.options.jetstream.domain === "" ? {} : { domain: this.options.jetstream.domain }),
      ver: VERSION,
      ...(serverTags.length === 0 ? {} : { tags: serverTags }),
      ...(Object.keys(serverMetadata).length === 0 ? {} : { metadata: serverMetadata }),
      feature_flags: effectiveFeatureFlags(featureFlags),
      jetstream: this.jetstream !== undefined,
      flags: this.jetstream === undefined ? 0 : 7,
      seq: ++this.#sequence,
      time: timestamp(this.clock.nowNs()),
    };
  }

  watchDeadline(link: ClientLink): void {
    this.connections.watchDeadline(link);
  }

  onLinkOpened(link: ClientLink): void {
    this.connections.add(link);
  }

  onLinkAdmitted(link: ClientLink): void {
    this.#system?.connected(link);
  }

  onLinkLeft(account: Account): void {
    this.#system?.left(account);
  }

  onLinkRefused(link: ClientLink, reason: CloseReason): void {
    this.#system?.refused(link, reason);
  }

  onLinkClosed(link: ClientLink): void {
    this.connections.remove(link);
    this.#system?.disconnected(link);
  }

  /** The accounts are others now. */
  updateAccounts(): void {
    this.accounts.update(this.options, "", this.tenants?.accounts() ?? []);
    this.#system?.greetAll();
  }

  /** These accounts, which came as tokens, are new or others now. */
  updateTenants(changed: readonly AccountOptions[]): void {
    this.accounts.updateSome(changed, this.options, "");
    for (const { name } of changed) {
      const account = this.account(name);
      if (account !== undefined) this.#system?.greet(account);
    }
  }

  #startSystem(): void {
    const account = this.account(this.options.systemAccount);
    if (account === undefined) return;
    this.#system = new System(this, account);
    this.#system.start();
  }

  /** The options in force, with the ports that were really bound where any would do. */
  boundOptions(): Options {
    const { options } = this;
    return {
      ...options,
      port: options.port === -1 ? this.clientPort : options.port,
      websocket: { ...options.websocket, port: options.websocket.port === -1 ? this.websocketPort : options.websocket.port },
    };
  }

  /** From now on these hold, for every connection and every new one. */
  takeUp(options: Options, accepting: AcceptSettings, settings: LinkSettings, authenticator: Authenticator): void {
    this.options = options;
    this.accepting = accepting;
    this.settings = settings;
    this.authenticator = authenticator;
    this.configLoadedAtNs = this.clock.nowNs();
    this.updateAccounts();
    this.#monitor?.replaceTls(options.tls);
  }

  /** Reads back what is stored and opens the listeners; at once when there is no storage. Throws, or rejects with, `FatalError`. */
  start(): void | Promise<void> {
    const { log, options } = this;
    logBanner(log, options, this.identity);
    this.writePid((text) => {
      throw new FatalError(text);
    });
    if (options.systemAccount !== "") log.debug(`Created system account: "${options.systemAccount}"`);
    this.#startMonitor();
    this.#startSystem();
    if (this.tenants !== undefined) return this.#startWithTenants(this.tenants);
    return this.#startStorage();
  }

  #startWithTenants(tenants: Tenants): Promise<void> {
    const stored = this.options.jetstream.enabled ? storedAccounts(this.options, this.platform) : [];
    return tenants.start(stored).then(
      () => this.#startStorage(),
      (error: unknown) => {
        throw error instanceof Error ? new FatalError(error.message) : error;
      },
    );
  }

  #startStorage(): void | Promise<void> {
    const { options } = this;
    if (!options.jetstream.enabled) return this.#listen();
    if (options.accounts.some(({ name, jetstream }) => name === options.systemAccount && jetstream !== undefined)) throw new FatalError("Not allowed to enable JetStream on the system account");
    return this.startJetStream().then(
      () => this.#listen(),
      (error: unknown) => {
        throw error instanceof JetStreamStartError ? new FatalError(`Can't start JetStream: ${error.message}`) : error;
      },
    );
  }

  #listen(): void {
    if (this.#stopping !== undefined) return;
    this.#startWebsocket();
    this.#startClients();
    this.writePorts();
    this.log.info("Server is ready");
  }

  /** Rejects with `JetStreamStartError`. */
  async startJetStream(): Promise<void> {
    const startMs = this.clock.monotonicMs();
    const jetstream = makeJetStream(this);
    logJetStream(this.log, this.options.jetstream, jetstream.settings);
    await jetstream.start(jetstreamAccess(this.options, this.tenants));
    this.jetstream = jetstream;
    this.log.info(`Took ${formatDuration(BigInt(Math.round((this.clock.monotonicMs() - startMs) * 1e6)))} to start JetStream`);
  }

  #refreshing: Promise<void> = Promise.resolve();

  /** Accounts came, went or changed: JetStream takes it up, one change after the other. */
  refreshJetStream(): Promise<void> {
    const refreshed = this.#refreshing.then(() => this.jetstream?.update(this.jetstream.settings, jetstreamAccess(this.options, this.tenants)));
    // One that fails is told to whoever asked for it, and the next goes on all the same.
    this.#refreshing = refreshed.catch(() => undefined);
    return refreshed;
  }

  /** An account's limit may be lower now: its latest connections go, as they would not have come in. */
  closeAccountSurplus(): void {
    closeAccountSurplus(this);
  }

  stopJetStream(): void {
    if (this.jetstream === undefined) return;
    this.log.info("Initiating JetStream Shutdown...");
    this.jetstream.stop();
    this.jetstream = undefined;
    this.log.info("JetStream Shutdown");
  }

  #startMonitor(): void {
    try {
      this.#monitor = startMonitor(this);
    } catch (error) {
      if (error instanceof Error) throw new FatalError(`Can't start monitoring: ${error.message}`);
      throw error;
    }
  }

  #startWebsocket(): void {
    const { websocket } = this.options;
    if (websocket.port === 0) return;
    try {
      this.#websocketListener = this.platform.network.listen(websocket.host, websocket.port, (stream) => acceptWebsocket(this, stream));
    } catch (error) {
      if (error instanceof ListenError) throw new FatalError(`Unable to listen for websocket connections: ${error.message}`);
      throw error;
    }
    const isTls = websocket.tls !== undefined;
    this.log.info(`Listening for websocket clients on ${isTls ? "wss" : "ws"}://${joinHostPort(websocket.host, this.websocketPort)}`);
    if (!isTls) this.log.warn("Websocket not configured with TLS. DO NOT USE IN PRODUCTION!");
  }

  /** Port the WebSocket listener really has. */
  get websocketPort(): number {
    return this.#websocketListener?.port ?? this.options.websocket.port;
  }

  #startClients(): void {
    const { log, options } = this;
    const advertise = splitHostPort(options.clientAdvertise);
    if (!advertise.ok) throw new FatalError(`Error setting server INFO with ClientAdvertise value of ${options.clientAdvertise}, err=${advertise.error}`);
    try {
      this.#clientListener = this.platform.network.listen(options.host, options.port, (stream) => acceptClient(this, stream));
    } catch (error) {
      if (error instanceof ListenError) throw new FatalError(`Error listening on port: ${error.address}, "${error.message}"`);
      throw error;
    }
    log.info(`Listening for client connections on ${joinHostPort(options.host, this.clientPort)}`);
    if (options.proxyProtocol) log.info("PROXY protocol enabled for client connections");
    if (options.tls === undefined) return;
    const tlsOnly = options.tls.handshakeFirst && options.tls.handshakeFirstFallbackMs <= 0;
    log.info(options.allowNonTls && !tlsOnly ? "TLS available for client connections" : "TLS required for client connections");
    if (tlsOnly) log.warn('Clients that are not using "TLS Handshake First" option will fail to connect');
  }

  /** Every listener as bound, for the ports file. */
  listeners(): readonly PortsListener[] {
    const { options } = this;
    const scheme = options.tls !== undefined && !options.allowNonTls ? "tls" : "nats";
    const listeners: PortsListener[] = [{ kind: "nats", scheme, host: options.host, port: this.clientPort }];
    if (this.#monitor !== undefined) listeners.push({ kind: "monitoring", scheme: this.#monitor.scheme, host: this.#monitor.host, port: this.#monitor.port });
    if (this.#websocketListener !== undefined) listeners.push({ kind: "websocket", scheme: options.websocket.tls === undefined ? "ws" : "wss", host: options.websocket.host, port: this.websocketPort });
    return listeners;
  }

  #portsPath = "";

  /** Writes the pid file, if one is configured; `failed` gets the text when that fails. */
  writePid(failed: (text: string) => void): void {
    if (this.options.pidFile === "") return;
    const failure = writePidFile(this.platform.disk, this.options.pidFile, this.platform.system.pid);
    if (failure !== undefined) failed(failure);
  }

  /** Writes the ports file where the options want it, and removes an earlier one. */
  writePorts(): void {
    if (this.#portsPath !== "") this.#removePorts();
    if (this.options.portsFileDir === "") return;
    const { disk, network, system } = this.platform;
    this.#portsPath = portsFilePath({ folder: this.options.portsFileDir, executableName: system.executableName, pid: system.pid });
    const failure = writePortsFile(disk, this.#portsPath, this.listeners(), network.interfaceAddresses());
    if (failure !== undefined) this.log.error(failure);
  }

  #removePorts(): void {
    const failure = removePortsFile(this.platform.disk, this.#portsPath);
    if (failure !== undefined) this.log.error(failure);
    this.#portsPath = "";
  }

  // Lame duck and stop

  #lameDuck: LameDuck | undefined = undefined;
  #stopping: Promise<void> | undefined = undefined;

  /** Reads the configuration again and takes it up, or says why not. */
  reload(): Promise<string | undefined> {
    return reload(this, this.#reloadDoors);
  }

  get isLameDuck(): boolean {
    return this.#lameDuck !== undefined;
  }

  /** Stops taking clients and sends the present ones away over time; then shuts down. */
  lameDuck(): void {
    if (this.#lameDuck !== undefined || this.#stopping !== undefined) return;
    this.log.info("Entering lame duck mode, stop accepting new clients");
    const stop = (): void => {
      void this.shutdown().then(() => this.onStopped());
    };
    this.#lameDuck = new LameDuck({
      clock: this.clock,
      random: this.random,
      gracePeriodMs: this.options.lameDuckGracePeriodMs,
      durationMs: this.options.lameDuckDurationMs,
      clients: () => [...this.connections.live.values()],
      onClosing: () => this.log.info("Closing existing clients"),
      onDone: stop,
    });
    this.#closeClientListeners();
    if (this.connections.live.size === 0) return stop();
    this.#system?.lameDuck();
    for (const link of this.connections.live.values()) link.sendAsyncInfo();
    this.#lameDuck.start();
  }

  /** Called when the server stopped on its own, after lame duck mode. Whoever runs it ends the process. */
  onStopped: () => void = () => undefined;

  #closeClientListeners(): void {
    this.#clientListener?.close();
    this.#websocketListener?.close();
  }

  /** Closes everything; resolves when the last bytes to clients are out (or their time is over). */
  shutdown(): Promise<void> {
    this.#stopping ??= this.#shutdown();
    return this.#stopping;
  }

  async #shutdown(): Promise<void> {
    this.log.info("Initiating Shutdown...");
    this.#lameDuck?.stop();
    this.#closeClientListeners();
    this.tenants?.stop();
    this.#system?.stop();
    // Waiting pulls are told first.
    this.stopJetStream();
    const links = [...this.connections.live.values()];
    for (const link of links) link.close("Server Shutdown");
    if (this.#portsPath !== "") this.#removePorts();
    const { promise, resolve } = Promise.withResolvers<void>();
    // Who still has bytes to get has so long; the others are told already.
    if (links.some((link) => link.outbound.pending > 0)) this.clock.after(CLOSE_FLUSH_MS, resolve);
    else this.clock.endOfTurn(resolve);
    await promise;
    this.#monitor?.close();
    this.log.info("Server Exiting..");
  }

  #onDeadline(link: ClientLink): void {
    const deadlineMs = this.settings.writeDeadlineMs;
    if (!link.outbound.deadlineExceeded(deadlineMs)) return;
    if (this.settings.retryWriteTimeout && link.outbound.progressed) return link.outbound.restartDeadline();
    link.slowConsumer(`Slow Consumer Detected: WriteDeadline of ${formatDurationMs(deadlineMs)} exceeded with 1 chunks of ${link.outbound.pending} total bytes.`, "Slow Consumer (Write Deadline)");
  }
}

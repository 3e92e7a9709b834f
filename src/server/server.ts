/**
 * The composition root: builds every part from the options and owns start, reload, lame duck and stop. It is the `LinkHost` of its connections.
 */
import type { Account } from "../accounts/index.ts";
import type { Authenticator } from "../auth/index.ts";
import type { Options } from "../config/options.ts";
import { acceptClient } from "../links/client/accept.ts";
import { ClientLink, type LinkHost, type LinkSettings, type LinkStats, seedDistribution, Turn } from "../links/index.ts";
import type { Logger } from "../log/logger.ts";
import { type Clock, type Listener, ListenError, type Platform, type Random } from "../platform/index.ts";
import type { ServerInfo } from "../protocol/info.ts";
import { Message } from "../routing/message.ts";
import { timestamp } from "../util/timestamp.ts";
import { VERSION } from "../util/version.ts";
import { Accounts } from "./accounts.ts";
import { effectiveFeatureFlags } from "./banner.ts";
import { Connections } from "./connections.ts";
import { makeIdentity, type ServerIdentity } from "./identity.ts";

/** A start that cannot go on; the text is what the user sees after `[FTL]`. */
export class FatalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FatalError";
  }
}

export class Server implements LinkHost {
  readonly platform: Platform;
  readonly log: Logger;
  readonly identity: ServerIdentity;
  readonly connections: Connections;
  readonly accounts: Accounts;
  readonly turn: Turn;
  readonly message = new Message();
  readonly startedAtNs: bigint;
  configLoadedAtNs: bigint;
  options: Options;
  settings: LinkSettings;
  authenticator: Authenticator;

  #clientListener: Listener | undefined = undefined;

  constructor(parts: { readonly options: Options; readonly platform: Platform; readonly log: Logger; readonly authenticator: Authenticator }) {
    this.options = parts.options;
    this.platform = parts.platform;
    this.log = parts.log;
    this.authenticator = parts.authenticator;
    this.identity = makeIdentity(parts.options.serverName);
    this.turn = new Turn(this.clock);
    this.settings = linkSettings(parts.options);
    this.connections = new Connections(this.clock, parts.options.maxClosedClients, (link) => this.#onDeadline(link));
    this.accounts = new Accounts(this.clock, (below) => this.random.integer(below));
    this.accounts.update(parts.options, "");
    this.startedAtNs = this.configLoadedAtNs = this.clock.nowNs();
    seedDistribution(this.random.integer(2 ** 31));
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

  get globalAccount(): Account {
    return this.accounts.global;
  }

  /** Port the client listener really has. */
  get clientPort(): number {
    return this.#clientListener?.port ?? this.options.port;
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
      host: this.options.host,
      port: this.clientPort,
      headers: this.settings.headers,
      auth_required: this.authenticator.announced(link.connectionType),
      api_lvl: 5,
      xkey: this.identity.xkey,
    };
  }

  #sequence = 0;

  serverBlock(): Readonly<Record<string, unknown>> {
    const { serverTags, serverMetadata, featureFlags } = this.options;
    return {
      name: this.identity.name,
      host: this.options.host,
      id: this.identity.id,
      ver: VERSION,
      ...(serverTags.length === 0 ? {} : { tags: serverTags }),
      ...(Object.keys(serverMetadata).length === 0 ? {} : { metadata: serverMetadata }),
      feature_flags: effectiveFeatureFlags(featureFlags),
      jetstream: false,
      flags: 0,
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

  onLinkClosed(link: ClientLink): void {
    this.connections.remove(link);
  }

  /** Opens the listeners. Throws `FatalError`. */
  start(): void {
    this.#clientListener = this.#listen(this.options.host, this.options.port, (stream) => acceptClient(this, stream));
    this.log.info(`Listening for client connections on ${this.options.host}:${this.clientPort}`);
    this.log.info("Server is ready");
  }

  #listen(host: string, port: number, accept: Parameters<Platform["network"]["listen"]>[2]): Listener {
    try {
      return this.platform.network.listen(host, port, accept);
    } catch (error) {
      if (error instanceof ListenError) throw new FatalError(`Error listening on port: ${error.address}, "${error.message}"`);
      throw error;
    }
  }

  #onDeadline(link: ClientLink): void {
    const deadlineMs = this.settings.writeDeadlineMs;
    if (!link.outbound.deadlineExceeded(deadlineMs)) return;
    if (this.settings.retryWriteTimeout && link.outbound.progressed) return link.outbound.restartDeadline();
    link.slowConsumer(`Slow Consumer Detected: WriteDeadline of ${deadlineMs / 1000}s exceeded with 1 chunks of ${link.outbound.pending} total bytes.`, "Slow Consumer (Write Deadline)");
  }
}

function linkSettings(options: Options): LinkSettings {
  return {
    maxControlLine: options.maxControlLine,
    maxPayload: options.maxPayload,
    maxPending: options.maxPending,
    maxSubscriptions: options.maxSubscriptions,
    maxSubscriptionTokens: options.maxSubscriptionTokens,
    pingIntervalMs: options.pingIntervalMs,
    websocketPingIntervalMs: options.websocket.pingIntervalMs,
    pingMax: options.pingMax,
    writeDeadlineMs: options.writeDeadlineMs,
    retryWriteTimeout: options.writeTimeout === "retry",
    noFastProducerStall: options.noFastProducerStall,
    headers: !options.noHeaderSupport,
    trace: options.log.trace,
    traceHeaders: options.log.traceHeaders,
    maxTracedMsgLen: options.log.maxTracedMsgLen,
  };
}

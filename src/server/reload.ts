/**
 * Reload: the configuration is read again and, when all of it is valid and nothing in it needs a restart, taken up at once; else nothing changes. Then every
 * connection is held against it: who lost the right to be here is sent away, the others keep their connection and what they may still subscribe to.
 * Spec: configuration, section 6.
 */
import type { Account } from "../accounts/index.ts";
import { diffOptions, type LoadResult, type Options, type ReloadChange, type UserOptions, validate } from "../config/index.ts";
import { pinViolation } from "../links/index.ts";
import { JetStreamStartError } from "../jetstream/index.ts";
import { splitHostPort } from "../util/hostport.ts";
import type { Server } from "./server.ts";
import { jetstreamAccess, jetstreamSettings } from "./jetstream.ts";
import { acceptSettings, linkSettings } from "./settings.ts";

/** What a reload needs from outside the server. */
export interface ReloadDoors {
  /** Reads the configuration as at start, flags on top. */
  load(): LoadResult;
  /** Goes over to the log that the options name; rejects when it cannot be opened, and then stays as it was. */
  configureLog(options: Options): Promise<void>;
}

/** Logs its own outcome. What is wrong, or undefined when the new configuration is in force. */
export async function reload(server: Server, doors: ReloadDoors): Promise<string | undefined> {
  const refuse = (text: string): string => {
    const problem = text.replace(/\n+$/, "");
    server.log.error(`Failed to reload server configuration: ${problem}`);
    return problem;
  };
  if (server.options.configFile === "") return refuse("can only reload config when a file is provided using -c or --config");
  const loaded = doors.load();
  if (!loaded.ok) return refuse(loaded.messages);
  const invalid = validate(loaded.options);
  if (invalid !== undefined) return refuse(invalid);
  const advertise = splitHostPort(loaded.options.clientAdvertise);
  if (!advertise.ok) return refuse(`invalid ClientAdvertise value of ${loaded.options.clientAdvertise}, err=${advertise.error}`);
  const diff = diffOptions(server.boundOptions(), loaded.options);
  if (!diff.ok) return refuse(diff.refused);

  if (diff.changes.some((change) => change.subject === "logging")) {
    try {
      await doors.configureLog(diff.options);
    } catch (error) {
      return refuse(error instanceof Error ? error.message : String(error));
    }
  }
  const previous = server.options;
  server.takeUp(diff.options, acceptSettings(diff.options, server.platform.network), linkSettings(diff.options), server.authenticatorFor(diff.options));
  for (const change of diff.changes) apply(server, previous, change);
  recheckConnections(server, previous);
  await server.tenants?.reload(diff.options);
  closeAccountSurplus(server);
  await reloadJetStream(server, previous);
  server.log.info(`Reloaded server configuration (${diff.options.configDigest})`);
  return undefined;
}

/** Switches it on or off, or has it take up new limits. A start that fails is a warning: the rest of the reload holds. */
async function reloadJetStream(server: Server, previous: Options): Promise<void> {
  const { options, jetstream } = server;
  if (!options.jetstream.enabled) {
    server.stopJetStream();
  } else if (!previous.jetstream.enabled || jetstream === undefined) {
    try {
      await server.startJetStream();
    } catch (error) {
      if (!(error instanceof JetStreamStartError)) throw error;
      server.log.warn(`Can't start JetStream: ${error.message}`);
    }
  } else {
    const settings = jetstreamSettings(options, server.platform);
    // What was measured at start stays; what is configured may have grown.
    const keeps = (configured: number, now: number): number => (configured >= 0 ? configured : now);
    await jetstream.update(
      {
        ...settings,
        maxMemoryBytes: keeps(options.jetstream.maxMemoryBytes, jetstream.settings.maxMemoryBytes),
        maxStoreBytes: keeps(options.jetstream.maxStoreBytes, jetstream.settings.maxStoreBytes),
      },
      jetstreamAccess(options, server.tenants),
    );
  }
  if (previous.jetstream.enabled !== options.jetstream.enabled) for (const link of server.connections.live.values()) link.sendAsyncInfo();
}

function apply(server: Server, previous: Options, change: ReloadChange): void {
  if (change.line !== "") server.log.info(change.line);
  switch (change.subject) {
    case "max_connections":
      return closeSurplus(server);
    case "pid_file":
      return server.writePid((text) => server.log.error(text));
    case "ports_file_dir":
      return server.writePorts();
    case "pinned_certs":
      return closeUnpinned(server);
    case "proxies":
      return closeProxied(server, previous);
  }
}

function closeSurplus(server: Server): void {
  const { maxConnections } = server.options;
  const surplus = [...server.connections.live.values()].slice(Math.max(0, maxConnections));
  if (surplus.length === 0) return;
  for (const link of surplus) link.closeWithError("maximum connections exceeded", "Maximum Connections Exceeded");
  server.log.info(`Closed ${surplus.length} connections to fall within max_connections`);
}

/** An account's limit may be lower now: its latest connections go, as they would not have come in. */
export function closeAccountSurplus(server: Server): void {
  const seen = new Map<Account, number>();
  for (const link of [...server.connections.live.values()]) {
    const count = (seen.get(link.account) ?? 0) + 1;
    seen.set(link.account, count);
    const limit = link.account.limits.maxConnections;
    if (limit >= 0 && count > limit) link.closeWithError("maximum account active connections exceeded", "Maximum Account Connections Exceeded");
  }
}

function closeUnpinned(server: Server): void {
  const pinned = server.options.tls?.pinnedCerts ?? [];
  const gone = [...server.connections.live.values()].filter((link) => link.kind === "nats" && link.tls !== undefined && pinViolation(pinned, link.tls) !== undefined);
  if (gone.length === 0) return;
  server.log.info(`Disconnect ${gone.length} clients due to pinned certs reload`);
  for (const link of gone) link.close("TLS Handshake Failure");
}

function closeProxied(server: Server, previous: Options): void {
  const removed = previous.trustedProxies.filter((key) => !server.options.trustedProxies.includes(key));
  for (const link of [...server.connections.live.values()]) {
    if (link.identity !== undefined && removed.includes(link.identity.proxyKey)) link.closeWithError("Authorization Violation", "Proxy Not Trusted");
  }
}

/** A user without its permissions, which may change without anybody having to log in again. */
function credentials(user: UserOptions): string {
  return JSON.stringify({ ...user, permissions: undefined });
}

function usersByName(options: Options): ReadonlyMap<string, UserOptions> {
  return new Map(options.users.map((user) => [user.nkey === "" ? user.user : user.nkey, user]));
}

/** Closes who may not be here any more; the others get their new permissions and limits. */
function recheckConnections(server: Server, previous: Options): void {
  const before = usersByName(previous);
  const now = usersByName(server.options);
  const { username, token } = server.options.authorization;
  const hasSimpleLogin = username !== "" || token !== "";
  for (const link of [...server.connections.live.values()]) {
    link.refreshSettings();
    const { identity } = link;
    // Whoever came with a token is held against its account's, not against the configuration.
    if (identity?.token !== undefined) continue;
    // Nor does the configuration say who is let in by a service, which would be asked about all of them at once.
    if (identity?.delegatedBy !== undefined) {
      if (server.account(identity.account) === undefined) link.close("Client Closed");
      continue;
    }
    if (identity === undefined) {
      // It came in when nobody had to log in, and never did; who has just connected will be judged by the CONNECT that is to come.
      if (!link.awaitsConnect && server.authenticator.required(link.connectionType)) link.admission.reauthenticate();
      continue;
    }
    const old = before.get(identity.user);
    const user = now.get(identity.user);
    if (old !== undefined && (user === undefined ? !hasSimpleLogin : user.account !== old.account)) link.close("Client Closed");
    else if (old !== undefined && user !== undefined && credentials(old) === credentials(user)) link.admission.updatePermissions(user.permissions);
    else link.admission.reauthenticate();
  }
}

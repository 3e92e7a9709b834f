/** The lines a server says at start, in the order that users and tools know. Spec: configuration, section 3.3. */
import { isBcrypt } from "../auth/index.ts";
import type { Options } from "../config/index.ts";
import type { Logger } from "../log/index.ts";
import { isPublicKey } from "../util/nkeys.ts";
import { goQuote } from "../util/quote.ts";
import { shortHash } from "../util/shorthash.ts";
import { VERSION } from "../util/version.ts";
import type { ServerIdentity } from "./identity.ts";

const LARGE_PAYLOAD = 8 * 1024 * 1024;

export function logBanner(log: Logger, options: Options, identity: ServerIdentity): void {
  log.info("Starting nats-server");
  log.info(`  Version:  ${VERSION}`);
  log.info("  Git:      [not set]");
  log.debug(`  Go build: bun${Bun.version}`);
  log.info(`  Name:     ${identity.name}`);
  if (options.jetstream.enabled) log.info(`  Node:     ${shortHash(identity.name)}`);
  log.info(`  ID:       ${identity.id}`);
  for (const line of featureFlagLines(options.featureFlags)) log.info(line);
  if (hasPlainPassword(options)) log.warn("Plaintext passwords detected, use nkeys or bcrypt");
  if (options.profPort !== 0) log.warn("Go profiles do not exist here: prof_port is not opened");
  if (options.configFile !== "") log.info(`Using configuration file: ${options.configFile} (${options.configDigest})`);
  logOperators(log, options);
  if (options.maxPayload > LARGE_PAYLOAD) log.warn("Maximum payloads over 8.00 MB are generally discouraged and could lead to poor performance");
}

function logOperators(log: Logger, { operator: { operators }, systemAccount }: Options): void {
  if (operators.length === 0) return;
  log.info("Trusted Operators");
  for (const { aud, name, iat, exp } of operators) {
    log.info(`  System  : ${goQuote(aud)}`);
    log.info(`  Operator: ${goQuote(name)}`);
    log.info(`  Issued  : ${goTime(iat)}`);
    log.info(`  Expires : ${exp === 0 ? "Never" : goTime(exp)}`);
  }
  if (!isPublicKey(systemAccount, "account")) log.warn("Trusted Operators should utilize a System Account");
}

/** `atS` is in seconds since the Unix epoch. */
function goTime(atS: number): string {
  return `${new Date(atS * 1000).toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
}

/** Flags that the compatible version knows, all off by default there but one. */
export const FEATURE_FLAGS: Readonly<Record<string, boolean>> = { js_ack_fc_v2: false, js_api_reply_v2: false, js_raft_delete_range: true, js_snapshot_sources: false };

/** Every known flag with the value in force. */
export function effectiveFeatureFlags(configured: Readonly<Record<string, boolean>>): Readonly<Record<string, boolean>> {
  return Object.fromEntries(Object.entries(FEATURE_FLAGS).map(([name, value]) => [name, configured[name] ?? value]));
}

function featureFlagLines(configured: Readonly<Record<string, boolean>>): string[] {
  const names = Object.keys(configured).sort();
  if (names.length === 0) return [];
  const known = names.filter((name) => Object.hasOwn(FEATURE_FLAGS, name));
  const unknown = names.filter((name) => !Object.hasOwn(FEATURE_FLAGS, name));
  const word = (name: string): string => (FEATURE_FLAGS[name] ? (configured[name] ? "enabled" : "opt-out") : configured[name] ? "opt-in" : "disabled");
  const lines = ["  Feature flags:", `    Configured:    ${known.length === 0 ? "none" : known.map((name) => `${name} (${word(name)})`).join(", ")}`];
  if (unknown.length > 0) lines.push(`    Unsupported:   ${unknown.join(", ")}`);
  return lines;
}

function hasPlainPassword(options: Options): boolean {
  const { authorization } = options;
  if (authorization.password !== "" && !isBcrypt(authorization.password)) return true;
  if (authorization.token !== "" && !isBcrypt(authorization.token)) return true;
  const certificateOnly = options.tls?.verifyAndMap ?? false;
  return options.users.some((user) => user.nkey === "" && !isBcrypt(user.password) && !(user.password === "" && certificateOnly));
}

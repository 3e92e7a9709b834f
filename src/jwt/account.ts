/** Account claims: what an operator says of an account. Spec: accounts and authentication, sections 6.3 and 7.5. */
import { isPublicKey } from "../util/nkeys.ts";
import { goQuote } from "../util/quote.ts";
import { decodeToken, type StandardClaims } from "./codec.ts";
import { JwtError } from "./error.ts";
import { type ExportClaims, type ImportClaims, type Read, readExport, readImport, validateExports, validateImports } from "./exchange.ts";
import { Fields, isObject, type Json, wrongType } from "./fields.ts";
import { checkTimes, Issues } from "./issues.ts";
import { checkSubject } from "./subjects.ts";
import { type PermissionClaims, readPermissions, readUserLimits, type UserLimits, validateLimits, validatePermissions } from "./user.ts";

/** JetStream limits; -1: no limit. Sizes in bytes. */
export interface JetStreamClaims {
  readonly memStorage: number;
  readonly diskStorage: number;
  readonly streams: number;
  readonly consumers: number;
  /** 0 or less: no limit, here and for both below. */
  readonly maxAckPending: number;
  readonly memMaxStreamBytes: number;
  readonly diskMaxStreamBytes: number;
  readonly maxBytesRequired: boolean;
}

/** What is absent in a token is 0, which is none; -1: no limit. */
export interface AccountLimits {
  readonly subs: number;
  /** Bytes. */
  readonly payload: number;
  readonly imports: number;
  readonly exports: number;
  readonly wildcards: boolean;
  readonly disallowBearer: boolean;
  readonly connections: number;
  readonly leafNodes: number;
  readonly jetStream: JetStreamClaims;
  /** By `R1`, `R3`, ...; when there are any, `jetStream` counts for nothing. */
  readonly tiers: ReadonlyMap<string, JetStreamClaims>;
}

export interface MappingClaims {
  readonly subject: string;
  /** Percent. */
  readonly weight: number;
  readonly cluster: string;
}

export interface AccountClaims extends StandardClaims {
  readonly token: string;
  readonly imports: readonly Read<ImportClaims>[];
  readonly exports: readonly Read<ExportClaims>[];
  readonly limits: AccountLimits;
  /** Key to the template its users are held to; undefined for a plain signing key. */
  readonly signingKeys: ReadonlyMap<string, UserLimits | undefined>;
  /** User key, or `*`, to the time up to which its tokens are revoked; seconds since the Unix epoch. */
  readonly revocations: ReadonlyMap<string, number>;
  readonly defaultPermissions: PermissionClaims;
  readonly mappings: ReadonlyMap<string, readonly MappingClaims[]>;
  readonly authorization: { readonly authUsers: readonly string[]; readonly allowedAccounts: readonly string[]; readonly xkey: string };
  /** Where messages with a `traceparent` are traced to; `sampling` in percent. */
  readonly trace: { readonly destination: string; readonly sampling: number } | undefined;
  readonly clusterTraffic: string;
}

/** An account that may do anything, for the time until its token comes. It has none itself. */
export function temporaryAccount(account: string, issuer: string): AccountClaims {
  const nothing = new Fields({});
  return {
    aud: "",
    exp: 0,
    jti: "",
    iat: 0,
    iss: issuer,
    name: "",
    nbf: 0,
    sub: account,
    tags: [],
    version: 2,
    token: "",
    imports: [],
    exports: [],
    limits: { ...readLimits(nothing), subs: -1, payload: -1, imports: -1, exports: -1, wildcards: true, connections: -1, leafNodes: -1 },
    signingKeys: new Map(),
    revocations: new Map(),
    defaultPermissions: readPermissions(nothing),
    mappings: new Map(),
    authorization: { authUsers: [], allowedAccounts: [], xkey: "" },
    trace: undefined,
    clusterTraffic: "",
  };
}

/** Throws `JwtError`. */
export function decodeAccount(token: string): AccountClaims {
  const { standard, type, nats } = decodeToken(token);
  if (type !== "account") throw new JwtError("not account claim");
  const authorization = nats.object("authorization");
  const trace = nats.optional("trace");
  return {
    ...standard,
    token,
    imports: nats.objects("imports").map(readImport),
    exports: nats.objects("exports").map(readExport),
    limits: readLimits(nats.object("limits")),
    signingKeys: new Map(nats.list("signing_keys").map(readSigningKey)),
    revocations: nats.times("revocations"),
    defaultPermissions: readPermissions(nats.object("default_permissions")),
    mappings: readMappings(nats.object("mappings")),
    authorization: { authUsers: authorization.texts("auth_users"), allowedAccounts: authorization.texts("allowed_accounts"), xkey: authorization.text("xkey") },
    trace: trace === undefined ? undefined : { destination: trace.text("dest"), sampling: trace.integer("sampling") || 100 },
    clusterTraffic: nats.text("cluster_traffic"),
  };
}

function readLimits(fields: Fields): AccountLimits {
  const tiers = new Map(fields.object("tiered_limits").all().map(([name, tier]) => [name, readJetStream(tier)]));
  return {
    subs: fields.integer("subs"),
    payload: fields.integer("payload"),
    imports: fields.integer("imports"),
    exports: fields.integer("exports"),
    wildcards: fields.flag("wildcards"),
    disallowBearer: fields.flag("disallow_bearer"),
    connections: fields.integer("conn"),
    leafNodes: fields.integer("leaf"),
    jetStream: readJetStream(fields),
    tiers,
  };
}

function readJetStream(fields: Fields): JetStreamClaims {
  return {
    memStorage: fields.integer("mem_storage"),
    diskStorage: fields.integer("disk_storage"),
    streams: fields.integer("streams"),
    consumers: fields.integer("consumer"),
    maxAckPending: fields.integer("max_ack_pending"),
    memMaxStreamBytes: fields.integer("mem_max_stream_bytes"),
    diskMaxStreamBytes: fields.integer("disk_max_stream_bytes"),
    maxBytesRequired: fields.flag("max_bytes_required"),
  };
}

/** Whether the account may use JetStream at all. */
export function allowsJetStream({ jetStream, tiers }: AccountLimits): boolean {
  return [jetStream, ...tiers.values()].some(({ memStorage, diskStorage }) => memStorage !== 0 || diskStorage !== 0);
}

function readSigningKey(json: Json): readonly [string, UserLimits | undefined] {
  if (typeof json === "string") return [json, undefined];
  if (!isObject(json)) throw wrongType("signing_keys", "string", json);
  const scope = new Fields(json);
  const kind = scope.text("kind");
  if (kind !== "user_scope") throw new JwtError(`unknown scope kind ${goQuote(kind)}`);
  return [scope.text("key"), readUserLimits(scope.object("template"), -1)];
}

function readMappings(fields: Fields): ReadonlyMap<string, readonly MappingClaims[]> {
  return new Map(
    fields.names().map((subject) => [subject, fields.objects(subject).map((to) => ({ subject: to?.text("subject") ?? "", weight: to?.integer("weight") || 100, cluster: to?.text("cluster") ?? "" }))]),
  );
}

/** `nowS` is in seconds since the Unix epoch. */
export function validateAccount(claims: AccountClaims, nowS: number): Issues {
  const issues = new Issues();
  checkTimes(claims, nowS, issues);
  const { limits } = claims;
  validateImports(claims.imports, claims.sub, issues);
  validateExports(claims.exports, issues);
  if (limits.imports >= 0 && claims.imports.length > limits.imports) issues.error("the account contains more imports than allowed by the operator");
  if (limits.exports >= 0) {
    if (claims.exports.length > limits.exports) issues.error("the account contains more exports than allowed by the operator");
    if (!limits.wildcards && claims.exports.some((each) => each.claims !== undefined && /(?:^|\.)[*>](?:\.|$)/.test(each.claims.subject))) {
      issues.error("the account contains wildcard exports that are not allowed by the operator");
    }
  }
  if (limits.tiers.has("")) issues.error('Tiered JetStream Limits can not contain a blank "" tier name');
  for (const [key, template] of claims.signingKeys) {
    if (!isPublicKey(key, "account")) issues.error(`${goQuote(key)} is not a valid account signing key`);
    if (template !== undefined) validateLimits(template, issues, true);
  }
  validatePermissions(claims.defaultPermissions, issues);
  for (const [subject, mappings] of claims.mappings) validateMapping(subject, mappings, issues);
  validateAuthorization(claims, issues);
  if (claims.trace !== undefined) {
    checkSubject(claims.trace.destination, issues);
    if (claims.trace.sampling < 1 || claims.trace.sampling > 100) issues.error(`the trace sampling value '${claims.trace.sampling}' is not valid, should be in the range [1..100]`);
  }
  if (!["", "system", "owner"].includes(claims.clusterTraffic)) issues.error(`unknown cluster traffic option: ${goQuote(claims.clusterTraffic)}`);
  return issues;
}

function validateMapping(subject: string, mappings: readonly MappingClaims[], issues: Issues): void {
  checkSubject(subject, issues);
  const sums = new Map<string, number>();
  for (const { subject: destination, weight, cluster } of mappings) {
    checkSubject(destination, issues);
    sums.set(cluster, (sums.get(cluster) ?? 0) + weight);
  }
  if ([...sums.values()].some((sum) => sum > 100)) issues.error(`Mapping ${goQuote(subject)} exceeds 100% among all of it's weighted to mappings`);
}

function validateAuthorization({ authorization: { authUsers, allowedAccounts, xkey } }: AccountClaims, issues: Issues): void {
  if (allowedAccounts.length > 0 && authUsers.length === 0) issues.error("External authorization cannot have accounts without users specified");
  for (const user of authUsers) if (!isPublicKey(user, "user")) issues.error(`AuthUser ${goQuote(user)} is not a valid user public key`);
  for (const account of allowedAccounts) {
    if (account === "*" && allowedAccounts.length > 1) issues.error('AllowedAccounts can only be a list of accounts or "*"');
    else if (account !== "*" && !isPublicKey(account, "account")) issues.error(`Account ${goQuote(account)} is not a valid account public key`);
  }
  if (xkey !== "" && !isPublicKey(xkey, "curve")) issues.error(`XKey ${goQuote(xkey)} is not a valid public xkey`);
}

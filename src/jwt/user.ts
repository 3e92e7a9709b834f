/** User claims, and the limits they share with the templates of scoped signing keys. Spec: accounts and authentication, sections 6.6 and 7.5. */
import { isPublicKey } from "../util/nkeys.ts";
import { goQuote } from "../util/quote.ts";
import { decodeToken, type StandardClaims } from "./codec.ts";
import { JwtError } from "./error.ts";
import { Fields, wrongType } from "./fields.ts";
import { checkTimes, Issues } from "./issues.ts";
import { parseCidr } from "./cidr.ts";
import { checkSubject } from "./subjects.ts";

export interface SubjectList {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface PermissionClaims {
  readonly publish: SubjectList;
  readonly subscribe: SubjectList;
  /** `max` messages (negative: no limit), `ttlNs` nanoseconds. */
  readonly responses: { readonly max: number; readonly ttlNs: number } | undefined;
}

/** Part of a day, `HH:MM:SS`. */
export interface TimeRange {
  readonly start: string;
  readonly end: string;
}

export interface UserLimits extends PermissionClaims {
  /** Networks in CIDR notation; none: from anywhere. */
  readonly src: readonly string[];
  readonly times: readonly TimeRange[];
  /** IANA zone of `times`; empty: the server's. */
  readonly timesLocation: string;
  /** -1: no limit. */
  readonly subs: number;
  /** Bytes; never enforced. */
  readonly data: number;
  /** Bytes; -1: no limit. */
  readonly payload: number;
  readonly bearerToken: boolean;
  readonly proxyRequired: boolean;
  readonly allowedConnectionTypes: readonly string[];
}

export interface UserClaims extends StandardClaims, UserLimits {
  readonly token: string;
  /** Account that the issuer, a signing key, belongs to; empty when the account itself signed. */
  readonly issuerAccount: string;
}

/** Throws `JwtError`. */
export function decodeUser(token: string): UserClaims {
  const { standard, type, nats, top } = decodeToken(token);
  if (type !== "user") throw new JwtError("not user claim");
  const isFirst = standard.version === 1;
  return { ...standard, ...readUserLimits(nats, isFirst ? -1 : 0), token, issuerAccount: (isFirst ? top : nats).text("issuer_account") };
}

/** `absent` is what limits that are not there mean. */
export function readUserLimits(nats: Fields, absent: number): UserLimits {
  return {
    ...readPermissions(nats),
    src: readSources(nats),
    times: nats.objects("times").map((range) => ({ start: range?.text("start") ?? "", end: range?.text("end") ?? "" })),
    timesLocation: nats.text("times_location"),
    subs: nats.integer("subs", absent),
    data: nats.integer("data", absent),
    payload: nats.integer("payload", absent),
    bearerToken: nats.flag("bearer_token"),
    proxyRequired: nats.flag("proxy_required"),
    allowedConnectionTypes: nats.texts("allowed_connection_types"),
  };
}

export function readPermissions(fields: Fields): PermissionClaims {
  const resp = fields.optional("resp");
  return { publish: readList(fields.object("pub")), subscribe: readList(fields.object("sub")), responses: resp === undefined ? undefined : { max: resp.integer("max"), ttlNs: resp.integer("ttl") } };
}

function readList(fields: Fields): SubjectList {
  return { allow: fields.texts("allow"), deny: fields.texts("deny") };
}

/** A list, or one text separated by commas. */
function readSources(nats: Fields): readonly string[] {
  const raw = nats.raw("src");
  if (typeof raw === "string") return raw === "" ? [] : raw.toLowerCase().split(",").map((part) => part.trim());
  if (raw !== undefined && raw !== null && !Array.isArray(raw)) throw wrongType("src", "[]string", raw);
  return nats.texts("src");
}

/** `nowS` is in seconds since the Unix epoch. */
export function validateUser(claims: UserClaims, nowS: number): Issues {
  const issues = new Issues();
  checkTimes(claims, nowS, issues);
  validateLimits(claims, issues);
  if (claims.issuerAccount !== "" && !isPublicKey(claims.issuerAccount, "account")) issues.error("account_id is not an account public key");
  return issues;
}

/** Subjects of a template are judged when they are made. */
export function validateLimits(limits: UserLimits, issues: Issues, isTemplate = false): void {
  for (const cidr of limits.src) if (parseCidr(cidr) === undefined) issues.error(`invalid cidr ${goQuote(cidr)} in user src limits`);
  for (const { start, end } of limits.times) {
    if (start === "" || !isTimeOfDay(start)) issues.error(`time in start hour, ${start}, is invalid`);
    if (end === "" || !isTimeOfDay(end)) issues.error(`time in end hour, ${end}, is invalid`);
  }
  if (limits.timesLocation !== "" && !isZone(limits.timesLocation)) issues.error(`could not parse iana time zone by name: unknown time zone ${limits.timesLocation}`);
  if (!isTemplate) validatePermissions(limits, issues);
}

export function validatePermissions(permissions: PermissionClaims, issues: Issues): void {
  for (const subject of [...permissions.publish.allow, ...permissions.publish.deny]) {
    if (subject.includes(" ")) issues.error(`Permission Subject "${subject}" is not allowed to contain queue`);
    else checkSubject(subject, issues);
  }
  for (const entry of [...permissions.subscribe.allow, ...permissions.subscribe.deny]) {
    const parts = entry.split(" ");
    if (parts.length > 2) issues.error(`Permission Subject ${goQuote(entry)} contains too many spaces`);
    for (const part of parts.slice(0, 2)) checkSubject(part, issues);
  }
}

/** Whether nothing at all is said, as a user of a scoped signing key must not. */
export function hasNoLimits(limits: UserLimits): boolean {
  const { src, times, timesLocation, subs, data, payload, bearerToken, proxyRequired, allowedConnectionTypes } = limits;
  return !hasPermissions(limits) && src.length === 0 && times.length === 0 && timesLocation === "" && subs === 0 && data === 0 && payload === 0 && !bearerToken && !proxyRequired && allowedConnectionTypes.length === 0;
}

export function hasPermissions({ publish, subscribe, responses }: PermissionClaims): boolean {
  return [publish, subscribe].some(({ allow, deny }) => allow.length > 0 || deny.length > 0) || responses !== undefined;
}

function isTimeOfDay(text: string): boolean {
  const match = /^(\d{2}):(\d{2}):(\d{2})$/.exec(text);
  return match !== null && Number(match[1]) < 24 && Number(match[2]) < 60 && Number(match[3]) < 60;
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

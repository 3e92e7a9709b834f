/** What the service's answer must be, step by step. Spec: accounts and authentication, section 9.4; the numbers in comments are those of its list. */
import {
  type AccountClaims,
  applyTemplate,
  type AuthorizationResponse,
  decodeAuthorizationResponse,
  decodeUser,
  hasNoLimits,
  hasPermissions,
  type Issues,
  JwtError,
  type UserClaims,
  type UserLimits,
  validateAuthorizationResponse,
  validateUser,
} from "../../jwt/index.ts";
import { goQuote } from "../../util/quote.ts";
import { isRevoked, loginEndS, permissionsOf, scopeText, timeLeftS } from "../operator/index.ts";
import type { Identity } from "../types.ts";
import type { CalloutRules } from "./authenticator.ts";

/** The answer does not let the client in; the message says why. */
export class Violation extends Error {
  constructor(
    message: string,
    /** What the client's own log line says beside it. */
    readonly detail = "",
  ) {
    super(message);
    this.name = "Violation";
  }
}

type Named = Pick<Identity, "user" | "label">;

export interface ResponseParts {
  readonly text: string;
  readonly wasSealed: boolean;
  readonly rules: CalloutRules;
  readonly asking: AccountClaims | undefined;
  /** Key that the request named. */
  readonly userKey: string;
  readonly serverId: string;
  readonly nowS: number;
  readonly isProxied: boolean;
  readonly isOperatorMode: boolean;
  /** How the client is called that presented what it did. */
  readonly presented: Named;
  account(name: string): AccountClaims | undefined | Promise<AccountClaims | undefined>;
  hasAccount(name: string): boolean;
}

/** Who the client is. Rejects with `Violation`. */
export async function judgeResponse(parts: ResponseParts): Promise<Omit<Identity, "proxyKey">> {
  const { rules, nowS } = parts;
  const account = goQuote(rules.account);
  const response = decoded(() => decodeAuthorizationResponse(parts.text));
  // 4
  const issues = texts(validateAuthorizationResponse(response, nowS));
  if (issues.length > 0) throw new Violation(`authorization response had validation errors: ${issues.join("; ")}`);
  // 5, 6
  if (response.sub !== parts.userKey) throw new Violation("auth callout violation: auth callout response is not for expected user");
  if (response.aud !== parts.serverId) throw new Violation("auth callout violation: auth callout response is not for server");
  // 7
  if (response.error !== "") throw new Violation(`auth callout service returned an error: ${response.error}`);
  // 8
  if (parts.asking !== undefined && !parts.wasSealed && !isKeyOf(parts.asking, response)) throw new Violation("auth callout signing key is unknown");
  // Sealed answers too, which the reference takes from anybody who has the service's curve key.
  if (!parts.isOperatorMode && response.iss !== rules.issuer) throw new Violation("auth callout signing key is unknown");
  // 9
  const user = decoded(() => decodeUser(response.jwt));
  if (user.proxyRequired && !parts.isProxied) throw new Violation("proxy connection required");
  // 10
  const wrong = texts(validateUser(user, nowS));
  if (wrong.length > 0) throw new Violation(`error validating user JWT: ${wrong.join("; ")}`);
  // 11
  if (user.sub !== parts.userKey) throw new Violation(`expected authorized user of ${goQuote(parts.userKey)} but got ${goQuote(user.sub)} on account ${account}`);
  // 12
  const left = timeLeftS(user.times, user.timesLocation, nowS);
  if (left === undefined) throw new Violation(`authorized user on account ${account} outside of valid connect times`, "Outside connect times");
  if (user.allowedConnectionTypes.length > 0 && !user.allowedConnectionTypes.some((type) => KNOWN_TYPES.has(type.toUpperCase()))) throw new Violation(`authorized user on account ${account} using invalid connection type`);
  const expiresAtS = loginEndS(user.exp, left, nowS);
  return parts.isOperatorMode ? inOperatorMode(parts, user, expiresAtS) : inConfiguration(parts, user, expiresAtS);
}

const KNOWN_TYPES: ReadonlySet<string> = new Set(["STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS", "IN_PROCESS"]);

function inConfiguration({ rules, hasAccount, presented }: ResponseParts, user: UserClaims, expiresAtS: number): Omit<Identity, "proxyKey"> {
  const account = goQuote(rules.account);
  if (user.iss !== rules.issuer) throw new Violation(`wrong issuer for auth callout response on account ${account}, expected ${goQuote(rules.issuer)} got ${goQuote(user.iss)}`);
  if (user.issuerAccount !== "") throw new Violation(`error non operator mode account ${account}: attempted to use issuer_account`);
  if (!hasAccount(user.aud)) throw new Violation(`no valid account ${goQuote(user.aud)} for auth callout response on account ${account}: account missing`);
  // The default permissions of a configured account are for its configured users only, as in the reference.
  return { account: user.aud, ...named(user, presented), permissions: permissionsOf(user, undefined), expiresAtS, delegatedBy: user.aud };
}

async function inOperatorMode({ rules, asking, presented, isProxied, account: claimsOf }: ResponseParts, user: UserClaims, expiresAtS: number): Promise<Omit<Identity, "proxyKey">> {
  const from = goQuote(rules.account);
  const target = user.issuerAccount === "" ? user.iss : user.issuerAccount;
  if (target !== rules.account && !rules.allowedAccounts.includes("*") && !rules.allowedAccounts.includes(target)) {
    throw new Violation(`account ${goQuote(target)} not permitted as valid account option for auth callout for account ${from}`);
  }
  const claims = target === rules.account ? asking : await claimsOf(target);
  if (claims === undefined) throw new Violation(`no valid account ${goQuote(target)} for auth callout response on account ${from}: account missing`);
  if (user.iss !== claims.sub && !claims.signingKeys.has(user.iss)) throw new Violation(`user JWT issuer ${goQuote(user.iss)} is not known`);
  if (isRevoked(claims.revocations, user.sub, user.iat)) throw new Violation("user authentication revoked");
  const limits = scoped(claims, user);
  if (limits.proxyRequired && !isProxied) throw new Violation("proxy connection required");
  const token = { text: "", user, limits, signer: user.iss, scope: scopeText(claims, user.iss) };
  return { account: claims.sub, accountTag: claims.name, ...named(user, presented), permissions: permissionsOf(limits, claims), expiresAtS, token, delegatedBy: user.iss };
}

function scoped(claims: AccountClaims, user: UserClaims): UserLimits {
  const template = user.iss === claims.sub ? undefined : claims.signingKeys.get(user.iss);
  if (template === undefined) return user;
  if (hasPermissions(user) || !hasNoLimits(user)) throw new Violation("user JWT is not valid: scoped users require no permissions or limits set");
  try {
    return applyTemplate(template, user, claims);
  } catch (error) {
    if (error instanceof JwtError) throw new Violation(`user JWT generated invalid permissions: ${error.message}`);
    throw error;
  }
}

/** By the name that the service gave, or by what the client presented. */
function named(user: UserClaims, presented: Named): Named {
  return user.name === "" ? presented : { user: user.name, label: `user:${user.name}` };
}

/** Signed by the account, or by one of its keys in its name. */
function isKeyOf(account: AccountClaims, { iss, issuerAccount }: AuthorizationResponse): boolean {
  return iss === account.sub || (account.signingKeys.has(iss) && (issuerAccount === "" || issuerAccount === account.sub));
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof JwtError) throw new Violation(error.message);
    throw error;
  }
}

function texts(issues: Issues): readonly string[] {
  return issues.all.map(({ text }) => text);
}

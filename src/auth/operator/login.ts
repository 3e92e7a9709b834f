/**
 * The login of a user with a token, in operator mode: each check in its order, with the text that the debug log shows when it fails. Knows neither
 * connections nor where accounts come from. Spec: accounts and authentication, section 7.8; the numbers in comments are its steps.
 */
import { type AccountClaims, applyTemplate, contains, decodeUser, hasNoLimits, hasPermissions, JwtError, parseCidr, type UserClaims, type UserLimits, validateUser } from "../../jwt/index.ts";
import { verifySignature } from "../../util/nkeys.ts";
import { decodeSignature } from "../presented.ts";
import { loginEndS, timeLeftS } from "./times.ts";

/** A token with its signature checked, which is done once: what it says, or why it says nothing. */
export type PresentedToken = { readonly text: string; readonly user: UserClaims } | { readonly text: string; readonly user?: undefined; readonly problem: string };

/** What a user presents. */
export interface TokenLogin {
  readonly token: PresentedToken;
  /** base64url without padding, or standard base64; empty: none. */
  readonly signature: string;
  readonly nonce: string;
  readonly remoteAddress: string;
  readonly connectionType: string;
  /** Whether a trusted proxy signed. */
  readonly isProxied: boolean;
}

/** An account as loaded, with what the operators say of its issuer. */
export interface TrustedAccount {
  readonly claims: AccountClaims;
  readonly isTrusted: boolean;
  /** The account's own key may not sign users: an operator is strict. */
  readonly isStrict: boolean;
  readonly isExpired: boolean;
}

export interface LoginRules {
  /** Seconds since the Unix epoch. */
  readonly nowS: number;
  /** Empty: every account. */
  readonly pinned: ReadonlySet<string>;
}

export type LoginResult =
  | { readonly ok: true; readonly user: UserClaims; readonly limits: UserLimits; readonly signer: string; /** Seconds since the Unix epoch; 0: never. */ readonly expiresAtS: number }
  | { readonly ok: false; readonly detail: string; readonly isError?: boolean; readonly proxyRequired?: boolean; readonly isUnpinned?: boolean };

function refuse(detail: string): LoginResult {
  return { ok: false, detail };
}

/** Checks the signature of what was sent; an empty text is no token. */
export function presentedToken(text: string): PresentedToken {
  if (text === "") return { text, problem: "" };
  try {
    return { text, user: decodeUser(text) };
  } catch (error) {
    if (!(error instanceof JwtError)) throw error;
    return { text, problem: error.message };
  }
}

/** Steps 1 to 4, before the account is needed. */
export function openLogin(login: TokenLogin, rules: LoginRules): { readonly ok: true; readonly user: UserClaims; readonly account: string } | LoginResult {
  if (login.token.user === undefined) return refuse(login.token.text === "" ? "Authentication requires a user JWT" : `User JWT not valid: ${login.token.problem}`);
  const { user } = login.token;
  if (user.proxyRequired && !login.isProxied) return { ok: false, detail: "", proxyRequired: true };
  const issues = validateUser(user, rules.nowS);
  if (issues.blocks(true)) return refuse(`User JWT no longer valid: ${issues.texts.join("; ")}`);
  const account = user.issuerAccount === "" ? user.iss : user.issuerAccount;
  if (rules.pinned.size > 0 && !rules.pinned.has(account)) return { ok: false, detail: `Account ${account} not listed as operator pinned account`, isUnpinned: true };
  return { ok: true, user, account };
}

/** Steps 6 to 14 and 16. */
export function closeLogin(login: TokenLogin, rules: LoginRules, user: UserClaims, account: TrustedAccount): LoginResult {
  const { claims } = account;
  if (!account.isTrusted) return refuse("Account JWT not signed by trusted operator");
  // 7
  const isOwnKey = user.iss === claims.sub;
  if (isOwnKey ? account.isStrict : !claims.signingKeys.has(user.iss)) return refuse("User JWT issuer is not known");
  const scope = isOwnKey ? undefined : claims.signingKeys.get(user.iss);
  let limits: UserLimits = user;
  if (scope !== undefined) {
    if (hasPermissions(user) || !hasNoLimits(user)) return refuse("User JWT is not valid: scoped users require no permissions or limits set");
    try {
      limits = applyTemplate(scope, user, claims);
    } catch (error) {
      if (!(error instanceof JwtError)) throw error;
      return refuse("User JWT generated invalid permissions");
    }
  }
  if (limits.proxyRequired && !login.isProxied) return { ok: false, detail: "", proxyRequired: true };
  if (account.isExpired) return refuse("Account JWT has expired");
  if (limits.bearerToken && claims.limits.disallowBearer) return refuse("Account does not allow bearer tokens");
  if (limits.allowedConnectionTypes.length > 0 && !limits.allowedConnectionTypes.some((type) => type.toUpperCase() === login.connectionType)) return refuse("Connection type not allowed");
  // 11
  const unsigned = limits.bearerToken ? undefined : signatureProblem(login, user.sub);
  if (unsigned !== undefined) return refuse(unsigned);
  if (isRevoked(claims.revocations, user.sub, user.iat)) return refuse("User authentication revoked");
  // 13
  if (limits.src.length > 0 && !limits.src.some((text) => isWithin(text, login.remoteAddress))) return { ok: false, detail: `Bad src Ip ${login.remoteAddress}`, isError: true };
  // 14
  const left = timeLeftS(limits.times, limits.timesLocation, rules.nowS);
  if (left === undefined) return { ok: false, detail: "Outside connect times", isError: true };
  return { ok: true, user, limits, signer: user.iss, expiresAtS: loginEndS(user.exp, left, rules.nowS) };
}

function signatureProblem({ signature, nonce }: TokenLogin, key: string): string | undefined {
  if (signature === "") return "Signature missing";
  const bytes = decodeSignature(signature);
  if (bytes === undefined) return "Signature not valid base64";
  return verifySignature(key, Buffer.from(nonce, "latin1"), bytes) ? undefined : "Signature not verified";
}

/** Whether a token of `key`, issued at `issuedAtS`, is revoked by name or by `*`. */
export function isRevoked(revocations: ReadonlyMap<string, number>, key: string, issuedAtS: number): boolean {
  return [key, "*"].some((name) => issuedAtS <= (revocations.get(name) ?? -1));
}

function isWithin(cidr: string, address: string): boolean {
  const network = parseCidr(cidr);
  return network !== undefined && contains(network, address);
}

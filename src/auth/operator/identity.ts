/** From a login that succeeded to who that is; and what becomes of it when the account says something else later. Spec: accounts and authentication, 4.1 and 7.3. */
import type { PermissionOptions } from "../../config/index.ts";
import { type AccountClaims, hasPermissions, type PermissionClaims, type UserLimits } from "../../jwt/index.ts";
import type { CloseReason } from "../../protocol/index.ts";
import { shielded } from "../shield.ts";
import type { Identity, TokenIdentity } from "../types.ts";
import { isRevoked, type LoginResult } from "./login.ts";

const DEFAULT_RESPONSES = 1;
const DEFAULT_RESPONSES_NS = 120_000_000_000;

export function tokenIdentity(login: Extract<LoginResult, { ok: true }>, text: string, account: AccountClaims, proxyKey: string): Identity {
  const { user, limits, signer, expiresAtS } = login;
  const token: TokenIdentity = { text, user, limits, signer, scope: scopeText(account, signer) };
  return {
    account: account.sub,
    accountTag: account.name,
    user: user.sub,
    label: `jwt:${user.sub}`,
    permissions: permissionsOf(limits, account),
    limits: { maxSubscriptions: limits.subs, maxPayload: limits.payload },
    expiresAtS,
    proxyKey,
    token,
  };
}

/** What happens to a connection when its account's claims become `account`. */
export type Review = { readonly keep: true; readonly permissions: PermissionOptions | undefined } | { readonly keep: false; /** Sent as `-ERR`; empty: nothing is. */ readonly error: string; readonly reason: CloseReason };

export function review({ user, limits, signer, scope }: TokenIdentity, account: AccountClaims, isStrict: boolean): Review {
  if (isRevoked(account.revocations, user.sub, user.iat)) return { keep: false, error: "User Authentication Revoked", reason: "Credentials Revoked" };
  if (limits.bearerToken && account.limits.disallowBearer) return { keep: false, error: "Authorization Violation", reason: "Authentication Failure" };
  const isKnown = signer === account.sub ? !isStrict : account.signingKeys.has(signer);
  if (!isKnown || scopeText(account, signer) !== scope) return { keep: false, error: "", reason: "Authentication Failure" };
  const permissions = permissionsOf(limits, account);
  return { keep: true, permissions: account.authorization.authUsers.length === 0 ? permissions : shielded(permissions) };
}

/** The template of a signing key as text: another one means another user. */
export function scopeText(account: AccountClaims, signer: string): string {
  return JSON.stringify(account.signingKeys.get(signer) ?? null);
}

/** The user's own, or the account's default when it has none at all; undefined: everything is allowed. */
export function permissionsOf(limits: UserLimits, account: AccountClaims | undefined): PermissionOptions | undefined {
  if (hasPermissions(limits)) return permissionOptions(limits);
  return account !== undefined && hasPermissions(account.defaultPermissions) ? permissionOptions(account.defaultPermissions) : undefined;
}

function permissionOptions({ publish, subscribe, responses }: PermissionClaims): PermissionOptions {
  const list = (subjects: readonly string[]): readonly string[] | undefined => (subjects.length === 0 ? undefined : subjects);
  const [allow, deny] = [list(publish.allow), list(publish.deny)];
  return {
    // Who may answer requests and has no list of its own may publish nothing else.
    ...(allow === undefined && deny === undefined && responses === undefined ? {} : { publish: { allow: allow ?? (responses === undefined ? undefined : []), deny } }),
    ...(subscribe.allow.length === 0 && subscribe.deny.length === 0 ? {} : { subscribe: { allow: list(subscribe.allow), deny: list(subscribe.deny) } }),
    ...(responses === undefined ? {} : { allowResponses: { maxMessages: responses.max === 0 ? DEFAULT_RESPONSES : responses.max, expiresMs: (responses.ttlNs === 0 ? DEFAULT_RESPONSES_NS : responses.ttlNs) / 1e6 } }),
  };
}

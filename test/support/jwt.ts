/** Operators, accounts and users for tests: keys made from names, tokens signed by them, always the same. */
import { encodeToken, formatCreds, type NewClaims } from "../../src/jwt/index.ts";
import { type KeyPair, keyPairFromSeed } from "../../src/util/nkeys.ts";
import { type Nkey, type NkeyKind, nkeyNamed } from "./nkeys.ts";

/** 2026-01-01, seconds since the Unix epoch. */
export const ISSUED_S = 1_767_225_600;

/** Limits of an account that may do anything. */
export const UNLIMITED = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 } as const;

/** Limits of a user that may do anything. */
export const FREE = { subs: -1, data: -1, payload: -1 } as const;

export interface Named extends Nkey {
  readonly name: string;
  readonly pair: KeyPair;
}

export function keyNamed(kind: NkeyKind, name: string): Named {
  const key = nkeyNamed(kind, name);
  const pair = keyPairFromSeed(key.seed);
  if (pair === undefined) throw new Error(`the seed of ${name} does not decode`);
  return { ...key, sign: key.sign, name, pair };
}

type Extra = Partial<Pick<NewClaims, "aud" | "exp" | "nbf" | "iat" | "tags" | "sub" | "name">>;

function write(type: NewClaims["type"], about: Named, issuer: Named, nats: NewClaims["nats"], extra: Extra): string {
  return encodeToken({ type, sub: about.publicKey, name: about.name, iat: ISSUED_S, ...extra, nats }, issuer.pair);
}

export function operatorToken(operator: Named, nats: NewClaims["nats"] = {}, extra: Extra = {}): string {
  return write("operator", operator, operator, nats, extra);
}

/** An account without limits, unless `nats` says otherwise. */
export function accountToken(account: Named, issuer: Named, nats: NewClaims["nats"] = {}, extra: Extra = {}): string {
  return write("account", account, issuer, { limits: UNLIMITED, ...nats }, extra);
}

/** A user without limits, unless `nats` says otherwise. */
export function userToken(user: Named, issuer: Named, nats: NewClaims["nats"] = {}, extra: Extra = {}): string {
  return write("user", user, issuer, { ...FREE, ...nats }, extra);
}

/** `importer` may import what `nats` names from `exporter`. */
export function activationToken(importer: Named, exporter: Named, nats: NewClaims["nats"] = {}, extra: Extra = {}): string {
  return write("activation", importer, exporter, nats, extra);
}

/** Any claim of an operator: what tools ask a resolver with. */
export function genericToken(about: Named, issuer: Named, nats: NewClaims["nats"] = {}, extra: Extra = {}): string {
  return write("generic", about, issuer, nats, extra);
}

export function creds(token: string, user: Named): string {
  return formatCreds(token, user.seed);
}

const VERSION_1 = Buffer.from(JSON.stringify({ typ: "jwt", alg: "ed25519" })).toString("base64url");

/** A token as they were written before 2.2: its type, tags and `issuer_account` stand at the top, and only the claims are signed. */
export function oldToken(type: string, about: Named, issuer: Named, nats: NewClaims["nats"] = {}, extra: Extra = {}): string {
  const { issuer_account: issuerAccount, ...rest } = nats;
  const claims = { iat: ISSUED_S, iss: issuer.publicKey, name: about.name, sub: about.publicKey, type, ...extra, ...(issuerAccount === undefined ? {} : { issuer_account: issuerAccount }), nats: rest };
  const chunk = Buffer.from(JSON.stringify(claims)).toString("base64url");
  return `${VERSION_1}.${chunk}.${issuer.sign(chunk).toString("base64url")}`;
}

/** The same claims with a signature that another key made. */
export function forged(token: string): string {
  const signed = token.slice(0, token.lastIndexOf("."));
  return `${signed}.${nkeyNamed("user", "forger").sign(signed).toString("base64url")}`;
}

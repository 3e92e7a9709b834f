/** What a server asks of an auth callout service, and what that answers. Spec: accounts and authentication, sections 9.3 and 9.4. */
import { isPublicKey, type KeyPair } from "../util/nkeys.ts";
import { decodeToken, encodeToken, type NewClaims, type StandardClaims } from "./codec.ts";
import { JwtError } from "./error.ts";
import type { JsonObject } from "./fields.ts";
import { checkTimes, Issues } from "./issues.ts";

/** What a request is always for. */
export const REQUEST_AUDIENCE = "nats-authorization-request";

/** A request, signed by the server's key. `nats` has the sections of 9.3. */
export function encodeAuthorizationRequest(claims: Omit<NewClaims, "type" | "aud"> & { readonly nats: JsonObject }, server: KeyPair): string {
  return encodeToken({ ...claims, type: "authorization_request", aud: REQUEST_AUDIENCE }, server);
}

export interface AuthorizationResponse extends StandardClaims {
  /** The user's token; empty when refused. */
  readonly jwt: string;
  /** Why the user is refused; empty when let in. */
  readonly error: string;
  /** Account that the issuer, a signing key, belongs to; empty when the account itself signed. */
  readonly issuerAccount: string;
}

/** Throws `JwtError`. */
export function decodeAuthorizationResponse(token: string): AuthorizationResponse {
  const { standard, type, nats } = decodeToken(token);
  if (type !== "authorization_response") throw new JwtError("not an authorization response claim");
  return { ...standard, jwt: nats.text("jwt"), error: nats.text("error"), issuerAccount: nats.text("issuer_account") };
}

/** `nowS` is in seconds since the Unix epoch. */
export function validateAuthorizationResponse(claims: AuthorizationResponse, nowS: number): Issues {
  const issues = new Issues();
  if (!isPublicKey(claims.sub, "user")) issues.error("Subject must be a user public key");
  if (!isPublicKey(claims.aud, "server")) issues.error("Audience must be a server public key");
  if (claims.error === "" && claims.jwt === "") issues.error("Error or Jwt is required");
  if (claims.error !== "" && claims.jwt !== "") issues.error("Only Error or Jwt can be set");
  if (claims.issuerAccount !== "" && !isPublicKey(claims.issuerAccount, "account")) issues.error("issuer_account is not an account public key");
  checkTimes(claims, nowS, issues);
  return issues;
}

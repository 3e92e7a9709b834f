/** Operator claims: who vouches for accounts. Spec: accounts and authentication, section 6.2. */
import { isPublicKey } from "../util/nkeys.ts";
import { goQuote } from "../util/quote.ts";
import { decodeToken, type StandardClaims } from "./codec.ts";
import { JwtError } from "./error.ts";
import { checkTimes, Issues } from "./issues.ts";

export interface OperatorClaims extends StandardClaims {
  readonly token: string;
  readonly signingKeys: readonly string[];
  readonly accountServerUrl: string;
  readonly operatorServiceUrls: readonly string[];
  /** Public account key, or empty. */
  readonly systemAccount: string;
  /** `x.y.z`, or empty. */
  readonly assertServerVersion: string;
  /** Its own key signs no accounts, and account keys no users: only signing keys do. */
  readonly strictSigningKeyUsage: boolean;
}

/** Throws `JwtError`. */
export function decodeOperator(token: string): OperatorClaims {
  const { standard, type, nats } = decodeToken(token);
  if (type !== "operator") throw new JwtError("not operator claim");
  return {
    ...standard,
    token,
    signingKeys: nats.texts("signing_keys"),
    accountServerUrl: nats.text("account_server_url"),
    operatorServiceUrls: nats.texts("operator_service_urls"),
    systemAccount: nats.text("system_account"),
    assertServerVersion: nats.text("assert_server_version"),
    strictSigningKeyUsage: nats.flag("strict_signing_key_usage"),
  };
}

/** `nowS` is in seconds since the Unix epoch. */
export function validateOperator(claims: OperatorClaims, nowS: number): Issues {
  const issues = new Issues();
  checkTimes(claims, nowS, issues);
  for (const key of claims.signingKeys) if (!isPublicKey(key, "operator")) issues.error(`${goQuote(key)} is not an operator public key`);
  if (claims.systemAccount !== "" && !isPublicKey(claims.systemAccount, "account")) issues.error(`${goQuote(claims.systemAccount)} is not an account public key`);
  if (claims.assertServerVersion !== "" && !/^\d+\.\d+\.\d+$/.test(claims.assertServerVersion)) issues.error(`assert server version is not valid: ${claims.assertServerVersion}`);
  return issues;
}

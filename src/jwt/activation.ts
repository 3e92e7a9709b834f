/** Activation tokens: an exporter's word that one account may import one subject. Spec: accounts and authentication, sections 6.7 and 7.9. */
import { decodeToken, type StandardClaims } from "./codec.ts";
import { JwtError } from "./error.ts";

export interface ActivationClaims extends StandardClaims {
  /** Subject granted. */
  readonly subject: string;
  readonly kind: string;
  /** Account that the issuer, a signing key, belongs to; empty when the account itself signed. */
  readonly issuerAccount: string;
}

/** Throws `JwtError`. */
export function decodeActivation(token: string): ActivationClaims {
  const { standard, type, nats, top } = decodeToken(token);
  if (type !== "activation") throw new JwtError("not activation claim");
  const isFirst = standard.version === 1;
  return { ...standard, subject: nats.text("subject"), kind: nats.text(isFirst ? "type" : "kind"), issuerAccount: (isFirst ? top : nats).text("issuer_account") };
}

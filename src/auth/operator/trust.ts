/** Whose signatures count: the keys of the operators. Spec: accounts and authentication, section 7.2. */
import type { OperatorOptions } from "../../config/index.ts";

export class Trust {
  readonly #keys: Set<string>;
  /** Keys of operators under which only signing keys sign. */
  readonly #strict = new Set<string>();
  readonly #strictIdentities = new Set<string>();

  constructor({ operators, trustedKeys }: Pick<OperatorOptions, "operators" | "trustedKeys">) {
    this.#keys = new Set(trustedKeys);
    for (const { sub, signingKeys, strictSigningKeyUsage } of operators) {
      if (strictSigningKeyUsage) this.#strictIdentities.add(sub);
      else this.#keys.add(sub);
      for (const key of signingKeys) {
        this.#keys.add(key);
        if (strictSigningKeyUsage) this.#strict.add(key);
      }
    }
  }

  /** Whether this is an operator's own key, under which only its signing keys sign. */
  isStrictIdentity(issuer: string): boolean {
    return this.#strictIdentities.has(issuer);
  }

  /** Whether an account that `issuer` signed is one of ours. */
  trusts(issuer: string): boolean {
    return this.#keys.has(issuer);
  }

  /** Whether the users of an account that `issuer` signed must be signed by the account's signing keys. */
  isStrict(issuer: string): boolean {
    return this.#strict.has(issuer);
  }
}

/** Where the tokens of accounts come from. Spec: accounts and authentication, section 8.1. */

/** The message is what the log shows behind the failed lookup. */
export class ResolverError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ResolverError";
  }
}

export interface Resolver {
  /** The token of the account with this public key. Throws, or rejects with, `ResolverError`. */
  fetch(account: string): string | Promise<string>;
}

/** Holds what the configuration preloads. */
export class MemoryResolver implements Resolver {
  #tokens: ReadonlyMap<string, string>;

  constructor(tokens: ReadonlyMap<string, string>) {
    this.#tokens = tokens;
  }

  fetch(account: string): string {
    const token = this.#tokens.get(account);
    if (token === undefined) throw new ResolverError("account missing");
    return token;
  }

  /** After a reload. */
  replace(tokens: ReadonlyMap<string, string>): void {
    this.#tokens = tokens;
  }
}

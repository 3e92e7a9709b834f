/**
 * The requests of the system account about account tokens, as functions from payload to reply: what `nsc push`, `pull` and `prune` talk to, and servers to each
 * other. Spec: accounts and authentication, sections 8.3 and 8.4.
 *
 * Unlike the reference, no token is kept that no trusted operator signed.
 */
import { type AccountClaims, decodeAccount, decodeToken, JwtError, validateAccount } from "../../jwt/index.ts";
import { DiskError } from "../../platform/index.ts";
import { goQuote } from "../../util/quote.ts";
import { isPublicKey } from "../../util/nkeys.ts";
import type { Trust } from "../operator/index.ts";
import { DirectoryError, type TokenDirectory } from "./directory.ts";

/** Where tokens are kept; undefined for resolvers that keep none. */
export interface TokenStore {
  readonly directory: TokenDirectory;
  readonly isFull: boolean;
  readonly mayDelete: boolean;
}

export interface ClaimsHost {
  readonly trust: Trust;
  /** Seconds since the Unix epoch. */
  readonly nowS: number;
  readonly systemAccount: string;
  isLoaded(account: string): boolean;
  /** A token came for an account that is loaded: what is wrong with it, or undefined. */
  update(account: string, token: string): string | undefined | Promise<string | undefined>;
  /** The account's token is gone: its clients go too. */
  removed(account: string): void;
  /** Something to log as an error. */
  tell(problem: string): void;
}

export type ClaimsReply =
  | { readonly data: { readonly account?: string; readonly code: 200; readonly message: string } }
  | { readonly error: { readonly account?: string; readonly code: 500; readonly description: string } };

/** Bytes of one message of a pack: a message holds one token, as tools expect. */
const HASH_BYTES = 32;

class Refusal extends Error {}

export class ClaimsService {
  constructor(
    private readonly host: ClaimsHost,
    private readonly store: TokenStore | undefined,
  ) {}

  /** `account` is what the subject names, or undefined. */
  async update(payload: string, account: string | undefined): Promise<ClaimsReply> {
    const { store } = this;
    if (store === undefined) return this.#updateLoaded(payload, account ?? "");
    return store.isFull ? this.#updateFull(store, payload, account) : this.#updateCache(store, payload, account);
  }

  /** The token; empty when it is not here, undefined when it cannot be read, or when that is no key. */
  lookup(account: string): string | undefined {
    const failed = (reason: string): undefined => {
      this.host.tell(`DirResolver - Error looking up account ${goQuote(account)}: ${reason}`);
      return undefined;
    };
    if (!isPublicKey(account)) return failed("invalid public key");
    try {
      return this.store?.directory.get(account) ?? "";
    } catch (error) {
      if (error instanceof DiskError) return failed(error.message);
      throw error;
    }
  }

  list(): readonly string[] {
    return this.store?.directory.ids() ?? [];
  }

  /** Messages that answer: none but the last, empty one, when who asks has the same tokens. */
  *pack(payload: Uint8Array): Generator<string> {
    if (this.store === undefined) return;
    const { directory } = this.store;
    if (payload.length !== HASH_BYTES || !directory.hash().equals(payload)) for (const [account, token] of directory.tokens()) yield `${account}|${token}`;
    yield "";
  }

  /** Takes up what another server sent: lines of a pack. Problems, one text each. */
  async merge(message: string): Promise<readonly string[]> {
    const problems: string[] = [];
    for (const line of message.split("\n")) {
      if (line.trim() === "" || this.store === undefined) continue;
      try {
        await this.#mergeLine(this.store, line);
      } catch (error) {
        if (!isExpected(error)) throw error;
        problems.push(error.message);
      }
    }
    return problems;
  }

  async #mergeLine({ directory }: TokenStore, line: string): Promise<void> {
    const parts = line.split("|");
    if (parts.length !== 2) throw new Refusal(`line in package didn't contain 2 entries: ${goQuote(line)}`);
    const [account, token] = parts;
    if (!isPublicKey(account, "account")) throw new Refusal("key to merge is not a valid public account key");
    this.#mustBeTrusted(decodeAccount(token));
    if (directory.merge(account, token) && this.host.isLoaded(account)) await this.host.update(account, token);
  }

  /** A generic claim, signed by an operator, that names accounts. */
  delete(payload: string): ClaimsReply {
    let who = "";
    try {
      const { standard, type, nats } = decodeToken(payload);
      who = standard.sub;
      if (this.store?.mayDelete !== true) throw new Refusal("delete must be enabled in server config");
      if (standard.sub !== standard.iss) throw new Refusal("not self signed");
      if (!this.host.trust.trusts(standard.iss)) throw new Refusal("not trusted");
      const accounts = type === "generic" ? namedAccounts(nats) : undefined;
      if (accounts === undefined) throw new Refusal("malformed request");
      if (accounts.includes(this.host.systemAccount)) throw new Refusal("not allowed to delete system account");
      return this.#deleteAll(this.store, accounts);
    } catch (error) {
      if (!(error instanceof JwtError || error instanceof Refusal)) throw error;
      const description = `delete accounts request by ${who} failed - ${error.message}`;
      this.host.tell(description);
      return { error: { code: 500, description } };
    }
  }

  /** Throws `Refusal` when some could not be deleted. */
  #deleteAll({ directory }: TokenStore, accounts: readonly string[]): ClaimsReply {
    const problems: string[] = [];
    for (const account of accounts) {
      try {
        directory.delete(account);
        this.host.removed(account);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        problems.push(error.message);
      }
    }
    if (problems.length > 0) throw new Refusal(`deleted ${accounts.length - problems.length} accounts, failed for ${problems.length} - ${problems.join("\n")}`);
    return { data: { code: 200, message: `deleted ${accounts.length} accounts` } };
  }

  /** A full folder takes every token that is sound in itself; whether it is in force is judged when the account is used. */
  async #updateFull({ directory }: TokenStore, payload: string, expected: string | undefined): Promise<ClaimsReply> {
    let account = "n/a";
    try {
      const claims = decodeAccount(payload);
      account = claims.sub;
      const flaws = flawsOf(claims, this.host.nowS);
      if (flaws !== undefined) return this.#failure(account, "jwt validation failed", flaws);
      account = expected ?? account;
      if (account !== claims.sub) throw new Refusal("subject does not match jwt content");
      this.#mustBeTrusted(claims);
      directory.put(account, payload);
      const problem = this.host.isLoaded(account) ? await this.host.update(account, payload) : undefined;
      if (problem !== undefined) this.host.tell(`DirResolver - Update for account ${goQuote(account)} resulted in error ${problem}`);
      return success(account, "jwt updated");
    } catch (error) {
      if (!isExpected(error)) throw error;
      return this.#failure(account, "jwt update resulted in error", error.message);
    }
  }

  /** A cache takes tokens of accounts that are used here. */
  async #updateCache({ directory }: TokenStore, payload: string, expected: string | undefined): Promise<ClaimsReply> {
    let account = expected ?? "n/a";
    try {
      const claims = decodeAccount(payload);
      account = expected ?? claims.sub;
      if (account !== claims.sub) throw new Refusal("subject does not match jwt content");
      if (!this.host.isLoaded(account)) return success(account, "jwt update cache skipped");
      const flaws = flawsOf(claims, this.host.nowS);
      if (flaws !== undefined) return this.#failure(account, "jwt update cache validation failed", flaws);
      this.#mustBeTrusted(claims);
      directory.put(account, payload);
      const problem = await this.host.update(account, payload);
      if (problem !== undefined) this.host.tell(`DirResolver - Update for account ${goQuote(account)} resulted in error ${problem}`);
      return success(account, "jwt updated cache");
    } catch (error) {
      if (!isExpected(error)) throw error;
      return this.#failure(account, "jwt update cache resulted in error", error.message);
    }
  }

  async #updateLoaded(payload: string, account: string): Promise<ClaimsReply> {
    if (payload === "") return this.#failure(account, "jwt update error", "request body is empty");
    try {
      const claims = decodeAccount(payload);
      if (claims.sub !== account) throw new Refusal("subject does not match jwt content");
      if (!this.host.isLoaded(account)) return success(account, "jwt update skipped");
      this.#mustBeTrusted(claims);
      const problem = await this.host.update(account, payload);
      if (problem !== undefined) throw new Refusal(problem);
      return success(account, "jwt updated");
    } catch (error) {
      if (!(error instanceof JwtError || error instanceof Refusal)) throw error;
      return this.#failure(account, "jwt update resulted in error", error.message);
    }
  }

  #failure(account: string, message: string, reason: string): ClaimsReply {
    this.host.tell(`${message} - ${account} - ${reason}`);
    return { error: { ...(account === "" ? {} : { account }), code: 500, description: `${message} - ${reason}` } };
  }

  #mustBeTrusted({ iss }: AccountClaims): void {
    if (this.host.trust.trusts(iss)) return;
    throw new Refusal(this.host.trust.isStrictIdentity(iss) ? "operator requires issuer to be a signing key" : "issuer is not a trusted operator");
  }
}

/** The accounts that a request names; undefined when it does not name accounts, and only such. */
function namedAccounts(nats: ReturnType<typeof decodeToken>["nats"]): readonly string[] | undefined {
  const accounts = nats.raw("accounts");
  if (!Array.isArray(accounts) || !accounts.every((each): each is string => typeof each === "string" && isPublicKey(each, "account"))) return undefined;
  return accounts;
}

/** What makes a token no token for anybody, whatever the time is. */
function flawsOf(claims: AccountClaims, nowS: number): string | undefined {
  const flaws = validateAccount(claims, nowS).all.flatMap(({ level, text }) => (level === "error" ? [text] : []));
  return flaws.length === 0 ? undefined : `validation errors: [${flaws.join(" ")}]`;
}

function success(account: string, message: string): ClaimsReply {
  return { data: { ...(account === "" ? {} : { account }), code: 200, message } };
}

function isExpected(error: unknown): error is Error {
  return error instanceof JwtError || error instanceof DirectoryError || error instanceof DiskError || error instanceof Refusal;
}

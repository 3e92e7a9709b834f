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
    return this.store === undefined ? this.#updateLoaded(payload, account ?? "") : this.#updateStored(this.store, payload, account);
  }

  /** The token; empty when it is not here, undefined when it cannot be read, or when that is no account's key. */
  lookup(account: string): string | undefined {
    if (!isPublicKey(account, "account")) return undefined;
    try {
      return this.store?.directory.get(account) ?? "";
    } catch (error) {
      if (error instanceof DiskError) return undefined;
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
    const refused = (reason: string): ClaimsReply => ({ error: { code: 500, description: `delete accounts request by ${who} failed - ${reason}` } });
    try {
      const { standard, type, nats } = decodeToken(payload);
      who = standard.sub;
      if (this.store?.mayDelete !== true) return refused("delete must be enabled in server config");
      if (type !== "generic") return refused("malformed request");
      if (standard.sub !== standard.iss) return refused("not self signed");
      if (!this.host.trust.trusts(standard.iss)) return refused("not trusted");
      const accounts = nats.texts("accounts");
      if (accounts.length === 0) return refused("malformed request");
      if (accounts.includes(this.host.systemAccount)) return refused("not allowed to delete system account");
      return this.#deleteAll(this.store, accounts, who);
    } catch (error) {
      if (error instanceof JwtError) return refused(error.message);
      throw error;
    }
  }

  #deleteAll({ directory }: TokenStore, accounts: readonly string[], who: string): ClaimsReply {
    const problems: string[] = [];
    for (const account of accounts) {
      try {
        if (!isPublicKey(account, "account")) throw new Refusal(`not a valid account key: ${goQuote(account)}`);
        directory.delete(account);
        this.host.removed(account);
      } catch (error) {
        if (!isExpected(error)) throw error;
        problems.push(error.message);
      }
    }
    if (problems.length === 0) return { data: { code: 200, message: `deleted ${accounts.length} accounts` } };
    return { error: { code: 500, description: `delete accounts request by ${who} failed - deleted ${accounts.length - problems.length} accounts, failed for ${problems.length} - ${problems.join("\n")}` } };
  }

  async #updateStored({ directory, isFull }: TokenStore, payload: string, expected: string | undefined): Promise<ClaimsReply> {
    const name = isFull ? "jwt update" : "jwt update cache";
    let account = expected ?? "n/a";
    try {
      const claims = decodeAccount(payload);
      account = claims.sub;
      const { blocking } = judged(claims, this.host.nowS);
      if (blocking.length > 0) return failure(account, isFull ? "jwt validation failed" : "jwt update cache validation failed", `validation errors: [${blocking.join(" ")}]`);
      if (expected !== undefined && expected !== claims.sub) return failure(expected, `${name} resulted in error`, "subject does not match jwt content");
      this.#mustBeTrusted(claims);
      if (!isFull && !this.host.isLoaded(account)) return success(account, "jwt update cache skipped");
      directory.put(account, payload);
      const problem = this.host.isLoaded(account) ? await this.host.update(account, payload) : undefined;
      return problem === undefined ? success(account, isFull ? "jwt updated" : "jwt updated cache") : failure(account, `${name} resulted in error`, problem);
    } catch (error) {
      if (!isExpected(error)) throw error;
      return failure(account, `${name} resulted in error`, error.message);
    }
  }

  async #updateLoaded(payload: string, account: string): Promise<ClaimsReply> {
    if (payload === "") return failure(account, "jwt update error", "request body is empty");
    if (!this.host.isLoaded(account)) return success(account, "jwt update skipped");
    try {
      const claims = decodeAccount(payload);
      if (claims.sub !== account) return failure(account, "jwt update resulted in error", "subject does not match jwt content");
      this.#mustBeTrusted(claims);
      const problem = await this.host.update(account, payload);
      return problem === undefined ? success(account, "jwt updated") : failure(account, "jwt update resulted in error", problem);
    } catch (error) {
      if (error instanceof JwtError || error instanceof Refusal) return failure(account, "jwt update resulted in error", error.message);
      throw error;
    }
  }

  #mustBeTrusted({ iss }: AccountClaims): void {
    if (this.host.trust.trusts(iss)) return;
    throw new Refusal(this.host.trust.isStrictIdentity(iss) ? "operator requires issuer to be a signing key" : "issuer is not a trusted operator");
  }
}

function judged(claims: AccountClaims, nowS: number): { readonly blocking: readonly string[] } {
  return { blocking: validateAccount(claims, nowS).all.flatMap(({ level, text }) => (level === "error" ? [text] : [])) };
}

function success(account: string, message: string): ClaimsReply {
  return { data: { ...(account === "" ? {} : { account }), code: 200, message } };
}

function failure(account: string, message: string, reason: string): ClaimsReply {
  return { error: { ...(account === "" ? {} : { account }), code: 500, description: `${message} - ${reason}` } };
}

function isExpected(error: unknown): error is Error {
  return error instanceof JwtError || error instanceof DirectoryError || error instanceof DiskError || error instanceof Refusal;
}

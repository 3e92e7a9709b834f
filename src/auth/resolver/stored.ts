/**
 * Accounts from a folder: `full` holds all of them, `cache` those that were asked for. What the folder does not have, other servers are asked for.
 * Spec: accounts and authentication, sections 8.1 and 8.4.
 */
import { decodeAccount } from "../../jwt/index.ts";
import type { Logger } from "../../log/index.ts";
import { type Clock, DiskError, type StorageDisk, type Timer } from "../../platform/index.ts";
import type { ResolverOptions } from "../../config/index.ts";
import { type Resolver, ResolverError } from "../operator/index.ts";
import { DirectoryError, TokenDirectory, type TokenFacts } from "./directory.ts";

/** Longest time between two looks for tokens past their time. */
const EXPIRE_MS = 60_000;

export type FolderOptions = Extract<ResolverOptions, { kind: "full" | "cache" }>;

/** Servers that may know an account. */
export interface Peers {
  /** The first answer with a token; undefined when nobody has it. Rejects with `ResolverError`. */
  lookup(account: string, timeoutMs: number): Promise<string | undefined>;
}

export class StoredResolver implements Resolver {
  #directory: TokenDirectory | undefined = undefined;
  #expiry: Timer | undefined = undefined;

  constructor(
    private readonly doors: { readonly disk: StorageDisk; readonly clock: Clock; readonly log: Logger },
    private readonly options: FolderOptions,
    private readonly peers: Peers,
    private readonly isTrusted: (issuer: string) => boolean,
  ) {}

  get directory(): TokenDirectory {
    if (this.#directory === undefined) throw new Error("the folder is opened at the start");
    return this.#directory;
  }

  /** Reads what is in the folder. Throws `DiskError` when it cannot be used. */
  open(): void {
    const { doors, options } = this;
    const isFull = options.kind === "full";
    const path = doors.disk.absolute(options.folder);
    this.#directory = TokenDirectory.open(
      doors.disk,
      doors.clock,
      {
        path,
        limit: options.limit,
        whenFull: isFull ? "refuse" : "evict",
        ttlMs: isFull ? 0 : options.ttlMs,
        whenDeleted: isFull && options.allowDelete && !options.hardDelete ? "rename" : "remove",
      },
      factsOf,
      (file, reason) => doors.log.warn(`Account JWT ${file} can not be used: ${reason}`),
    );
    doors.log.info(isFull ? `Managing all jwt in exclusive directory ${path}` : `Managing some jwt in exclusive directory ${path}`);
    this.#watch();
  }

  /** `full` holds every account. */
  get isFull(): boolean {
    return this.options.kind === "full";
  }

  get mayDelete(): boolean {
    return this.options.kind === "cache" || this.options.allowDelete;
  }

  /** Time between two synchronisations, milliseconds; 0: never. */
  get intervalMs(): number {
    return this.options.kind === "full" ? this.options.intervalMs : 0;
  }

  fetch(account: string): string | Promise<string> {
    try {
      return this.directory.get(account) ?? this.#ask(account);
    } catch (error) {
      if (error instanceof DiskError) throw new ResolverError(error.message);
      throw error;
    }
  }

  /** A token that is newer than the one here is kept. False when it is not, or when no trusted operator signed it. Throws `DirectoryError`, `DiskError`, `JwtError`. */
  offer(account: string, token: string): boolean {
    return this.isTrusted(decodeAccount(token).iss) && this.directory.merge(account, token);
  }

  stop(): void {
    this.#expiry?.cancel();
  }

  async #ask(account: string): Promise<string> {
    const token = await this.peers.lookup(account, this.options.timeoutMs);
    if (token === undefined) throw new ResolverError("account jwt not found");
    try {
      this.offer(account, token);
    } catch (error) {
      // It can be used all the same; the next lookup asks again.
      if (!(error instanceof DirectoryError || error instanceof DiskError)) throw new ResolverError(error instanceof Error ? error.message : String(error));
    }
    return token;
  }

  #watch(): void {
    const { options } = this;
    const everyMs = options.kind === "cache" && options.ttlMs > 0 ? Math.min(options.ttlMs / 2, EXPIRE_MS) : EXPIRE_MS;
    this.#expiry = this.doors.clock.after(everyMs, () => {
      this.directory.expire();
      this.#watch();
    });
  }
}

/** Throws `JwtError`. */
function factsOf(text: string): TokenFacts {
  const { sub, jti, iat, exp } = decodeAccount(text);
  return { id: sub, jti, issuedS: iat, expiresS: exp };
}

/** Operator mode: trusted keys, operators, resolvers; and trusted proxies. */
import { type AccountClaims, decodeAccount, decodeOperator, JwtError, type OperatorClaims, tokenOfFile } from "../../jwt/index.ts";
import { DiskError } from "../../platform/index.ts";
import { goQuote } from "../../util/quote.ts";
import { msOfNs, parseDuration } from "../../util/duration.ts";
import { isPublicKey } from "../../util/nkeys.ts";
import type { ResolverOptions } from "../options.ts";
import { type Node, typeName, type Value } from "../values.ts";
import { type AnyOption, type Form, option, type Reading, wrongType } from "./form.ts";
import { block, blockList, durationString, flag, integer, mapped, strings, text } from "./forms.ts";

export const trustedKeys: Form<readonly string[]> = mapped(strings("trusted"), (keys, { node }, reading) => {
  for (const key of keys) {
    if (!isPublicKey(key, "operator")) reading.error(node.position, `trust key ${goQuote(key)} required to be a valid public operator nkey`);
  }
  return keys;
});

export const operators: Form<readonly OperatorClaims[]> = mapped(strings("operators"), (written, { node }, reading) => {
  const claims: OperatorClaims[] = [];
  for (const tokenOrPath of written) {
    try {
      claims.push(decodeOperator(tokenOrPath.startsWith("eyJ") ? tokenOrPath : tokenOfFile(Buffer.from(reading.disk.readFile(tokenOrPath)).toString("utf8"))));
    } catch (error) {
      if (!(error instanceof DiskError) && !(error instanceof JwtError)) throw error;
      reading.error(node.position, `error parsing operator JWT: ${error.message}`);
    }
  }
  return claims;
});

export const resolverBlock = {
  type: option(text, "`full`, `cache` or `memory`."),
  dir: option(text, "Folder of the account JWTs."),
  allow_delete: option(flag, "Allow deletion.", { default: "false" }),
  hard_delete: option(flag, "Delete files instead of renaming them.", { default: "false" }),
  limit: option(integer, "Accounts kept."),
  ttl: option(durationString(), "`cache`: time an account is kept."),
  interval: option(durationString(), "`full`: time between synchronisations."),
  timeout: option(durationString(), "Time to fetch an account.", { default: "1.9s" }),
} satisfies Record<string, AnyOption>;

/** Defaults of the reference. */
const SYNC_MS = 60_000;
const FETCH_MS = 1900;
const CACHE_LIMIT = 1000;

const RESOLVER_PROBLEM = 'error parsing account resolver, should be MEM or  URL("url") or a map containing dir and type state=[FULL|CACHE])';

export const resolver: Form<ResolverOptions> = {
  label: "`MEMORY`, `URL(...)`, or block",
  read({ node }, reading) {
    const { value } = node;
    let problem: string | undefined;
    if (value.kind === "string") {
      const named = resolverNamed(value.text);
      if (named !== undefined) return named;
      problem = RESOLVER_PROBLEM;
    } else if (value.kind === "map") {
      mustHaveKinds(value.entries);
      problem = resolverProblem(value.entries);
      if (problem === undefined) return usable(resolverOptions(value.entries), node, reading);
    } else {
      problem = `error parsing operator resolver, wrong type ${typeName(value)}`;
    }
    reading.error(node.position, problem);
    return undefined;
  },
};

const KINDS: Readonly<Record<string, { readonly kind: Value["kind"]; readonly type: string }>> = {
  type: { kind: "string", type: "string" },
  dir: { kind: "string", type: "string" },
  allow_delete: { kind: "boolean", type: "bool" },
  hard_delete: { kind: "boolean", type: "bool" },
  limit: { kind: "integer", type: "int64" },
  ttl: { kind: "string", type: "string" },
  interval: { kind: "string", type: "string" },
  timeout: { kind: "string", type: "string" },
};

/** Throws `WrongType`. */
function mustHaveKinds(entries: ReadonlyMap<string, Node>): void {
  for (const [key, node] of entries) {
    const wanted = KINDS[key];
    if (wanted !== undefined && node.value.kind !== wanted.kind) throw wrongType(node, wanted.type);
  }
}

/** A folder must be one, or a name that nothing has yet. */
function usable(options: ResolverOptions, { position }: Node, reading: Reading): ResolverOptions | undefined {
  if (!("folder" in options)) return options;
  try {
    reading.disk.list(options.folder);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (error.code === "ENOENT") return options;
    reading.error(position, "dir needs to point to an accessible directory");
    reading.error(position, `mkdir ${options.folder}: ${error.reason}`);
    return undefined;
  }
  return options;
}

function resolverNamed(written: string): ResolverOptions | undefined {
  const url = /^URL\((.*)\)$/i.exec(written.trim());
  if (url !== null) return { kind: "url", url: url[1].trim().replace(/^(["'])(.*)\1$/, "$2") };
  return /MEM/i.test(written) ? { kind: "memory" } : undefined;
}

/** Texts and switches of a map by name; those that are not there are empty, or off. */
function readerOf(entries: ReadonlyMap<string, Node>): { readonly textOf: (key: string) => string; readonly isOn: (key: string) => boolean } {
  return {
    textOf: (key) => {
      const value = entries.get(key)?.value;
      return value?.kind === "string" ? value.text : "";
    },
    isOn: (key) => {
      const value = entries.get(key)?.value;
      return value?.kind === "boolean" && value.boolean;
    },
  };
}

/** Of a map without a problem. */
function resolverOptions(entries: ReadonlyMap<string, Node>): ResolverOptions {
  const { textOf, isOn } = readerOf(entries);
  const msOf = (key: string, absent: number): number => {
    const parsed = parseDuration(textOf(key));
    return parsed.ok ? msOfNs(parsed.ns) : absent;
  };
  const limit = entries.get("limit")?.value;
  const bound = (absent: number): number => (limit?.kind === "integer" ? Number(limit.integer) : absent);
  const folder = textOf("dir");
  switch (textOf("type").toLowerCase()) {
    case "full":
      return { kind: "full", folder, allowDelete: isOn("allow_delete"), hardDelete: isOn("hard_delete"), intervalMs: msOf("interval", SYNC_MS), limit: bound(0), timeoutMs: msOf("timeout", FETCH_MS) };
    case "cache":
      return { kind: "cache", folder, ttlMs: msOf("ttl", 0), limit: bound(CACHE_LIMIT), timeoutMs: msOf("timeout", FETCH_MS) };
    default:
      return { kind: "memory" };
  }
}

function resolverProblem(entries: ReadonlyMap<string, Node>): string | undefined {
  const { textOf, isOn } = readerOf(entries);
  const type = textOf("type").toUpperCase();
  if (type === "MEM" || type === "MEMORY") return undefined;
  if (type !== "FULL" && type !== "CACHE") return RESOLVER_PROBLEM;
  if (textOf("dir") === "") return "dir has no value and needs to point to a directory";
  if (type === "CACHE" && entries.has("interval")) return "CACHE does not accept sync";
  if (type === "CACHE" && isOn("allow_delete")) return "CACHE does not accept allow_delete";
  if (type === "CACHE" && isOn("hard_delete")) return "CACHE does not accept hard_delete";
  if (type === "FULL" && entries.has("ttl")) return "FULL does not accept ttl";
  if (isOn("hard_delete") && !isOn("allow_delete")) return "hard_delete has no effect without delete";
  for (const key of ["interval", "ttl", "timeout"]) {
    const parsed = parseDuration(textOf(key) || "1m");
    if (!parsed.ok) return parsed.error;
    if (key === "timeout" && parsed.ns <= 0n) return `Fetch timeout ${textOf(key)} is too smal`;
  }
  return undefined;
}

/** Account, as it is written, to its token. */
export const resolverPreload: Form<ReadonlyMap<string, AccountClaims>> = {
  label: "map of account key to JWT",
  read({ node }, reading) {
    if (node.value.kind !== "map") {
      reading.error(node.position, "preload should be a map of account_public_key:account_jwt");
      return undefined;
    }
    const accounts = new Map<string, AccountClaims>();
    for (const [key, { value, position }] of node.value.entries) {
      if (value.kind !== "string") {
        reading.error(position, "preload map value should be a string JWT");
        continue;
      }
      try {
        accounts.set(key, decodeAccount(value.text));
      } catch (error) {
        if (!(error instanceof JwtError)) throw error;
        reading.error(position, "invalid account JWT");
      }
    }
    return accounts;
  },
};

export const proxyKeyBlock = {
  key: option(text, "Public nkey of the proxy.", { aliases: ["public_key"] }),
} satisfies Record<string, AnyOption>;

const trusted: Form<readonly string[]> = blockList(
  proxyKeyBlock,
  {
    notArray: (type) => `expected proxies' trusted field to be an array, got ${type}`,
    notMap: (type) => `expected proxies' trusted entry to be a map/struct, got ${type}`,
  },
  ({ values, entries }, { node }, reading) => {
    if (values.key === undefined) return undefined;
    if (!isPublicKey(values.key)) reading.error(entries.get("key")?.node.position ?? node.position, `invalid proxy key ${goQuote(values.key)}`);
    return values.key;
  },
);

export const proxiesBlock = {
  trusted: option(trusted, "Proxies that may present clients.", { reload: "applied" }),
} satisfies Record<string, AnyOption>;

export const proxies: Form<readonly string[]> = block(
  proxiesBlock,
  (type) => `expected proxies to be a map/struct, got ${type}`,
  ({ values }) => values.trusted ?? [],
);

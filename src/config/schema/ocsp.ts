/** `ocsp`, `ocsp_cache` and `tls.ocsp_peer`: known and checked; the feature itself is not in this version. */
import { parseDuration } from "../../util/duration.ts";
import { goQuote } from "../../util/quote.ts";
import { formatPosition, type Node, typeName } from "../values.ts";
import { type AnyOption, type Form, option, wrongType } from "./form.ts";
import { flag, text } from "./forms.ts";

/** Milliseconds from seconds or a duration. */
const seconds: Form<number> = {
  label: "seconds or duration",
  read: ({ node }) => {
    const { value } = node;
    if (value.kind === "integer") return Number(value.integer) * 1000;
    if (value.kind === "float") return value.float * 1000;
    if (value.kind !== "string") return undefined;
    const parsed = parseDuration(value.text);
    return parsed.ok ? Number(parsed.ns / 1_000_000n) : undefined;
  },
};

export const ocspBlock = {
  mode: option(text, "`auto`, `always`, `must` or `never`.", { default: "auto" }),
  url: option(text, "Responder to use instead of the certificates' own."),
} satisfies Record<string, AnyOption>;

/** Whether stapling is asked for. */
export const ocsp: Form<boolean> = {
  label: "boolean or block",
  read({ node }, reading) {
    const { value } = node;
    if (value.kind === "boolean") return value.boolean;
    if (value.kind !== "map") {
      reading.error(node.position, `error parsing ocsp config: unsupported type ${typeName(value)}`);
      return undefined;
    }
    let on = true;
    for (const [key, entry] of value.entries) {
      if (key !== "mode" && key !== "url" && key !== "urls") {
        reading.error(entry.position, "error parsing ocsp config: unsupported field string");
        return undefined;
      }
      if (key === "urls") throw wrongType(entry, "[]string");
      if (entry.value.kind !== "string") throw wrongType(entry, "string");
      const mode = entry.value.text.toLowerCase();
      if (key === "mode" && !["auto", "always", "must", "never"].includes(mode)) {
        reading.error(entry.position, "error parsing ocsp config: unsupported ocsp mode string");
        return undefined;
      }
      if (key === "mode" && mode === "never") on = false;
    }
    return on;
  },
};

export const ocspPeerBlock = {
  verify: option(flag, "Switches the check on.", { default: "false" }),
  ca_timeout: option(seconds, "Time for one request to a responder.", { default: "2s" }),
  allowed_clockskew: option(seconds, "Tolerated difference between the clocks.", { default: "30s" }),
  warn_only: option(flag, "Log, but accept.", { default: "false" }),
  unknown_is_good: option(flag, "Accept the status unknown.", { default: "false" }),
  allow_when_ca_unreachable: option(flag, "Accept when no responder answers.", { default: "false" }),
  cache_ttl_when_next_update_unset: option(seconds, "Validity of answers that state none.", { default: "1h" }),
} satisfies Record<string, AnyOption>;

/** Whether peers are to be checked. The form: what is wrong inside the map is reported with the place twice, as operators know it. */
export const ocspPeer: Form<boolean> = {
  label: "boolean or block",
  read({ node }, reading) {
    const { value } = node;
    if (value.kind === "boolean") return value.boolean;
    if (value.kind !== "map") {
      reading.error(node.position, "error parsing ocsp peer config: unsupported type map[string]interface {}");
      return undefined;
    }
    let on = false;
    for (const [key, entry] of value.entries) {
      const problem = peerProblem(key, entry);
      if (problem !== undefined) {
        reading.error(node.position, `${formatPosition(entry.position)}: error parsing tls peer config, ${problem}`);
        return undefined;
      }
      if (key.toLowerCase() === "verify" && entry.value.kind === "boolean") on = entry.value.boolean;
    }
    return on;
  },
};

function peerProblem(key: string, { value }: Node): string | undefined {
  const name = key.toLowerCase();
  const known: AnyOption | undefined = Object.entries(ocspPeerBlock).find(([each]) => each === name)?.[1];
  if (known === undefined || (known.form === flag && value.kind !== "boolean")) return `unknown field [${goQuote(key)}]`;
  if (known.form === flag || value.kind === "integer" || value.kind === "float") return undefined;
  if (value.kind !== "string" || name === "allowed_clockskew") return "conversion error: unexpected type";
  const parsed = parseDuration(value.text);
  return parsed.ok ? undefined : `conversion error: ${parsed.error}`;
}

export const ocspCacheBlock = {
  type: option(text, "`local` or `none`.", { default: "local" }),
  local_store: option(text, "Folder of the cache.", { default: "\"_rc_\"" }),
  preserve_revoked: option(flag, "Keep revoked answers.", { default: "false" }),
  save_interval: option(seconds, "Time between saves.", { default: "5m" }),
} satisfies Record<string, AnyOption>;

/** The cache is only for `ocsp_peer`: without that it has no effect, so it is accepted. */
export const ocspCache: Form<boolean> = {
  label: "boolean or block",
  read({ node }, reading) {
    const { value } = node;
    if (value.kind === "boolean") return value.boolean;
    if (value.kind !== "map") {
      reading.error(node.position, `error parsing tags: unsupported type ${typeName(value)}`);
      return undefined;
    }
    for (const [key, entry] of value.entries) {
      const problem = cacheProblem(key, entry);
      if (problem !== undefined) reading.error(entry.position, `error parsing OCSP peer cache config, ${problem}`);
    }
    return true;
  },
};

function cacheProblem(key: string, { value }: Node): string | undefined {
  const unknown = `unknown field [${goQuote(key)}]`;
  switch (key.toLowerCase()) {
    case "type":
      if (value.kind !== "string") return unknown;
      return ["local", "none"].includes(value.text.toLowerCase()) ? undefined : `unknown type [${value.text}]`;
    case "local_store":
      return value.kind === "string" ? undefined : unknown;
    case "preserve_revoked":
      return value.kind === "boolean" ? undefined : unknown;
    case "save_interval": {
      if (value.kind === "integer" || value.kind === "float") return undefined;
      const parsed = value.kind === "string" ? parseDuration(value.text) : undefined;
      if (parsed === undefined) return "conversion error: unexpected type";
      return parsed.ok ? undefined : `conversion error: ${parsed.error}`;
    }
    default:
      return unknown;
  }
}

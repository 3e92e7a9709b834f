/** Options that the blocks of several listeners have in common. */
import { parseDuration } from "../../util/duration.ts";
import { goQuote } from "../../util/quote.ts";
import { typeName } from "../values.ts";
import { type AnyOption, type Form, option, WrongType, wrongType } from "./form.ts";
import { block, duration, flag, oneOf, text } from "./forms.ts";
import { permissions } from "./permissions.ts";
import { authTimeout, userList } from "./users.ts";

export const WRITE_TIMEOUTS = ["default", "close", "retry"] as const;

export const writeTimeout = oneOf(WRITE_TIMEOUTS, "write_timeout must be 'default', 'close' or 'retry'");

export const writeOptions = {
  write_deadline: option(duration(), "Time for a write to a peer.", { default: "the server's" }),
  write_timeout: option(writeTimeout, "What a write past its deadline does: `close` or `retry`.", { default: "default" }),
} satisfies Record<string, AnyOption>;

/** A name without spaces. */
export function nameWithoutSpaces(what: string): Form<string> {
  return {
    label: "string",
    read(entry, reading) {
      const name = text.read(entry, reading) ?? "";
      if (!name.includes(" ")) return name;
      reading.error(entry.node.position, `${what} name cannot contain spaces`);
      return undefined;
    },
  };
}

export const compressionBlock = {
  mode: option(text, "`on`, `off`, `accept`, `s2_auto`, `s2_fast`, `s2_better`, `s2_best`."),
  rtt_thresholds: option({ label: "list of durations", read: () => undefined }, "Round trips from which the next stronger level is used.", {
    aliases: ["thresholds", "rtts", "rtt"],
    default: "10ms, 50ms, 100ms",
  }),
} satisfies Record<string, AnyOption>;

/** `compression` of routes and leafnodes: the mode as written, checked when links are built. */
export const compression: Form<string> = {
  label: "boolean, mode, or block",
  read({ key, node }, reading) {
    const { value } = node;
    if (value.kind === "string") return value.text;
    if (value.kind === "boolean") return value.boolean ? "on" : "off";
    if (value.kind !== "map") {
      reading.error(node.position, `field ${goQuote(key)} should be a boolean or a structure, got ${typeName(value)}`);
      return undefined;
    }
    let mode = "";
    for (const [name, entry] of value.entries) {
      const lower = name.toLowerCase();
      if (lower === "mode") {
        if (entry.value.kind !== "string") throw wrongType(entry, "string");
        mode = entry.value.text;
      } else if (["rtt_thresholds", "thresholds", "rtts", "rtt"].includes(lower)) {
        if (entry.value.kind !== "array") throw wrongType(entry, "[]interface {}");
        for (const item of entry.value.items) {
          if (item.value.kind !== "string") throw wrongType(item, "string");
          const parsed = parseDuration(item.value.text);
          if (!parsed.ok) throw new WrongType(item.position, parsed.error);
        }
      } else if (!entry.used) {
        reading.error(entry.position, `unknown field ${goQuote(name)}`);
      }
    }
    return mode;
  },
};

/** An array of URLs, each of which may stand once. */
export function urls(what: string): Form<readonly string[]> {
  return {
    label: "list of URLs",
    read({ node }, reading) {
      if (node.value.kind !== "array") throw wrongType(node, "[]interface {}");
      const seen = new Set<string>();
      for (const item of node.value.items) {
        if (item.value.kind !== "string") throw wrongType(item, "string");
        const url = item.value.text;
        if (seen.has(url)) reading.warn(item.position, url, `Duplicate ${what} entry detected`);
        else if (!isUrl(url)) reading.error(item.position, `error parsing ${what} url [${goQuote(url)}]`);
        seen.add(url);
      }
      return [...seen];
    },
  };
}

/** `scheme://host:port` as a URL parser takes it; a port must be a number. */
export function isUrl(url: string): boolean {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)/.exec(url.trim());
  if (match === null || /[\s\x7f]/.test(url.trim())) return false;
  const host = match[2].slice(match[2].lastIndexOf("@") + 1);
  return /^(?:\[[0-9a-fA-F:.%]+\]|[^:[\]]*)(?::-?\d*)?$/.test(host);
}

export const linkAuthorizationBlock = {
  user: option(text, "User that peers present.", { aliases: ["username"] }),
  password: option(text, "Its password.", { aliases: ["pass"] }),
  token: option(text, "Not possible here."),
  timeout: option(authTimeout("authorization"), "Time for a peer to authenticate."),
  users: option(userList, "Not possible here."),
  default_permissions: option(permissions, "Deprecated: use `permissions` of the block.", { aliases: ["default_permission", "permissions"] }),
  auth_callout: option({ label: "block", read: () => true }, "Not possible here.", { aliases: ["auth_hook"] }),
  proxy_required: option(flag, "Peers must come through a trusted proxy."),
} satisfies Record<string, AnyOption>;

/** `authorization {}` of a cluster or gateway: one user. */
export function linkAuthorization(kind: "Cluster" | "Gateway"): Form<true> {
  return block(linkAuthorizationBlock, "wrong type", ({ values, entries }, { node }, reading) => {
    if (entries.has("users")) reading.error(node.position, `${kind} authorization does not allow multiple users`);
    else if ((values.token ?? "") !== "") reading.error(node.position, `${kind} authorization does not support tokens`);
    else if (entries.has("auth_callout")) reading.error(node.position, `${kind} authorization does not support callouts`);
    const deprecated = entries.get("default_permissions");
    if (kind === "Cluster" && deprecated !== undefined) {
      reading.warn(deprecated.node.position, deprecated.key, `setting "permissions" within cluster authorization block is deprecated`);
    }
    return true;
  });
}

/** `authorization {}` with its users, and the user entries that accounts have too. */
import { msOfNs, parseDuration } from "../../util/duration.ts";
import { goQuote } from "../../util/quote.ts";
import { isPublicKey } from "../../util/nkeys.ts";
import type { AuthCalloutOptions, ConnectionType, PermissionOptions, UserOptions } from "../options.ts";
import { plainText, type Position, typeName } from "../values.ts";
import { type AnyOption, type Form, option, readBlock, type Reading, type UnknownKeys, wrongType } from "./form.ts";
import { block, flag, text } from "./forms.ts";
import { permissions } from "./permissions.ts";

const HIGH_TIMEOUT_MS = 60_000;

export const CONNECTION_TYPES: readonly ConnectionType[] = ["STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS", "IN_PROCESS"];

/** A time in seconds or as a duration, for the first operation of a connection; `where` names the block in texts. */
export function authTimeout(where: string): Form<number> {
  return {
    label: "seconds or duration",
    read({ node }, reading) {
      const { value } = node;
      let ms: number;
      if (value.kind === "integer") ms = Number(value.integer) * 1000;
      else if (value.kind === "float") ms = value.float * 1000;
      else {
        const parsed = value.kind === "string" ? parseDuration(value.text) : undefined;
        if (parsed?.ok !== true) {
          reading.error(node.position, `error parsing ${where} config, 'timeout' ${parsed === undefined ? "wrong type" : parsed.error}`);
          return undefined;
        }
        ms = msOfNs(parsed.ns);
      }
      if (ms > HIGH_TIMEOUT_MS) {
        reading.warn(
          node.position,
          "timeout",
          `timeout of ${plainText(value)} (${(ms / 1000).toFixed(6)} seconds) is high, consider keeping it under 60 seconds. ` +
            "possibly caused by unquoted duration; use '1m' instead of 1m, for example",
        );
      }
      return ms;
    },
  };
}

export const connectionTypes: Form<readonly ConnectionType[]> = {
  label: "string or list of strings",
  read({ node }, reading) {
    const items = node.value.kind === "string" ? [node] : node.value.kind === "array" ? node.value.items : undefined;
    if (items === undefined) {
      reading.error(node.position, `error parsing allowed connection types: unsupported type ${typeName(node.value)}`);
      return undefined;
    }
    const types: ConnectionType[] = [];
    const wrong: string[] = [];
    for (const item of items) {
      if (item.value.kind !== "string") {
        reading.error(item.position, `error parsing allowed connection types: unsupported type in array ${typeName(item.value)}`);
        continue;
      }
      const name = item.value.text.toUpperCase();
      const type = CONNECTION_TYPES.find((each) => each === name);
      if (type === undefined) wrong.push(name);
      else types.push(type);
    }
    if (wrong.length > 0) reading.error(node.position, `invalid connection types [${wrong.map(goQuote).join(" ")}]`);
    return types;
  },
};

export const userBlock = {
  user: option(text, "User name.", { aliases: ["username"] }),
  password: option(text, "Password, plain or a bcrypt hash.", { aliases: ["pass"] }),
  nkey: option(text, "Public user nkey; then without user name and password."),
  permissions: option(permissions, "What the user may publish and subscribe to.", { aliases: ["permission", "authorization"] }),
  allowed_connection_types: option(connectionTypes, "Kinds of connection the user may use.", {
    aliases: ["connection_types", "clients"],
    default: "all",
  }),
  proxy_required: option(flag, "The user must come through a trusted proxy.", { default: "false" }),
} satisfies Record<string, AnyOption>;

/** A user entry before the account and the default permissions of its block are known. */
export type ReadUser = Omit<UserOptions, "account">;

const userEntry: Form<ReadUser> = {
  label: "block",
  read({ node }, reading) {
    if (node.value.kind !== "map") {
      reading.error(node.position, `Expected user entry to be a map/struct, got ${plainText(node.value)}`);
      return undefined;
    }
    const { values } = readBlock(userBlock, node.value, reading);
    const where = [...node.value.entries.values()].at(-1)?.position ?? node.position;
    const user = values.user ?? "";
    const nkey = values.nkey ?? "";
    const password = values.password ?? "";
    const problem = userProblem(user, nkey, password);
    if (problem !== undefined) {
      reading.error(where, problem);
      return undefined;
    }
    return {
      user,
      password,
      nkey,
      permissions: values.permissions,
      allowedConnectionTypes: values.allowed_connection_types ?? [],
      proxyRequired: values.proxy_required ?? false,
    };
  },
};

function userProblem(user: string, nkey: string, password: string): string | undefined {
  if (nkey !== "" && !isPublicKey(nkey, "user")) return "Not a valid public nkey for a user";
  if (nkey !== "" && (user !== "" || password !== "")) return "Nkey users do not take usernames or passwords";
  return nkey === "" && user === "" ? "User entry requires a user" : undefined;
}

export const userList: Form<readonly ReadUser[]> = {
  label: "list of blocks",
  read({ key, name, node }, reading) {
    if (node.value.kind !== "array") {
      reading.error(node.position, `Expected users field to be an array, got ${plainText(node.value)}`);
      return undefined;
    }
    return node.value.items.flatMap((item) => userEntry.read({ key, name, node: item }, reading) ?? []);
  },
};

const accountNkey = (what: string, kind: "account" | "curve", article: string): Form<string> => ({
  label: "string",
  read(entry, reading) {
    const key = text.read(entry, reading) ?? "";
    if (isPublicKey(key, kind)) return key;
    reading.error(entry.node.position, `Expected callout ${what} to be a valid public ${article}, got ${goQuote(key)}`);
    return undefined;
  },
});

function names(field: string): Form<readonly string[]> {
  return {
    label: "list of strings",
    read({ node }, reading) {
      if (node.value.kind !== "array") {
        reading.error(node.position, `Expected ${field} field to be an array, got ${plainText(node.value)}`);
        return undefined;
      }
      return node.value.items.map((item) => {
        if (item.value.kind !== "string") throw wrongType(item, "string");
        return item.value.text;
      });
    },
  };
}

export const calloutBlock = {
  issuer: option(accountNkey("user", "account", "account nkey"), "Account nkey that signs the answers."),
  account: option(text, "Account of the authentication service.", { aliases: ["acc"], default: "`$G`" }),
  auth_users: option(names("auth_users"), "Users of the service itself, which are not delegated.", { aliases: ["users"] }),
  xkey: option(accountNkey("xkey", "curve", "xkey"), "Curve key to encrypt requests with.", { aliases: ["key"] }),
  allowed_accounts: option(names("allowed_accounts"), "Accounts whose users are delegated too."),
} satisfies Record<string, AnyOption>;

const calloutUnknown: UnknownKeys = { text: (key) => `Unknown field ${goQuote(key)} parsing authorization callout`, exceptUsed: true };

const authCallout: Form<AuthCalloutOptions> = {
  label: "block",
  read({ node }, reading) {
    if (node.value.kind !== "map") {
      reading.error(node.position, `Expected authorization callout to be a map/struct, got ${plainText(node.value)}`);
      return undefined;
    }
    const { values, entries } = readBlock(calloutBlock, node.value, reading, calloutUnknown);
    const where = [...node.value.entries.values()].at(-1)?.position ?? node.position;
    if (!entries.has("issuer")) reading.error(where, "Authorization callouts require an issuer to be specified");
    else if ((values.auth_users ?? []).length === 0) reading.error(where, "Authorization callouts require authorized users to be specified");
    const { issuer = "", auth_users: authUsers = [], account = "$G", xkey = "", allowed_accounts: allowedAccounts = [] } = values;
    return { issuer, authUsers, account, xkey, allowedAccounts };
  },
};

export const authorizationBlock = {
  user: option(text, "Name of the single user.", { aliases: ["username"], reload: "applied" }),
  password: option(text, "Its password, plain or a bcrypt hash.", { aliases: ["pass"], reload: "applied" }),
  token: option(text, "Token that every client presents.", { reload: "applied" }),
  timeout: option(authTimeout("authorization"), "Time for a client to authenticate.", { default: "2s; with TLS its timeout and 1s more", reload: "applied" }),
  users: option(userList, "Users.", { reload: "applied" }),
  default_permissions: option(permissions, "Permissions of users that have none of their own.", {
    aliases: ["default_permission", "permissions"],
    reload: "applied",
  }),
  auth_callout: option(authCallout, "Ask a service who may connect.", { aliases: ["auth_hook"], reload: { refusedAs: "AuthCallout" } }),
  proxy_required: option(flag, "Clients must come through a trusted proxy.", { default: "false", reload: { refusedAs: "ProxyRequired" } }),
} satisfies Record<string, AnyOption>;

/** What an `authorization {}` block says. */
export interface Authorization {
  readonly username: string;
  readonly password: string;
  readonly token: string;
  readonly timeoutMs?: number;
  readonly users: readonly ReadUser[];
  readonly defaultPermissions?: PermissionOptions;
  readonly proxyRequired: boolean;
  readonly callout?: AuthCalloutOptions;
  readonly hasUsers: boolean;
  readonly position: Position;
}

export const authorization: Form<Authorization> = block(authorizationBlock, "wrong type", ({ values, entries }, { node }, reading) => {
  const username = values.user ?? "";
  const token = values.token ?? "";
  const hasUsers = entries.has("users");
  if (username !== "" && token !== "") reading.error(node.position, "Cannot have a user/pass and token");
  if (username !== "" && hasUsers) reading.error(node.position, "Can not have a single user/pass and a users array");
  if (token !== "" && hasUsers) reading.error(node.position, "Can not have a token and a users array");
  return {
    username,
    password: values.password ?? "",
    token,
    timeoutMs: values.timeout,
    users: values.users ?? [],
    defaultPermissions: values.default_permissions,
    proxyRequired: values.proxy_required ?? false,
    callout: values.auth_callout,
    hasUsers,
    position: node.position,
  };
});

/** `authorization {}` of the websocket and MQTT listeners: one user or token. A timeout that is no number counts as one second. */
const listenerTimeout: Form<number> = {
  label: "seconds",
  read: ({ node: { value } }) => (value.kind === "integer" ? Number(value.integer) * 1000 : value.kind === "float" ? value.float * 1000 : 1000),
};

export const listenerAuthorizationBlock = {
  user: option(text, "Name of the single user.", { aliases: ["username"] }),
  password: option(text, "Its password.", { aliases: ["pass"] }),
  token: option(text, "Token that every client presents."),
  timeout: option(listenerTimeout, "Time for a client to authenticate."),
} satisfies Record<string, AnyOption>;

export const listenerAuthorization = block(listenerAuthorizationBlock, "wrong type", ({ values }) => ({
  username: values.user ?? "",
  password: values.password ?? "",
  token: values.token ?? "",
  timeoutMs: values.timeout,
}));

/** Users of all blocks, in whom a name or key may stand only once. */
export class UserRegistry {
  readonly users: UserOptions[] = [];
  private readonly names = new Set<string>();
  private readonly nkeys = new Set<string>();

  constructor(private readonly reading: Reading) {}

  add(users: readonly ReadUser[], account: string, defaults: PermissionOptions | undefined, position: Position): void {
    for (const user of users) {
      const [seen, key, kind] = user.nkey === "" ? [this.names, user.user, "user"] : [this.nkeys, user.nkey, "nkey"];
      if (seen.has(key)) {
        this.reading.error(position, `Duplicate ${kind} ${goQuote(key)} detected`);
        continue;
      }
      seen.add(key);
      this.users.push({ ...user, account, permissions: user.permissions ?? defaults });
    }
  }
}


/** Who am I: the answer to `$SYS.REQ.USER.INFO`. Spec: monitoring, section 15. */
import type { PermissionOptions } from "../config/index.ts";
import { ClientLink } from "../links/index.ts";
import type { Subscriber } from "../routing/index.ts";

/** Undefined when who asks is no client. */
export function userInfo(origin: Subscriber | undefined, nowS: number): Readonly<Record<string, unknown>> | undefined {
  if (!(origin instanceof ClientLink)) return undefined;
  const { identity, account } = origin;
  const expiresAtS = identity?.expiresAtS ?? 0;
  return {
    user: identity?.user ?? "",
    account: account.name,
    account_name: identity?.accountTag || account.name,
    user_name: identity?.token?.user.name || undefined,
    permissions: identity?.permissions === undefined ? undefined : shown(identity.permissions),
    expires: expiresAtS === 0 ? undefined : Math.max(0, Math.ceil(expiresAtS - nowS)) * 1_000_000_000,
  };
}

function shown({ publish, subscribe, allowResponses }: PermissionOptions): object {
  return {
    publish: publish ?? {},
    subscribe: subscribe ?? {},
    responses: allowResponses === undefined ? undefined : { max: allowResponses.maxMessages, ttl: allowResponses.expiresMs * 1e6 },
  };
}

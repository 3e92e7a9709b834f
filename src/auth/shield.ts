/**
 * Users who belong to the account that asks an auth callout service may not ask themselves: an answer of their own making must stay without a question.
 * Spec: accounts and authentication, section 9.1.
 */
import type { PermissionOptions } from "../config/index.ts";

/** Where the service is asked. */
export const CALLOUT_SUBJECT = "$SYS.REQ.USER.AUTH";

export function shielded(permissions: PermissionOptions | undefined): PermissionOptions {
  return { ...permissions, publish: { ...permissions?.publish, deny: [...(permissions?.publish?.deny ?? []), CALLOUT_SUBJECT] } };
}

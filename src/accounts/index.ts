/** Accounts: isolated subject spaces. */
export { Account, GLOBAL_ACCOUNT, NO_LIMITS, noTraffic } from "./account.ts";
export type { AccountLimits, Traffic } from "./account.ts";

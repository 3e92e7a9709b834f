/** Accounts: isolated subject spaces. */
export { Account, GLOBAL_ACCOUNT, NO_LIMITS, noTraffic } from "./account.ts";
export type { AccountLimits, Traffic } from "./account.ts";
export { Exchange } from "./exchange/exchange.ts";
export type { ExchangeHost } from "./exchange/exchange.ts";
export { shadowSubject } from "./exchange/streams.ts";

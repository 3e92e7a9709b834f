/** JetStream: streams and consumers, on top of the core, which does not know it. */
export { NO_JETSTREAM_LIMITS } from "./account.ts";
export type { AccountTiers, JetStreamAccount } from "./account.ts";
export { API_LEVEL } from "./context.ts";
export type { JetStreamSettings } from "./context.ts";
export { JetStream, JetStreamStartError } from "./engine.ts";
export type { JetStreamAccess, JetStreamHost } from "./engine.ts";
export type { AccountLimitsBody, ConsumerInfo, StreamInfo } from "./wire.ts";

/** Monitoring over HTTP, and the endpoints behind it. */
export { startMonitor, type Monitor } from "./listener.ts";
export { userOf } from "./connection.ts";
export type { ClosedConnection, ClosedSubscription, MonitorSource } from "./source.ts";
export { MonitorState } from "./state.ts";

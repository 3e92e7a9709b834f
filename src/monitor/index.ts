/** Monitoring over HTTP, and the endpoints behind it. */
export { startMonitor, type Monitor } from "./listener.ts";
export { accountz } from "./accountz.ts";
export { accstatz } from "./accstatz.ts";
export { checkedSort, connz, type ConnzOptions } from "./connz.ts";
export { expvar } from "./expvar.ts";
export { gatewayz } from "./gatewayz.ts";
export { healthz, healthzOptions } from "./healthz.ts";
export { ipqueuesz } from "./ipqueuesz.ts";
export { jsz, jszOptions, NotLeaderError } from "./jsz.ts";
export { leafz } from "./leafz.ts";
export { ParameterError, Parameters } from "./params.ts";
export { raftz, RaftzError } from "./raftz.ts";
export { routez } from "./routez.ts";
export { subsz } from "./subsz.ts";
export { varz } from "./varz.ts";
export { tokenUserOf, userOf } from "./connection.ts";
export type { ClosedConnection, ClosedSubscription, MonitorSource, TokenSource } from "./source.ts";
export { MonitorState } from "./state.ts";

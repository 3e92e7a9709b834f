/** What links read of the options, in the form they read it. */
import type { Options } from "../config/index.ts";
import type { AcceptSettings, LinkSettings } from "../links/index.ts";
import type { Network } from "../platform/index.ts";
import { listenerTls } from "./tls.ts";

export function acceptSettings(options: Options, network: Network): AcceptSettings {
  return {
    tls: listenerTls(options.tls, network),
    websocketTls: listenerTls(options.websocket.tls, network),
    websocket: options.websocket,
    allowNonTls: options.allowNonTls,
    proxyProtocol: options.proxyProtocol,
    maxConnections: options.maxConnections,
  };
}

export function linkSettings(options: Options): LinkSettings {
  return {
    maxControlLine: options.maxControlLine,
    maxPayload: options.maxPayload,
    maxPending: options.maxPending,
    maxSubscriptions: options.maxSubscriptions,
    maxSubscriptionTokens: options.maxSubscriptionTokens,
    pingIntervalMs: options.pingIntervalMs,
    websocketPingIntervalMs: options.websocket.pingIntervalMs,
    pingMax: options.pingMax,
    writeDeadlineMs: options.writeDeadlineMs,
    retryWriteTimeout: options.writeTimeout === "retry",
    noFastProducerStall: options.noFastProducerStall,
    headers: !options.noHeaderSupport,
    trace: options.log.trace,
    traceHeaders: options.log.traceHeaders,
    maxTracedMsgLen: options.log.maxTracedMsgLen,
  };
}

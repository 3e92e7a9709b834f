/** The monitoring listener: opens the port that the options name and serves the site on it. */
import type { TlsOptions } from "../config/index.ts";
import { HttpConnection } from "../links/http/index.ts";
import { type Listener, ListenError, type Network, type TlsServerContext } from "../platform/index.ts";
import { handleRequest } from "./http.ts";
import type { MonitorSource } from "./source.ts";

/** A running listener. */
export interface Monitor {
  readonly scheme: "http" | "https";
  /** As configured, for the log and the ports file. */
  readonly host: string;
  /** As bound. */
  readonly port: number;
  /** New connections present the certificates of `tls`. Without effect on plain HTTP. */
  replaceTls(tls: TlsOptions | undefined): void;
  /** Closes the listener and every connection. */
  close(): void;
}

/**
 * Opens the monitoring listener; undefined when none is configured. Throws an `Error` whose message says why that cannot be, as the user should read it after
 * `Can't start monitoring: `.
 */
export function startMonitor(source: MonitorSource): Monitor | undefined {
  const { options, platform, monitoring } = source;
  const { httpPort, httpsPort } = options;
  if (httpPort === 0 && httpsPort === 0) return undefined;
  if (httpPort !== 0 && httpsPort !== 0) throw new Error(`can't specify both HTTP (${httpPort}) and HTTPs (${httpsPort}) ports`);
  const isTls = httpsPort !== 0;
  if (isTls && options.tls === undefined) throw new Error("TLS cert and key required for HTTPS");
  let context = isTls ? monitorTls(options.tls, platform.network) : undefined;

  const host = options.httpHost === "" ? options.host : options.httpHost;
  const connections = new Set<HttpConnection>();
  const settings = {
    clock: platform.clock,
    tls: () => context,
    handle: (request: Parameters<typeof handleRequest>[1]) => handleRequest(source, request),
    onTlsError: (peer: string, cause: string) => source.log.error(`monitoring: TLS handshake error from ${peer}: ${cause}`),
    onClosed: (connection: HttpConnection) => void connections.delete(connection),
  };
  const listener = listen(platform.network, host, isTls ? httpsPort : httpPort, (stream) => connections.add(new HttpConnection(stream, settings)));
  if (isTls) monitoring.httpsPort = listener.port;
  else monitoring.httpPort = listener.port;
  source.log.info(`Starting ${isTls ? "https" : "http"} monitor on ${host.includes(":") ? `[${host}]` : host}:${listener.port}`);
  return {
    scheme: isTls ? "https" : "http",
    host,
    port: listener.port,
    replaceTls(tls) {
      if (isTls) context = monitorTls(tls, platform.network) ?? context;
    },
    close() {
      listener.close();
      for (const connection of [...connections]) connection.terminate();
    },
  };
}

/** The client listener's certificates, without its wish for certificates of clients. */
function monitorTls(tls: TlsOptions | undefined, network: Network): TlsServerContext | undefined {
  return tls === undefined ? undefined : network.prepareTls({ ...tls, verify: false });
}

function listen(network: Network, host: string, port: number, accept: Parameters<Network["listen"]>[2]): Listener {
  try {
    return network.listen(host, port, accept);
  } catch (error) {
    if (error instanceof ListenError) throw new Error(`can't listen to the monitor port: ${error.message}`);
    throw error;
  }
}

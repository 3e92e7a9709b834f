/**
 * Roads to a syslog daemon. A road is one-way and best effort: what the daemon does not take is gone, and nobody ever waits for it.
 */

/** An open road. */
export interface SyslogRoad {
  /** Hands over one message; false when the road is broken and the message was not taken. Never throws. */
  send(message: Uint8Array): boolean;
  /** Resolves when what was taken has left, or after a second. */
  close(): Promise<void>;
}

export interface SyslogRoads {
  /** Opens a road to this machine's daemon. Rejects with an `Error` whose message is the cause. */
  local(): Promise<SyslogRoad>;
  /** Opens a road to `address`: `host:port`, or a path for `unix`. Rejects with an `Error` such as `dial tcp 127.0.0.1:514: connect: connection refused`. */
  dial(network: "udp" | "tcp" | "unix", address: string): Promise<SyslogRoad>;
}

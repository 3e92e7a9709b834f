/** STATSZ: how the server is, told every now and then and on request. Spec: monitoring, section 14. */
import { varz } from "../monitor/index.ts";
import type { Timer } from "../platform/index.ts";
import type { SystemHost } from "./host.ts";

const FIRST_MS = 250;
const INTERVAL_MAX_MS = 10_000;

type Body = Readonly<Record<string, unknown>>;

export function statsz(source: SystemHost): Body {
  const all = varz(source);
  const used = [...source.accounts.byName.values()].filter((account) => account.clientConnections > 0).length;
  return {
    start: all.start,
    mem: all.mem,
    cores: all.cores,
    cpu: all.cpu,
    connections: all.connections,
    total_connections: all.total_connections,
    active_accounts: used,
    subscriptions: all.subscriptions,
    sent: { msgs: all.out_msgs, bytes: all.out_bytes },
    sent_to_clients: { msgs: all.out_client_msgs, bytes: all.out_client_bytes },
    received: { msgs: all.in_msgs, bytes: all.in_bytes },
    received_from_clients: { msgs: all.in_client_msgs, bytes: all.in_client_bytes },
    slow_consumers: all.slow_consumers,
    slow_consumer_stats: all.slow_consumers === 0 ? undefined : all.slow_consumer_stats,
    stale_connections: all.stale_connections === 0 ? undefined : all.stale_connections,
    stale_connection_stats: all.stale_connections === 0 ? undefined : all.stale_connection_stats,
    stalled_clients: all.stalled_clients === 0 ? undefined : all.stalled_clients,
    jetstream: source.jetstream === undefined ? undefined : withoutFolder(all.jetstream),
    active_servers: 1,
    gomaxprocs: all.gomaxprocs,
  };
}

function withoutFolder(jetstream: object): object {
  const config: unknown = "config" in jetstream ? jetstream.config : undefined;
  if (typeof config !== "object" || config === null) return jetstream;
  const { store_dir: _, ...rest } = config as Readonly<Record<string, unknown>>;
  return { ...jetstream, config: rest };
}

/** Tells it soon after the start, then ever more seldom, up to every ten seconds. A server that is alone tells it only to somebody who listens. */
export class StatszTimer {
  #timer: Timer | undefined = undefined;
  #intervalMs = FIRST_MS;

  constructor(
    private readonly clock: SystemHost["platform"]["clock"],
    private readonly isWanted: () => boolean,
    private readonly send: () => void,
  ) {}

  start(): void {
    this.#timer = this.clock.after(this.#intervalMs, () => {
      if (this.isWanted()) this.now();
      this.#intervalMs = Math.min(INTERVAL_MAX_MS, this.#intervalMs * 2);
      this.start();
    });
  }

  /** Somebody asked all servers to tell it. */
  now(): void {
    this.send();
  }

  stop(): void {
    this.#timer?.cancel();
  }
}

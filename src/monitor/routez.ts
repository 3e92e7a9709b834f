/** /routez: the connections to other servers of the cluster. Spec: monitoring, section 5. This server is never in a cluster, so the list is empty. */
import { timestamp } from "../util/timestamp.ts";
import type { MonitorSource } from "./source.ts";

export interface Routez {
  readonly server_id: string;
  readonly server_name: string;
  readonly now: string;
  readonly num_routes: number;
  readonly routes: readonly never[];
}

export function routez(source: MonitorSource): Routez {
  return { server_id: source.identity.id, server_name: source.identity.name, now: timestamp(source.platform.clock.nowNs()), num_routes: 0, routes: [] };
}

/** /metrics: Prometheus text, format 0.0.4. */
import type { MonitorSource } from "./source.ts";

export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function metrics(source: MonitorSource): string {
  return `# HELP gnatsd_varz_connections Client connections now open\n# TYPE gnatsd_varz_connections gauge\ngnatsd_varz_connections{server_id="${source.identity.id}"} ${source.connections.live.size}\n`;
}

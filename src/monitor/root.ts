/** The root page: the endpoints as links, in the order that scripts know. Spec: monitoring, section 2. */
import { OWN_NAME, VERSION } from "../util/version.ts";
import type { MonitorSource } from "./source.ts";

const LINKS = [
  ["varz", "General"],
  ["jsz", "JetStream"],
  ["connz", "Connections"],
  ["accountz", "Accounts"],
  ["accstatz", "Account Stats"],
  ["subsz", "Subscriptions"],
  ["routez", "Routes"],
  ["leafz", "LeafNodes"],
  ["gatewayz", "Gateways"],
  ["raftz", "Raft Groups"],
  ["healthz", "Health Probe"],
  ["debug/vars", "Expvar"],
] as const;

/** Relative to the page's own address: below a base path `/mon`, `./mon/varz`. */
export function rootPage(source: MonitorSource): string {
  const base = source.options.httpBasePath;
  const links = LINKS.map(([path, label]) => `<a href=.${base}/${path}>${label}<span class="endpoint"> /${path}</span></a>`).join("\n");
  return `<!doctype html>\n<html lang="en"><head><title>${OWN_NAME}</title></head><body>\n<p>v${VERSION}</p>\n${links}\n</body></html>\n`;
}

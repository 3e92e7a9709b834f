/** The INFO line: what the server tells a peer about itself. Spec: client protocol, section 2. */
import { encodeJson } from "./json.ts";

/** The wire shape; the order of the keys here is the order on the wire. Optional keys are left out when undefined, empty or false. */
export interface ServerInfo {
  readonly server_id: string;
  readonly server_name: string;
  readonly version: string;
  readonly proto: number;
  readonly git_commit?: string;
  readonly go: string;
  readonly host: string;
  readonly port: number;
  readonly headers: boolean;
  readonly auth_required?: boolean;
  readonly tls_required?: boolean;
  readonly tls_verify?: boolean;
  readonly tls_available?: boolean;
  readonly max_payload: number;
  readonly jetstream?: boolean;
  readonly client_id?: number;
  readonly client_ip?: string;
  readonly nonce?: string;
  readonly cluster?: string;
  readonly cluster_dynamic?: boolean;
  readonly domain?: string;
  readonly connect_urls?: readonly string[];
  readonly ldm?: boolean;
  readonly connect_info?: boolean;
  readonly remote_account?: string;
  readonly acc_is_sys?: boolean;
  readonly api_lvl: number;
  readonly xkey: string;
}

const KEY_ORDER: readonly (keyof ServerInfo)[] = [
  "server_id",
  "server_name",
  "version",
  "proto",
  "git_commit",
  "go",
  "host",
  "port",
  "headers",
  "auth_required",
  "tls_required",
  "tls_verify",
  "tls_available",
  "max_payload",
  "jetstream",
  "client_id",
  "client_ip",
  "nonce",
  "cluster",
  "cluster_dynamic",
  "domain",
  "connect_urls",
  "ldm",
  "connect_info",
  "remote_account",
  "acc_is_sys",
  "api_lvl",
  "xkey",
];

/** Always on the wire, even when false. */
const ALWAYS: ReadonlySet<keyof ServerInfo> = new Set<keyof ServerInfo>(["headers", "max_payload", "port", "proto"]);

/** The whole line with its CR LF. */
export function encodeInfo(info: ServerInfo): string {
  const ordered: Record<string, unknown> = {};
  for (const key of KEY_ORDER) {
    const value = info[key];
    if (!ALWAYS.has(key) && (value === undefined || value === false || value === "" || (Array.isArray(value) && value.length === 0))) continue;
    ordered[key] = value;
  }
  return `INFO ${encodeJson(ordered)} \r\n`;
}

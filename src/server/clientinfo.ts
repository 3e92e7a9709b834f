/** A client as system messages and advisories tell of it. Spec: monitoring, section 13. */
import { ClientLink } from "../links/index.ts";
import type { Subscriber } from "../routing/index.ts";
import { timestamp } from "../util/timestamp.ts";

/** Undefined when the publisher is no client. */
export function clientInfo(origin: Subscriber | undefined, serverName: string): Readonly<Record<string, unknown>> | undefined {
  if (!(origin instanceof ClientLink)) return undefined;
  const { connect, identity, heartbeat } = origin;
  const present = <T>(value: T | "" | 0): T | undefined => (value === "" || value === 0 ? undefined : value);
  return {
    start: timestamp(origin.startedAtNs),
    host: present(origin.remoteAddress),
    id: origin.id,
    acc: origin.account.name,
    user: present(identity?.user ?? ""),
    name: present(connect.name),
    lang: present(connect.lang),
    ver: present(connect.version),
    rtt: present(heartbeat.rttNs),
    server: serverName,
    kind: "Client",
    client_type: origin.kind,
  };
}

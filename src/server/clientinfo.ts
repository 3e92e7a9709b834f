/** A client as system messages and advisories tell of it. Spec: monitoring, section 13. */
import type { Subscriber } from "../routing/index.ts";

/** Undefined when the publisher is no client. */
export function clientInfo(origin: Subscriber | undefined, serverName: string): Readonly<Record<string, unknown>> | undefined {
  return origin?.details?.(serverName);
}

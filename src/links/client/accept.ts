/** From an accepted socket to a client connection. */
import type { Stream } from "../../platform/index.ts";
import type { LinkHost } from "../host.ts";
import { ClientLink } from "./client.ts";

export function acceptClient(host: LinkHost, stream: Stream): void {
  const link = new ClientLink(host, "nats", stream);
  link.open();
  link.sendInitialInfo();
  link.begin();
}

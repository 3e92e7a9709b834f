/** Connections of every kind. */
export { CLOSE_FLUSH_MS, ClientLink } from "./client/client.ts";
export type { ClientKind } from "./client/client.ts";
export type { AcceptSettings, LinkHost, LinkSettings, LinkStats, ListenerTls } from "./host.ts";
export { Turn } from "./turn.ts";
export { pinViolation, publicKeyDigest } from "./pins.ts";
export { HandshakeRateLimit } from "./ratelimit.ts";
export { acceptClient } from "./client/accept.ts";

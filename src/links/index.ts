/** Connections of every kind. */
export { ClientLink } from "./client/client.ts";
export type { ClientKind } from "./client/client.ts";
export type { LinkHost, LinkSettings, LinkStats } from "./host.ts";
export { seedDistribution } from "./distribute.ts";
export { Turn } from "./turn.ts";

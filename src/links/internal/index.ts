/** The server's own subscribers. */
export { hasTakers, InternalLink, InternalSubscription } from "./internal.ts";
export type { InternalHandler } from "./internal.ts";

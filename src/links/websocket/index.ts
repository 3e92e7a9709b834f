/** Clients over WebSocket. */
export { acceptWebsocket } from "./accept.ts";

/** The system account: what the server tells there of itself, and what it answers. */
export { System, type SystemHost } from "./system.ts";

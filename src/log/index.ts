/** The log: what it offers to the other rooms. */
export type { LogDoors, LogSettings } from "./hub.ts";
export { LogHub } from "./hub.ts";
export type { Logger } from "./logger.ts";
export { OncePerInterval } from "./once.ts";
export { LogOpenError } from "./sink.ts";
export { secondsStamp } from "./stamp.ts";

/** Streams: configuration, publishing, limits, retention. */
export { Stream } from "./stream.ts";

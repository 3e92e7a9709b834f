/** Filling streams from others: mirrors and sources. */
import type { Replenisher, SourcedStream } from "../seams.ts";
import { Mirror } from "./mirror.ts";
import { Sources } from "./sources.ts";

/** For a stream whose configuration has a mirror or sources. */
export function makeReplenisher(stream: SourcedStream): Replenisher {
  const { config } = stream;
  return config.mirror === undefined ? new Sources(stream, config) : new Mirror(stream, config.mirror);
}

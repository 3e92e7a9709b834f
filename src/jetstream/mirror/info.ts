/** A mirror or source as stream info shows it. */
import type { SourceInfo, StreamSource } from "../wire.ts";
import type { Feed } from "./feed.ts";

/** `seq`: last sequence taken from the origin; 0 when there is none, or it does not show. */
export function infoOf({ name, external, filter_subject, subject_transforms }: StreamSource, { lag, activeNs, error }: Feed, seq = 0): SourceInfo {
  return {
    name,
    ...(external === undefined ? {} : { external }),
    lag,
    ...(seq === 0 ? {} : { seq }),
    active: activeNs,
    ...(error === undefined ? {} : { error }),
    ...(filter_subject === undefined ? {} : { filter_subject }),
    ...(subject_transforms === undefined ? {} : { subject_transforms }),
  };
}

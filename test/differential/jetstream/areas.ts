/** What is tried in JetStream. */
import { streamsSession } from "./streams.ts";
import type { MakeSession } from "./tour.ts";

export const AREAS: Readonly<Record<string, MakeSession>> = { streams: streamsSession };

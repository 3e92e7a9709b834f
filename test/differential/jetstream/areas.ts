/** What is tried in JetStream. */
import { copiesSession, streamsSession } from "./streams.ts";
import { timeSession } from "./streams-time.ts";
import type { MakeSession } from "./tour.ts";

export const AREAS: Readonly<Record<string, MakeSession>> = { streams: streamsSession, "streams-copies": copiesSession, "streams-time": timeSession };

/**
 * PROFILEZ: profiles of the process. Those of the reference are of its own runtime; here are the ones this runtime has: the heap as a snapshot (`heap`, and
 * `allocs`, which is no different here), where the time went as a `.cpuprofile` (`cpu`), and what the event loop is at (`goroutine`). Spec: monitoring, section 15.
 */
import { stacksz } from "../monitor/index.ts";
import { formatDuration } from "../util/duration.ts";
import type { SystemHost } from "./host.ts";
import type { RequestBody } from "./request.ts";

/** Profiles of the processor take this long at most. */
const CPU_NS_MAX = 15_000_000_000;

interface Profile {
  /** Base64. */
  readonly profile: string | null;
  readonly error: string;
}

export function profilez(host: SystemHost, body: RequestBody): Profile | Promise<Profile> {
  const name = body.text("name");
  const durationNs = body.number("duration", "time.Duration");
  const { profiles } = host.platform.system;
  switch (name) {
    case "":
      return failed("Profile name not specified");
    case "cpu":
      if (durationNs <= 0 || durationNs > CPU_NS_MAX) return failed(`Duration ${formatDuration(BigInt(durationNs))} should be between 0s and 15s`);
      return profiles.cpu(durationNs / 1e6).then((bytes) => (bytes === undefined ? failed("Failed to start CPU profile: cpu profiling already in use") : done(bytes)));
    case "heap":
    case "allocs":
      return done(profiles.heap());
    case "goroutine":
      return done(Buffer.from(stacksz(host)));
    default:
      return failed(`Profile ${JSON.stringify(name)} not found`);
  }
}

function done(bytes: Uint8Array): Profile {
  return { profile: Buffer.from(bytes).toString("base64"), error: "" };
}

function failed(error: string): Profile {
  return { profile: null, error };
}

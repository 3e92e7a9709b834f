/** The `Nats-TTL` header. Spec: streams, section 5.6. */
import { parseDuration } from "../../util/duration.ts";
import { TTL_NEVER } from "./judgement.ts";

/** Seconds that the header asks for: 0 none (an empty header), `TTL_NEVER`; undefined when it is not one. */
export function parseTtl(text: string): number | undefined {
  if (text === "") return 0;
  if (text.toLowerCase() === "never") return TTL_NEVER;
  if (/^[+-]?\d+$/.test(text)) {
    const seconds = Number(text);
    return seconds < 1 || !Number.isSafeInteger(seconds) ? undefined : seconds;
  }
  const duration = parseDuration(text);
  if (!duration.ok || duration.ns < 1_000_000_000n) return undefined;
  return Number(duration.ns / 1_000_000_000n);
}

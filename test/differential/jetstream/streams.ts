/** Sessions about streams: configurations, what is published, what is read and removed. At the end everything that can be seen is compared. */
import type { Prng } from "../prng.ts";
import { requestStep, type Session, type Step } from "./session.ts";
import { wholeState } from "./state.ts";

/** The last step of a session. */
export const WHOLE_STATE: Step = { text: "(everything)", run: (pair) => pair.each(wholeState) };

export function streamsSession(random: Prng, _configuration: string): Session {
  const name = random.pick(["S1", "S2"]);
  return [
    requestStep({ subject: `$JS.API.STREAM.CREATE.${name}`, payload: JSON.stringify({ name, subjects: ["a.*"], storage: random.pick(["memory", "file"]) }) }),
    ...random.some(0, 8, () => requestStep({ subject: `a.${random.below(3)}`, payload: "x" })),
    WHOLE_STATE,
  ];
}

/** Differences that are meant, by name: each says which sessions show it, so that the rest can be compared. */
import type { Difference } from "./consumers-compare.ts";
import type { Session } from "./consumers-session.ts";

export interface Known {
  readonly name: string;
  readonly holds: (session: Session, difference: Difference) => boolean;
}

/** Whether a step before `at` sends such a body. */
function sent({ ops }: Session, at: number, pattern: RegExp): boolean {
  return ops.slice(0, at + 1).some((op) => op.kind === "request" && pattern.test(op.body));
}

export const KNOWN: readonly Known[] = [
  {
    // The reference counts messages that are stored before the start, too.
    name: "what waits for a consumer that starts in the future is counted exactly",
    holds: (session, { at, texts }) => sent(session, at, /"opt_start_seq":(?!1\b)\d/) && texts.every((text) => /"num_pending"|JS\.ACK/.test(text)),
  },
  {
    // The reference looks for subscribers after the answer.
    name: "the answer to a new deliver subject tells whether somebody subscribes to it",
    holds: (session, { at, texts }) => sent(session, at, /"deliver_subject"/) && texts.every((text) => / request \[0\]/.test(text.split("\n")[0] ?? "") && text.includes('"push_bound"')),
  },
  {
    // What the reference does with it depends on flow control and policy; here it changes nothing.
    name: "an acknowledgement that nobody was asked for does no harm",
    holds: (session, { at }) => {
      const op = session.ops[at];
      return op?.kind === "raw" || (op?.kind === "ack" && op.edit !== undefined && (op.edit[0] === 5 || op.edit[0] === 6 || op.edit[0] === 3));
    },
  },
  {
    // Where the floor is behind the first message, or several messages go, the reference leaves what was purged pending until it is due, or not, as its threads have it.
    name: "a purge by subject settles every pending message that went",
    holds: (session, { at, texts }) => {
      const op = session.ops[at];
      const purges = (op?.kind === "request" && op.subject.startsWith("$JS.API.STREAM.PURGE.") && op.body.includes('"filter"')) || (op?.kind === "publish" && op.messages.some(({ header }) => header.includes("Rollup: sub")));
      return purges && texts.every((text) => /"num_ack_pending":[1-9]/.test(text) || text.startsWith("advisories"));
    },
  },
];

/**
 * Differences that are meant, by name: each says which sessions show it, so that the rest can be compared. `src/jetstream/consumer/README.md` tells why. Some only
 * say that the two servers hurry differently.
 */
import type { Difference } from "./consumers-compare.ts";
import type { Op, Session } from "./consumers-session.ts";

export interface Known {
  readonly name: string;
  readonly holds: (session: Session, difference: Difference) => boolean;
}

/** Whether the two sides of a text agree in how many messages wait. */
function agreeInPending(text: string): boolean {
  const [ours, reference] = [...text.matchAll(/"num_pending":(\d+)/g)].map(([, count]) => count);
  return ours === reference;
}

/** Whether a step before `at` sends such a body. */
function sent({ ops }: Session, at: number, pattern: RegExp): boolean {
  return ops.slice(0, at + 1).some((op) => op.kind === "request" && pattern.test(op.body));
}

/** Whom a step makes or changes; consumers without a name are all taken for one. */
function consumerOf(op: Op): string | undefined {
  if (op.kind !== "request" || !/^\$JS\.API\.CONSUMER\.(?:DURABLE\.)?CREATE\./.test(op.subject)) return undefined;
  return /CREATE\.[^.]+\.([^.]+)/.exec(op.subject)?.[1] ?? /"name":"([^"]+)"/.exec(op.body)?.[1] ?? "";
}

const NOTHING: Op = { kind: "raw", subject: "", payload: "" };

function sentRollup({ ops }: Session, at: number): boolean {
  return ops.slice(0, at + 1).some((op) => op.kind === "publish" && op.messages.some(({ header }) => header.includes("Rollup")));
}

/** Whether a consumer that had a filter was made one without before, or at, the step. */
function lostFilter({ ops }: Session, at: number): boolean {
  const filtered = new Set<string>();
  for (const op of ops.slice(0, at + 1)) {
    const name = consumerOf(op);
    if (name === undefined || op.kind !== "request") continue;
    if (/"filter_subjects?":(?!\[\]|""|null)/.test(op.body)) filtered.add(name);
    else if (filtered.has(name)) return true;
  }
  return false;
}

/** Whether a consumer has had two filters before the step. */
function changedFilter({ ops }: Session, at: number): boolean {
  const filters = new Map<string, string>();
  for (const op of ops.slice(0, at)) {
    const name = consumerOf(op);
    if (name === undefined || op.kind !== "request") continue;
    const filter = /"filter_subjects?":(?:\[[^\]]*\]|"[^"]*")/.exec(op.body)?.[0] ?? "";
    if ((filters.get(name) ?? filter) !== filter) return true;
    filters.set(name, filter);
  }
  return false;
}

/** Whether a consumer has had two deliver groups before, or at, the step. */
function changedGroup({ ops }: Session, at: number): boolean {
  const groups = new Map<string, string>();
  for (const op of ops.slice(0, at + 1)) {
    const name = consumerOf(op);
    if (name === undefined || op.kind !== "request") continue;
    const group = /"deliver_group":"([^"]*)"/.exec(op.body)?.[1] ?? "";
    if ((groups.get(name) ?? group) !== group) return true;
    groups.set(name, group);
  }
  return false;
}

export const KNOWN: readonly Known[] = [
  {
    // The reference looks at those that the consumer itself is interested in.
    name: "a reset looks at all that nobody needs",
    holds: (session, { at, texts }) => {
      const op = session.ops[at];
      return session.stream["retention"] === "interest" && op?.kind === "request" && op.subject.startsWith("$JS.API.CONSUMER.RESET.") && texts.every((text) => text.startsWith("stream"));
    },
  },
  {
    // In the reference it asks for everything, also where subjects are transformed and it gets nothing.
    name: "filters that name all subjects of an interest stream are filters",
    holds: ({ stream }, { texts }) => stream["retention"] === "interest" && "subject_transform" in stream && texts.every((text) => text.startsWith("stream")),
  },
  {
    // The reference is told of those that match the present filter only.
    name: "a pending message that goes is settled, whatever the filter is now",
    holds: (session, { at, texts }) => changedFilter(session, at) && texts.every((text) => text.startsWith("advisories") || (/"num_ack_pending"|"ack_floor"/.test(text) && agreeInPending(text))),
  },
  {
    // The reference finds a message that was there already when something else wakes it.
    name: "a changed filter delivers at once",
    holds: (session, { at, texts }) => {
      const name = consumerOf(session.ops[at] ?? NOTHING);
      return name !== undefined && session.ops.slice(0, at).some((op) => consumerOf(op) === name) && texts.some((text) => text.includes("reply $JS.ACK") && text.endsWith("(nothing)"));
    },
  },
  {
    // The reference is one off when a roll-up replaces one message.
    name: "what waits is counted exactly after a roll-up",
    holds: (session, { at, texts }) => sentRollup(session, at) && texts.every((text) => text.includes('"num_pending"')),
  },
  {
    // The reference asks its store for the first message of a subject, which may have forgotten.
    name: "a start by time looks at what is there",
    holds: (session, { at, texts }) => sent(session, at, /"by_start_time"/) && texts.every((text) => text.includes('"ack_floor"') && agreeInPending(text)),
  },
  {
    // The reference removes them, and what becomes of them as pending depends on its threads.
    name: "what is pending stays in an interest stream when the filter changes",
    holds: (session, { at }) => session.stream["retention"] === "interest" && consumerOf(session.ops[at] ?? NOTHING) !== undefined && sent(session, at, /"filter_subjects?"/),
  },
  {
    // The reference keeps nothing of them, and has nothing to wait for before it answers.
    name: "acknowledgements of a direct consumer are answered",
    holds: (session, { at }) => session.ops[at]?.kind === "ack" && sent(session, at, /"direct":true/),
  },
  {
    // The reference stumbles over what has gone from its list.
    name: "a consumer of last messages goes on when its messages go",
    holds: (session, { at }) => sent(session, at, /"last_per_subject"/) && (sent(session, at, /^$|"keep"|"seq"|"filter"/) || sentRollup(session, at)),
  },
  {
    // In the reference it begins behind the messages without match that came after, as far as it has looked.
    name: "a reset to the floor begins right behind what was settled",
    holds: (session, { at, texts }) => {
      const op = session.ops[at];
      return op?.kind === "request" && op.subject.startsWith("$JS.API.CONSUMER.RESET.") && !/"seq":[1-9]/.test(op.body) && texts.every((text) => text.includes('"ack_floor"') && agreeInPending(text));
    },
  },
  {
    // The reference looks at it before it becomes nothing.
    name: "a negative priority timeout asks for no API level",
    holds: (session, { at }) => sent(session, at, /"priority_timeout":-/),
  },
  {
    // The reference goes on looking for subscribers of the old group.
    name: "a new deliver group counts together with a new deliver subject",
    holds: (session, { at }) => changedGroup(session, at),
  },
  {
    // How far the reference has looked depends on what woke it, and it is not woken here though there is room again.
    name: "a purge wakes those who waited for room",
    holds: (session, { at, texts }) => {
      const op = session.ops[at];
      return op?.kind === "request" && op.subject.startsWith("$JS.API.STREAM.PURGE.") && texts.every((text) => /"delivered":|"num_ack_pending"|JS\.ACK|404 No Messages/.test(text));
    },
  },
  {
    // Whether it is settled before or after the message that pushed it out is delivered.
    name: "a pending message that others push out moves the floor",
    holds: (session, { at, texts }) => session.ops[at]?.kind === "publish" && ["max_msgs", "max_msgs_per_subject"].some((limit) => limit in session.stream || sent(session, at, new RegExp(limit))) && texts.every((text) => text.includes('"ack_floor"') && agreeInPending(text)),
  },
  {
    // The reference goes on at the next message.
    name: "a consumer that is no longer paused delivers at once",
    holds: (session, { at, texts }) => {
      const op = session.ops[at];
      return op?.kind === "request" && op.subject.startsWith("$JS.API.CONSUMER.PAUSE.") && texts.some((text) => /ours +(?:\S+ reply \$JS\.ACK|_I\.\d+ "NATS)/.test(text) && text.endsWith("(nothing)"));
    },
  },
  {
    // The reference counts subjects then, though each message is delivered.
    name: "what waits for a consumer of last messages is counted exactly, also anew",
    holds: (session, { at, texts }) => sent(session, at, /"last_per_subject"/) && texts.every((text) => /"num_pending"|JS\.ACK/.test(text)),
  },
  {
    // The reference is not woken, and does not count new messages.
    name: "a consumer that loses its filter takes everything",
    holds: (session, { at }) => lostFilter(session, at),
  },
  {
    // As far as consumers go nothing happened.
    name: "a roll-up that replaces nothing moves nobody",
    holds: (session, { at, texts }) => {
      const op = session.ops[at];
      return op?.kind === "publish" && op.messages.some(({ header }) => header.includes("Rollup: sub")) && texts.every((text) => text.includes('"ack_floor"') && agreeInPending(text));
    },
  },
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
      const purges = (op: Op | undefined): boolean =>
        (op?.kind === "request" && op.subject.startsWith("$JS.API.STREAM.PURGE.") && op.body.includes('"filter"')) || (op?.kind === "publish" && op.messages.some(({ header }) => header.includes("Rollup: sub")));
      if (purges(session.ops[at])) return texts.every((text) => (/"num_ack_pending":[1-9]/.test(text) && agreeInPending(text)) || text.startsWith("advisories"));
      return session.ops.slice(0, at).some(purges) && texts.every((text) => text.includes('"ack_floor"') && agreeInPending(text));
    },
  },
];

/**
 * Sessions against a pair: lists of steps, each of which does something on both sides and says what came of it. A session stops at the first step whose outcomes
 * differ; one that differs again with more patience counts, and is made as short as it can be.
 */
import { differences } from "./comparable.ts";
import type { Both, JetStreamPair, Request } from "./pair.ts";

export interface Step {
  /** For people, and what kind of difference it is is told by its first word. */
  readonly text: string;
  run(pair: JetStreamPair): Promise<Both>;
}

export type Session = readonly Step[];

export interface Difference {
  readonly step: Step;
  readonly found: readonly string[];
}

/** A request as a step. */
export function requestStep(request: Request): Step {
  const { subject, payload = "", headers = [], account = "A" } = request;
  const shown = typeof payload === "string" ? (payload.length > 600 || /^x{80}/.test(payload) ? `${payload.slice(0, 60)}… (${payload.length})` : payload) : `(${payload.length} bytes)`;
  return { text: `${subject} ${shown}${account === "A" ? "" : " in B"}${headers.map((line) => `\n      ${line}`).join("")}`, run: (pair) => pair.both(request) };
}

/** What the reference says, now and then, of a stream on files whose predecessor of the same name it is still removing. Nothing can be compared then. */
const STILL_REMOVING = "error creating store for stream";

/** Plays a session on a cleared pair. */
export async function play(pair: JetStreamPair, session: Session): Promise<Difference | undefined> {
  await pair.clear();
  for (const step of session) {
    const { ours, theirs } = await step.run(pair);
    const found = differences(ours, theirs);
    if (pair.trouble !== undefined) return { step, found: [`: ${pair.trouble}`] };
    if (theirs.some((text) => text.includes(STILL_REMOVING))) return undefined;
    if (found.length > 0) return { step, found };
  }
  return undefined;
}

/** The same, twice if need be: a difference that goes away with more time is none. */
export async function playSurely(pair: JetStreamPair, session: Session): Promise<Difference | undefined> {
  if ((await play(pair, session)) === undefined) return undefined;
  if (pair.trouble !== undefined) return { step: session[0] as Step, found: [pair.trouble] };
  const { silenceMs } = pair;
  pair.silenceMs = silenceMs * 5;
  const again = await play(pair, session);
  pair.silenceMs = silenceMs;
  return again;
}

/** The places of a difference, without numbers and names of what is there. */
export function kindOf({ step, found }: Difference): string {
  const verb = /^(\$JS\.API\.)?[A-Z.]*/.exec(step.text)?.[0] ?? "";
  return `${verb} ${found[0]?.replace(/\d+/g, "#").slice(0, 60) ?? ""}`;
}

/** Leaves out steps for as long as a difference of the same kind stays. */
export async function shortest(pair: JetStreamPair, session: Session, difference: Difference): Promise<Session> {
  const kind = kindOf(difference);
  let steps = session.slice(0, session.indexOf(difference.step) + 1);
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = steps.length - 1 - size; at >= 0; at -= size) {
      const candidate = [...steps.slice(0, at), ...steps.slice(at + size)];
      const still = await play(pair, candidate);
      if (pair.trouble !== undefined) return steps;
      if (still !== undefined && kindOf(still) === kind) steps = candidate;
    }
  }
  return steps;
}

/** For people. */
export function printSession(session: Session): string {
  return session.map(({ text }) => `  ${text}`).join("\n");
}

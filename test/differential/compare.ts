/** Two servers side by side: the same session on both, the first difference, and the shortest session that still shows one. */
import { isDeepStrictEqual } from "node:util";
import type { ServerProcess } from "../support/server-process.ts";
import { type Outcome, play, type PlayOptions } from "./play.ts";
import type { Session } from "./session.ts";

export interface Pair {
  readonly ours: ServerProcess;
  readonly theirs: ServerProcess;
}

/** How each side is reached; sessions over two transports are compared on one server. */
export interface Sides {
  readonly ours: PlayOptions;
  readonly theirs: PlayOptions;
}

const QUICK: PlayOptions = { transport: "tcp", silenceMs: 150, monitoring: true, ignoresNonce: false };

export const BOTH_TCP: Sides = { ours: QUICK, theirs: QUICK };

function patient(options: PlayOptions): PlayOptions {
  return { ...options, silenceMs: options.silenceMs * 6 };
}

/**
 * A client that still sends when it is closed may be told so by the system before it could read the last lines: with either server, as chance has it. What it
 * did read must be alike; that both were closed, and why (/connz), is compared all the same, and so are the counters of what was sent.
 */
function isCutShort(mine: unknown, other: unknown): boolean {
  if (!Array.isArray(mine) || !Array.isArray(other)) return false;
  const [long, short] = mine.length > other.length ? [mine, other] : [other, mine];
  return long.at(-1) === "(closed)" && short.at(-1) === "(closed)" && isDeepStrictEqual(long.slice(0, short.length - 1), short.slice(0, -1));
}

/** The places where two outcomes differ; empty when they are alike. */
export function differences(ours: Outcome, theirs: Outcome): string[] {
  const found: string[] = [];
  const walk = (path: string, mine: unknown, other: unknown): void => {
    if (isDeepStrictEqual(mine, other) || (path.startsWith(".connections.") && isCutShort(mine, other))) return;
    if (typeof mine === "object" && typeof other === "object" && mine !== null && other !== null && found.length < 12) {
      for (const key of new Set([...Object.keys(mine), ...Object.keys(other)])) walk(`${path}.${key}`, (mine as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]);
    } else found.push(`${path}: ours ${JSON.stringify(mine)}, reference ${JSON.stringify(other)}`);
  };
  walk("", ours, theirs);
  return found;
}

async function difference(pair: Pair, session: Session, sides: Sides): Promise<string[]> {
  const [ours, theirs] = await Promise.allSettled([play(pair.ours, session, sides.ours), play(pair.theirs, session, sides.theirs)]);
  if (ours.status === "rejected") return [`ours: ${String(ours.reason)}`];
  if (theirs.status === "rejected") return [`reference: ${String(theirs.reason)}`];
  return differences(ours.value, theirs.value);
}

/** Differences that stay when both sides are given more time; undefined when there are none. */
export async function compare(pair: Pair, session: Session, sides: Sides): Promise<string[] | undefined> {
  if ((await difference(pair, session, sides)).length === 0) return undefined;
  const again = await difference(pair, session, { ours: patient(sides.ours), theirs: patient(sides.theirs) });
  return again.length === 0 ? undefined : again;
}

/** What kind of difference it is: the places without numbers, so that a shorter session can be seen to show the same. */
export function kinds(found: readonly string[]): ReadonlySet<string> {
  return new Set(found.map((text) => text.slice(0, text.indexOf(":")).replace(/\d+/g, "")));
}

/** Leaves out steps, then lines of what is sent, for as long as a difference stays. `alike` says whether a candidate shows none. */
export async function minimise(session: Session, isDifferent: (candidate: Session) => Promise<boolean>): Promise<Session> {
  let steps = [...session.steps];
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = steps.length - size; at >= 0; at -= size) {
      const candidate = [...steps.slice(0, at), ...steps.slice(at + size)];
      if (candidate.length > 0 && (await isDifferent({ steps: candidate }))) steps = candidate;
    }
  }
  for (let at = 0; at < steps.length; at++) {
    const step = steps[at];
    if (step?.kind !== "send") continue;
    const uncut = steps.with(at, { ...step, cuts: [] });
    if (step.cuts.length > 0 && (await isDifferent({ steps: uncut }))) steps = uncut;
    const parts = step.bytes.split(/(?<=\n)/);
    for (let part = parts.length - 1; part >= 0 && parts.length > 1; part--) {
      const shorter = steps.with(at, { ...step, cuts: [], bytes: parts.toSpliced(part, 1).join("") });
      if (!(await isDifferent({ steps: shorter }))) continue;
      parts.splice(part, 1);
      steps = shorter;
    }
  }
  return { steps };
}

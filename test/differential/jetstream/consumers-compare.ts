/**
 * Two servers in lockstep through the same session: after every step both must come to show the same, and keep it. A difference that stays ends the session;
 * it counts when it comes again, and is told with the shortest session that shows it.
 */
import { isDeepStrictEqual } from "node:util";
import { ServerProcess } from "../../support/server-process.ts";
import { KNOWN } from "./consumers-known.ts";
import { configOf, Player, type Seen, type Variant } from "./consumers-play.ts";
import { type Op, printOp, type Session, sessionOf } from "./consumers-session.ts";

export interface Pair {
  readonly ours: ServerProcess;
  readonly theirs: ServerProcess;
}

export async function startPair(ours: string, reference: string, variant: Variant = "plain"): Promise<Pair> {
  const config = configOf(variant);
  const started = await Promise.all([ServerProcess.start({ binary: ours, config, bare: true }), ServerProcess.start({ binary: reference, config, bare: true })]);
  return { ours: started[0], theirs: started[1] };
}

export async function stopPair(pair: Pair): Promise<void> {
  await Promise.all([pair.ours.stop(), pair.theirs.stop()]);
}

/** Where two sights differ. */
export interface Difference {
  readonly at: number;
  readonly texts: readonly string[];
}

function differences(mine: Seen, other: Seen): string[] {
  const found: string[] = [];
  for (const place of new Set([...Object.keys(mine), ...Object.keys(other)])) {
    const [a, b] = [mine[place] ?? [], other[place] ?? []];
    if (isDeepStrictEqual(a, b)) continue;
    for (let index = 0; index < Math.max(a.length, b.length); index++) {
      if (a[index] !== b[index]) found.push(`${place} [${index}]\n      ours      ${apart(a[index], b[index])}\n      reference ${apart(b[index], a[index])}`);
    }
  }
  return found;
}

const CONTEXT = 90;

/** The part of a text that another has not, with a little of what is around it. */
function apart(text: string | undefined, other: string | undefined): string {
  if (text === undefined || other === undefined) return text ?? "(nothing)";
  let start = 0;
  while (start < text.length && text[start] === other[start]) start++;
  let tail = 0;
  while (tail < text.length - start && tail < other.length - start && text.at(-1 - tail) === other.at(-1 - tail)) tail++;
  const from = Math.max(0, start - CONTEXT);
  const to = Math.min(text.length, text.length - tail + CONTEXT);
  return `${from > 0 ? "…" : ""}${text.slice(from, to)}${to < text.length ? "…" : ""}`;
}

/** Plays the session on both; the difference, or undefined, and how many steps were compared. */
export async function play(pair: Pair, lane: number, session: Session, patienceMs: number): Promise<{ readonly steps: number; readonly difference?: Difference }> {
  const players = await Promise.all([Player.start(pair.ours, lane, session), Player.start(pair.theirs, lane, session)]);
  const [mine, other] = players;
  try {
    for (let at = 0; at < session.ops.length; at++) {
      const op = session.ops[at] as Op;
      const now = new Date().toISOString();
      await Promise.all(players.map((player) => player.send(op, now)));
      const end = performance.now() + patienceMs;
      for (let before: unknown; ; ) {
        const seen = await Promise.all([mine.look(), other.look()]);
        const texts = differences(seen[0], seen[1]);
        if (texts.length === 0) {
          if (before !== undefined && isDeepStrictEqual(before, seen[0])) break;
          before = seen[0];
          if (performance.now() < end) continue;
          break;
        }
        before = undefined;
        if (performance.now() >= end) return { steps: at, difference: { at, texts } };
      }
      for (const player of players) player.next();
    }
    return { steps: session.ops.length };
  } catch (error) {
    return { steps: 0, difference: { at: session.ops.length - 1, texts: [`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`] } };
  } finally {
    await Promise.allSettled(players.map((player) => player.stop()));
  }
}

const QUICK_MS = 350;
const PATIENT_MS = 900;

export interface Result {
  readonly steps: number;
  readonly difference?: Difference;
  /** Name of the known difference that ended the session. */
  readonly known?: string;
}

/** A difference that comes again with more patience. */
export async function compare(pair: Pair, lane: number, session: Session): Promise<Result> {
  let result: Result = { steps: 0 };
  for (const patienceMs of [QUICK_MS, PATIENT_MS, PATIENT_MS]) {
    const { steps, difference } = await play(pair, lane, session, patienceMs);
    if (difference === undefined) return { steps };
    const known = KNOWN.find(({ holds }) => holds(session, difference));
    if (known !== undefined) return { steps, known: known.name };
    result = { steps, difference };
  }
  return result;
}

/** The shortest session with the same kind of difference. */
export async function minimise(pair: Pair, lane: number, session: Session, difference: Difference): Promise<{ readonly session: Session; readonly difference: Difference }> {
  let ops = session.ops.slice(0, difference.at + 1);
  let found = difference;
  const kind = kindOf(difference);
  for (let size = Math.ceil(ops.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = ops.length - 1 - size; at >= 0; at -= size) {
      const candidate = [...ops.slice(0, at), ...ops.slice(at + size)];
      const { difference: seen } = await play(pair, lane, { ...session, ops: candidate }, QUICK_MS);
      if (seen === undefined || kindOf(seen) !== kind) continue;
      ops = candidate.slice(0, seen.at + 1);
      found = seen;
    }
  }
  return { session: { ...session, ops }, difference: found };
}

/** The places without their numbers. */
function kindOf({ texts }: Difference): string {
  return [...new Set(texts.map((text) => (text.split("\n")[0] ?? "").replace(/\d+/g, "")))].sort().join();
}

export function printDifference(session: Session, { at, texts }: Difference): string {
  const steps = session.ops.map((op, index) => `${index === at ? "=>" : "  "} ${index + 1}. ${printOp(op)}`);
  return `stream ${JSON.stringify(session.stream)}\n${steps.join("\n")}\n   ${texts.join("\n   ")}`;
}

export { sessionOf };

/** Plays sessions of an area by their seeds on a pair per configuration, and says which differ. */
import { Prng } from "../prng.ts";
import { CONFIGS, JetStreamPair } from "./pair.ts";
import { kindOf, play, playSurely, printSession, type Session, shortest } from "./session.ts";

/** A session from a seed; the name of the configuration says what may be asked of these servers. */
export type MakeSession = (random: Prng, configuration: string) => Session;

export interface TourOptions {
  readonly ours: string;
  readonly reference: string;
  readonly firstSeed: number;
  /** Sessions in all, over all configurations. */
  readonly count: number;
  /** Ends between sessions after so long. */
  readonly milliseconds?: number;
  /** Stops after so many different kinds of differences. */
  readonly differencesMax: number;
  /** Looks for the shortest session that still differs. */
  readonly minimises: boolean;
  /** Only this configuration. */
  readonly configuration?: string;
  /** For people who wait. */
  readonly onDifference?: (text: string) => void;
}

export interface Tour {
  readonly sessions: number;
  readonly steps: number;
  readonly differences: readonly string[];
}

/** Sessions in a row on one pair; then the next configuration has its turn. */
const PER_PAIR = 60;

export async function tour(make: MakeSession, options: TourOptions): Promise<Tour> {
  const found = new Map<string, string>();
  const end = performance.now() + (options.milliseconds ?? Infinity);
  const names = Object.keys(CONFIGS).filter((name) => options.configuration === undefined || name === options.configuration);
  const perPair = Math.min(PER_PAIR, Math.ceil(options.count / names.length));
  let [sessions, steps] = [0, 0];
  const isOver = (): boolean => sessions >= options.count || performance.now() > end || found.size >= options.differencesMax;
  for (let turn = 0; !isOver(); turn++) {
    const name = names[turn % names.length] as string;
    let pair: JetStreamPair | undefined;
    try {
      for (let each = 0; each < perPair && !isOver(); each++) {
        pair ??= await JetStreamPair.start(options, CONFIGS[name] as string);
        const seed = options.firstSeed + sessions++;
        const session = make(new Prng(seed), name);
        steps += session.length;
        const difference = await playSurely(pair, session);
        if (difference === undefined) continue;
        const kind = kindOf(difference);
        if (!found.has(kind)) {
          const short = options.minimises && pair.trouble === undefined ? await shortest(pair, session, difference) : session.slice(0, session.indexOf(difference.step) + 1);
          const shown = pair.trouble === undefined ? ((await play(pair, short)) ?? difference) : difference;
          const text = `${name}, seed ${seed}:\n  ${shown.found.slice(0, 8).join("\n  ")}\n${printSession(short)}\n`;
          found.set(kind, text);
          options.onDifference?.(text);
        }
        if (pair.trouble !== undefined) {
          await pair.stop();
          pair = undefined;
        }
      }
    } finally {
      await pair?.stop();
    }
  }
  return { sessions, steps, differences: [...found.values()] };
}

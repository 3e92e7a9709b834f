/** Plays sessions of an area by their seeds, on fresh servers per configuration, and says which differ. */
import { ServerProcess } from "../support/server-process.ts";
import type { Area } from "./areas.ts";
import { compare, kinds, minimise, type Pair } from "./compare.ts";
import { reload } from "./play.ts";
import { COMMON_CONFIG, printSession, type Session } from "./session.ts";

export interface TourOptions {
  readonly ours: string;
  /** The reference's binary; not needed for an area within our own server. */
  readonly reference: string;
  readonly firstSeed: number;
  readonly count: number;
  /** Stops after so many differences. */
  readonly differencesMax: number;
  /** Only this variant, unless empty. */
  readonly variant: string;
  /** Looks for the shortest session that still differs. */
  readonly minimises: boolean;
}

export interface Tour {
  readonly played: number;
  /** One text per session that differs: its seed, what differs, the session. */
  readonly differences: readonly string[];
}

async function restore(pair: Pair, session: Session, config: string): Promise<void> {
  if (!session.steps.some((step) => step.kind === "reload")) return;
  await Promise.all([pair.ours, pair.theirs].map((server) => reload(server, config)));
}

export async function tour(name: string, area: Area, options: TourOptions): Promise<Tour> {
  const differences: string[] = [];
  let played = 0;
  for (const variant of area.variants(options.firstSeed, options.count)) {
    if (options.variant !== "" && variant.name !== options.variant) continue;
    const start = (binary: string): Promise<ServerProcess> => ServerProcess.start({ binary, config: `${COMMON_CONFIG}${variant.config}` });
    const [ours, theirs] = await Promise.all([start(options.ours), start(area.withinOurs === true ? options.ours : options.reference)]);
    const pair = { ours, theirs };
    try {
      for (let seed = variant.firstSeed; seed < variant.firstSeed + variant.count && differences.length < options.differencesMax; seed++) {
        const session = variant.session(seed);
        const look = async (candidate: Session): Promise<readonly string[] | undefined> => {
          const seen = await compare(pair, candidate, area.sides(seed));
          await restore(pair, session, variant.config);
          return seen;
        };
        played++;
        const seen = await look(session);
        if (seen === undefined) continue;
        const [first] = kinds(seen);
        const shortest = options.minimises
          ? await minimise(session, async (candidate) => {
              const still = await look(candidate);
              return still !== undefined && [...kinds(still)][0] === first && kinds(still).isSubsetOf(kinds(seen));
            })
          : session;
        const shown = options.minimises ? ((await look(shortest)) ?? ["(not shown again)"]) : seen;
        differences.push(`${name} ${variant.name}, seed ${seed}:\n  ${shown.join("\n  ")}\n${printSession(shortest)}\n${variant.showConfig === true ? variant.config : ""}`);
      }
    } finally {
      await Promise.all([pair.ours.stop(), pair.theirs.stop()]);
    }
    if (differences.length >= options.differencesMax) break;
  }
  return { played, differences };
}

/**
 * Subject mappings of an account: the first source pattern that matches a published subject decides, and one of its weighted destinations is drawn.
 * Spec: client protocol, section 15.
 */
import { SubjectTransform } from "./transform.ts";

export interface WeightedDestination {
  readonly transform: SubjectTransform;
  /** Percent. */
  readonly weight: number;
}

export interface Mapping {
  readonly source: string;
  /** Destinations in force on this server (its cluster's, or those without a cluster). Their weights may sum to less than 100. */
  readonly destinations: readonly WeightedDestination[];
}

export class SubjectMapper {
  /** First characters of the sources; undefined when a source may match any. Most subjects of a server with few mappings are told apart by it. */
  readonly #firstCharacters: ReadonlySet<number> | undefined;

  constructor(
    private readonly mappings: readonly Mapping[],
    /** Uniform integer in [0, below). */
    private readonly random: (below: number) => number,
  ) {
    const firsts = mappings.map(({ source }) => source.charCodeAt(0));
    this.#firstCharacters = firsts.includes(STAR) || firsts.includes(REST) ? undefined : new Set(firsts);
  }

  /**
   * The subject that a message published to `subject` gets: itself when nothing maps it, undefined when it is mapped to nothing (the rest of the weights
   * of a mapping that lists its own source).
   */
  map(subject: string): string | undefined {
    if (this.#firstCharacters?.has(subject.charCodeAt(0)) === false) return subject;
    for (const mapping of this.mappings) {
      const first = mapping.destinations[0];
      if (first === undefined || !first.transform.matches(subject)) continue;
      return this.#draw(mapping, subject);
    }
    return subject;
  }

  #draw(mapping: Mapping, subject: string): string | undefined {
    if (mapping.destinations.length === 1 && mapping.destinations[0].weight === 100) return mapping.destinations[0].transform.apply(subject, this.random);
    const drawn = this.random(100);
    let reached = 0;
    for (const destination of mapping.destinations) {
      reached += destination.weight;
      if (drawn < reached) return destination.transform.apply(subject, this.random);
    }
    return undefined;
  }
}

const STAR = 42;
const REST = 62;

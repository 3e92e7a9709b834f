/** Filters of subjects in the form that stores work with. */
import { hasWildcard, subjectsOverlap } from "../../../routing/index.ts";
import type { Filters } from "../message-store.ts";

export const STAR = "*";
export const REST = ">";

/** With more patterns it is not found out whether they are apart. */
const COMPARED_MAX = 64;

export const ASK_AFTER_MESSAGES = 256;

export interface Pattern {
  readonly tokens: readonly string[];
  /** Ends in `>`. */
  readonly isOpen: boolean;
}

/** A set of filters, taken apart once. */
export class CompiledFilter {
  /** Every subject matches. */
  readonly all: boolean;
  /** Set when the filter is one subject. */
  readonly literal: string | undefined;
  /** No subject matches two of them, as in every consumer: what each of them matches can be added up. */
  readonly areApart: boolean;
  /** Sequences in `[barrenFrom, barrenTo)` are known to hold nothing that matches: messages are only ever added at the end. */
  barrenFrom = 0;
  barrenTo = 0;
  barrenEpoch = 0;
  /** A bounded search asks whether the subjects are few once it has looked at so many messages in vain; twice as many each time that they are not. */
  askAfter = ASK_AFTER_MESSAGES;
  /** The latest verdict on a subject's number, good for one epoch of the table. */
  verdictId = 0;
  verdictEpoch = -1;
  verdict = false;
  readonly #distinct: readonly string[];
  #patterns: readonly Pattern[] | undefined;

  constructor(filters: Filters) {
    this.all = filters.length === 0 || filters.includes(REST);
    // Who reads single messages has a new filter for each.
    const distinct = filters.length > 1 ? [...new Set(filters)] : filters;
    this.#distinct = distinct;
    this.literal = !this.all && distinct.length === 1 && !hasWildcard(distinct[0]) ? distinct[0] : undefined;
    this.areApart = distinct.length === 1 || (distinct.length <= COMPARED_MAX && distinct.every((one, i) => distinct.every((other, k) => k <= i || !subjectsOverlap(one, other))));
  }

  get patterns(): readonly Pattern[] {
    return (this.#patterns ??= this.#distinct.map((filter) => {
      const tokens = filter.split(".");
      return { tokens, isOpen: tokens[tokens.length - 1] === REST };
    }));
  }
}

/** Lists from which nothing is taken at once: what is over goes when it is more than the rest, which costs every entry about one step. */

/** Shorter lists are not worth it. */
const KEPT_MIN = 64;

/** The list without what is over, or as it is while at least half of it is among the `live` ones. Order stays. */
export function swept<T extends { readonly isOver: boolean }>(list: T[], live: number): T[] {
  return list.length < KEPT_MIN || list.length < live * 2 ? list : list.filter(({ isOver }) => !isOver);
}

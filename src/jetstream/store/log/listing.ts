/**
 * A page of the subjects that match a pattern, in order of their bytes, and how many match: in steps, between which messages may come and go.
 *
 * The tree gives the order node by node: its children as keys, a token for the messages of the child itself and a token with its dot for what is below, sorted as
 * bytes. What lies before or behind the page is only counted, and parts of the keys that lie there are not sorted. A million subjects under a thousand nodes so
 * cost a page of them a hundred sorts of a thousand tokens.
 */
import type { SubjectPage } from "../message-store.ts";
import { type Pattern, REST, STAR } from "./filter.ts";
import { KeyList } from "./key-list.ts";
import { NOT_YET } from "./subject-walk.ts";
import { NO_SUBJECT, type SubjectTable } from "./subjects.ts";

/** So many nodes are looked at, keys moved or subjects shown in one step. */
const STEP = 512;
/** So many keys are sorted at once. */
const SORTED_AT_ONCE = 1024;
/** Keys that the middle one is taken from. */
const SAMPLE = 31;

/** Children of one node: keys, and how many subjects stand behind each. */
interface Keys {
  /** What stands before each key: whole tokens with their dots, or nothing. */
  readonly prefix: string;
  /** Level of the children. */
  readonly level: number;
  readonly list: KeyList;
}

/** Shows the page; returns how many subjects match. */
export function* listSubjects(table: SubjectTable, pattern: Pattern, page: SubjectPage): Generator<void, number, void> {
  const listing = new Listing(table, pattern, page);
  yield* listing.below("", 1);
  return listing.place;
}

class Listing {
  /** Subjects shown or passed. */
  place = 0;
  readonly #end: number;
  #looked = 0;
  /** By level, each used for one node at a time. */
  readonly #lists: KeyList[] = [];

  constructor(
    private readonly table: SubjectTable,
    private readonly pattern: Pattern,
    private readonly page: SubjectPage,
  ) {
    this.#end = page.offset + page.limit;
  }

  /** Goes through what is below a node, which numbers its children's `level`. */
  *below(prefix: string, level: number): Generator<void, void, void> {
    const list = (this.#lists[level] ??= new KeyList());
    list.clear();
    const keys = { prefix, level, list };
    yield* this.#collect(keys);
    yield* this.#inOrder(keys, 0, keys.list.length);
  }

  /** The node that a prefix stands for; it may be gone. */
  #node(prefix: string): number {
    return prefix === "" ? this.table.root : this.table.find(prefix.slice(0, -1));
  }

  /** Whether a step is over. */
  #isLong(): boolean {
    if (++this.#looked < STEP) return false;
    this.#looked = 0;
    return true;
  }

  /** What the pattern says of a level and those below. */
  #rest(level: number): Pattern {
    const { tokens, isOpen } = this.pattern;
    return isOpen && level >= tokens.length ? EVERYTHING : { tokens: tokens.slice(level - 1), isOpen };
  }

  *#collect({ prefix, level, list }: Keys): Generator<void, void, void> {
    const { table } = this;
    const { tokens: [wanted, ...deeper], isOpen } = this.#rest(level);
    const from = this.#node(prefix);
    if (from === NO_SUBJECT || wanted === undefined) return;
    const below = wanted === REST ? EVERYTHING : { tokens: deeper, isOpen };
    const walk = table.walk({ tokens: [wanted === REST ? STAR : wanted], isOpen: false }, from, "nodes");
    try {
      for (let node = walk.next(STEP); node !== 0; node = walk.next(STEP)) {
        if (this.#isLong()) yield;
        if (node === NOT_YET) continue;
        if (deeper.length === 0 && table.messages(node) > 0) table.putToken(node, list, false, 1);
        if (wanted !== REST && deeper.length === 0) continue;
        const weight = yield* this.#weigh(node, below);
        if (weight > 0) table.putToken(node, list, true, weight);
      }
    } finally {
      walk.close();
    }
  }

  /** How many subjects below a node match. What a last wildcard stands for most nodes know. */
  *#weigh(node: number, pattern: Pattern): Generator<void, number, void> {
    const { table } = this;
    const { tokens } = pattern;
    const last = tokens[tokens.length - 1];
    if (tokens.length === 1 && (last === REST || (last === STAR && table.hasNoGrandchildren(node)))) return table.subjectsBelow(node);
    const endsWild = tokens.length > 1 && (last === REST || last === STAR);
    const walk = endsWild ? table.walk({ tokens: tokens.slice(0, -1), isOpen: false }, node, "nodes") : table.walk(pattern, node);
    const lastOnly = { tokens: [last], isOpen: last === REST };
    let sum = 0;
    try {
      for (let id = walk.next(STEP); id !== 0; id = walk.next(STEP)) {
        if (id !== NOT_YET) sum += endsWild ? yield* this.#weigh(id, lastOnly) : 1;
        if (id === NOT_YET || this.#isLong()) yield;
      }
    } finally {
      walk.close();
    }
    return sum;
  }

  /** Goes through the keys in `[from, to)` in order, as far as the page needs it. */
  *#inOrder(keys: Keys, from: number, to: number): Generator<void, void, void> {
    const { list } = keys;
    for (;;) {
      let weight = 0;
      for (let i = from; i < to; i++) {
        weight += list.weights[i];
        if (this.#isLong()) yield;
      }
      if (this.place >= this.#end || this.place + weight <= this.page.offset) {
        this.place += weight;
        return;
      }
      if (to - from <= SORTED_AT_ONCE) break;
      const [lower, upper] = yield* this.#partition(list, from, to);
      yield* this.#inOrder(keys, from, lower);
      yield* this.#inOrder(keys, lower, upper);
      from = upper;
    }
    const sorted = Array.from({ length: to - from }, (_, i) => from + i).sort((a, b) => list.compare(a, b));
    if (sorted.length > 1) yield;
    yield* this.#show(keys, sorted);
  }

  /** Moves what is below a middle key to the front and what is above to the end; returns where the middle begins and ends. */
  *#partition(list: KeyList, from: number, to: number): Generator<void, readonly [number, number], void> {
    const sample = Array.from({ length: SAMPLE }, (_, i) => from + Math.floor(((to - from) * i) / SAMPLE)).sort((a, b) => list.compare(a, b));
    // What is known to be the middle lies in [lower, i), beginning with the key that all are compared with.
    list.swap(from, sample[SAMPLE >>> 1]);
    let lower = from;
    let upper = to;
    for (let i = from + 1; i < upper; ) {
      const order = list.compare(i, lower);
      if (order < 0) list.swap(i++, lower++);
      else if (order > 0) list.swap(i, --upper);
      else i++;
      if (this.#isLong()) yield;
    }
    return [lower, upper];
  }

  *#show({ prefix, level, list }: Keys, sorted: readonly number[]): Generator<void, void, void> {
    const { table, page } = this;
    let node = NO_SUBJECT;
    for (const i of sorted) {
      const name = list.text(i);
      if (name.endsWith(".")) {
        if (this.place >= this.#end || this.place + list.weights[i] <= page.offset) this.place += list.weights[i];
        else {
          yield* this.below(`${prefix}${name}`, level + 1);
          node = NO_SUBJECT;
        }
        continue;
      }
      if (this.place >= page.offset && this.place < this.#end) {
        // Looked for again after each pause: another may have its number.
        if (node === NO_SUBJECT) node = this.#node(prefix);
        const id = node === NO_SUBJECT ? NO_SUBJECT : table.childByToken(node, name);
        const messages = id === NO_SUBJECT ? 0 : table.messages(id);
        if (messages === 0) continue;
        page.show(`${prefix}${name}`, messages);
      }
      this.place++;
      if (!this.#isLong()) continue;
      yield;
      node = NO_SUBJECT;
    }
  }
}

const EVERYTHING: Pattern = { tokens: [REST], isOpen: true };

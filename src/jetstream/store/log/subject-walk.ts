/**
 * Going through the subjects that match a pattern in steps, while messages come and go between two of them: for what would take too long in one turn.
 *
 * The walk stands on a node of the tree and goes on from there in order of depth. The table tells it when that node is freed; it then moves on to where it would
 * have gone next. New nodes are put before their siblings, so behind the walk or into a part that it has not come to. So a subject that is there all the time is seen
 * exactly once, one that comes meanwhile at most once as long as it stays, and the walk comes to an end however many come.
 */
import { type Pattern, REST, STAR } from "./filter.ts";

/** What a walk needs to know of the table. Numbers of nodes; 0 is none. */
export interface SubjectTree {
  readonly root: number;
  parentOf(node: number): number;
  firstChildOf(node: number): number;
  nextSiblingOf(node: number): number;
  childByToken(node: number, token: string): number;
  messages(node: number): number;
  /** The walk is over: it need not be told of nodes any more. */
  ended(walk: SubjectWalk): void;
}

/** From `next`: as many nodes were looked at as were allowed, and none of them matches. Never the number of a subject. */
export const NOT_YET = 1;

/** What a walk shows: subjects that have messages, or all nodes at which the pattern ends, for the sake of what is below them. */
export type Shown = "subjects" | "nodes";

/** What is next to be done at the node where the walk stands. */
const enum Step {
  Look,
  Descend,
  Leave,
}

export class SubjectWalk {
  readonly #tree: SubjectTree;
  readonly #tokens: readonly string[];
  /** From this level on every node matches, to any depth; beyond all levels in a pattern without `>`. */
  readonly #openFrom: number;
  readonly #showsNodes: boolean;
  #at: number;
  /** Depth of the node: how many tokens of the pattern are used up. */
  #level = 0;
  #step = Step.Descend;

  /** The pattern is one of what is below `from`. */
  constructor(tree: SubjectTree, { tokens, isOpen }: Pattern, from = tree.root, shown: Shown = "subjects") {
    this.#tree = tree;
    this.#showsNodes = shown === "nodes";
    this.#tokens = tokens;
    this.#openFrom = isOpen ? tokens.length : Number.POSITIVE_INFINITY;
    this.#at = from;
  }

  /** The next subject that matches and has messages, 0 when there is none. Stops with `NOT_YET` after looking at `most` nodes in vain. */
  next(most = Number.POSITIVE_INFINITY): number {
    const tree = this.#tree;
    for (let looked = 0; this.#at !== 0; ) {
      const at = this.#at;
      switch (this.#step) {
        case Step.Look:
          if (looked++ >= most) return NOT_YET;
          this.#step = Step.Descend;
          if ((this.#level >= this.#openFrom || this.#level === this.#tokens.length) && (this.#showsNodes || tree.messages(at) > 0)) return at;
          break;
        case Step.Descend: {
          const child = this.#firstBelow(at);
          if (child === 0) this.#step = Step.Leave;
          else this.#enter(child, this.#level + 1);
          break;
        }
        case Step.Leave:
          this.#leave(tree.nextSiblingOf(at), tree.parentOf(at));
      }
    }
    return 0;
  }

  /** Ends the walk. Not needed once `next` has returned 0. */
  close(): void {
    if (this.#at === 0) return;
    this.#at = 0;
    this.#tree.ended(this);
  }

  /** The table frees a node, which has no children any more; it still hangs where it hung. */
  freed(node: number, next: number, parent: number): void {
    if (node === this.#at) this.#leave(next, parent);
  }

  /** Token that the nodes of a level must have. */
  #wanted(level: number): string | undefined {
    return level >= this.#openFrom ? REST : this.#tokens[level - 1];
  }

  #firstBelow(node: number): number {
    const wanted = this.#wanted(this.#level + 1);
    if (wanted === undefined) return 0;
    return wanted === STAR || wanted === REST ? this.#tree.firstChildOf(node) : this.#tree.childByToken(node, wanted);
  }

  #enter(node: number, level: number): void {
    this.#at = node;
    this.#level = level;
    this.#step = Step.Look;
  }

  /** On to the next sibling, if the pattern allows any, else up. */
  #leave(next: number, parent: number): void {
    if (this.#level === 0) return this.close();
    const wanted = this.#wanted(this.#level);
    if (next !== 0 && (wanted === STAR || wanted === REST)) return this.#enter(next, this.#level);
    this.#at = parent;
    this.#level--;
    this.#step = Step.Leave;
  }
}

/**
 * The subjects of one store and what is kept under each: a trie of tokens in typed arrays, because a million subjects as strings in a map would cost several
 * times as much memory and could not answer wildcards.
 *
 * A node is 16 words in a page: where it hangs (parent, first child, siblings), its token (a place in the arena), and figures: messages of its own, of its
 * children, messages and subjects in the whole subtree, first and last sequence. A child is found by hashing parent and token into open tables; `*` walks the siblings. A
 * million subjects of one prefix cost about 80 bytes each.
 *
 * First and last sequence are bounds: removing the first message of a subject leaves the place of the next one unknown until somebody asks, so each carries a
 * flag *stale*, and the store finds out when it has to (`first` is never above, `last` never below the true one).
 *
 * A node whose subtree holds no message is freed, and its number may be given to another subject: `epoch` counts that, for whoever remembers numbers.
 */
import { type Pattern, REST, STAR } from "./filter.ts";
import type { KeyList } from "./key-list.ts";
import { type Shown, type SubjectTree, SubjectWalk } from "./subject-walk.ts";
import { TokenArena } from "./token-arena.ts";

const STRIDE = 16;
const PAGE_BITS = 12;
const PAGE_NODES = 1 << PAGE_BITS;
const PAGE_MASK = PAGE_NODES - 1;
const FIRST_PAGE_NODES = 4;

const PARENT = 0;
/** First child; in a free node: the next free one. */
const CHILD = 1;
const NEXT = 2;
const PREVIOUS = 3;
const TOKEN = 4;
const TOKEN_LENGTH = 5;
const DEPTH = 6;
const HASH = 7;
const MESSAGES = 8;
const TREE_MESSAGES = 9;
const TREE_SUBJECTS = 10;
const FIRST_LOW = 11;
const FIRST_HIGH = 12;
const LAST_LOW = 13;
const LAST_HIGH = 14;
/** Messages of the children themselves, without what is below them. */
const CHILD_MESSAGES = 15;

const STALE = 0x80000000;
const HIGH_MASK = 0x1fffff;
const WORD = 4294967296;

/** Tables are split once by the upper bits of the hash, so that none has to grow much at one time. */
const SPLIT_AT = 4096;
const SPLIT_TABLES = 256;
/** An entry is a node and its hash, so that others in the same place need not be looked at. */
const ENTRY_WORDS = 2;
const TABLE_FIRST_WORDS = 8 * ENTRY_WORDS;

export const NO_SUBJECT = 0;
const ROOT = 1;
/** Names remembered by number; a power of two. */
const NAMES = 256;
const NO_NAMES = new Uint32Array(0);
const NO_SCRATCH = Buffer.alloc(0);
const DOT = 46;

export class SubjectTable implements SubjectTree {
  readonly root = ROOT;
  #pages: Uint32Array[] = [new Uint32Array(FIRST_PAGE_NODES * STRIDE)];
  /** Nodes ever made, with 0 (none) and the root. */
  #made = 2;
  #free = 0;
  #nodes = 0;
  #tables: Uint32Array[] = [new Uint32Array(TABLE_FIRST_WORDS)];
  #filled: number[] = [0];
  #tokens = new TokenArena();
  #lastSubject = "";
  #lastId = NO_SUBJECT;
  #names: (string | undefined)[] = [];
  /** Made when the first name is asked for. */
  #nameIds = NO_NAMES;
  #scratch = NO_SCRATCH;
  /** Under way, to be told which nodes are freed. */
  #walks: SubjectWalk[] = [];
  /** Places that `each` and `total` may still look at. */
  #nodesLeft = 0;
  /** Changes when numbers may have been freed. */
  epoch = 0;

  /** Subjects with messages. */
  get count(): number {
    return this.#pages[0][ROOT * STRIDE + TREE_SUBJECTS];
  }

  /** Numbers are below this. */
  get capacity(): number {
    return this.#made;
  }

  /** Bytes of memory held, for measurements. */
  get memoryBytes(): number {
    let bytes = this.#tokens.memoryBytes;
    for (const page of this.#pages) bytes += page.byteLength;
    for (const table of this.#tables) bytes += table.byteLength;
    return bytes;
  }

  /** Number of a subject that has messages or had them a moment ago; 0 when there is none. */
  find(subject: string): number {
    if (subject === this.#lastSubject) return this.#lastId;
    let node = ROOT;
    for (let start = 0; start <= subject.length; ) {
      let hash = startHash(node);
      let end = start;
      for (let c; end < subject.length && (c = subject.charCodeAt(end)) !== DOT; end++) hash = Math.imul(hash ^ c, 0x01000193);
      node = this.#child(node, subject, start, end, mix(hash));
      if (node === 0) return NO_SUBJECT;
      start = end + 1;
    }
    return node;
  }

  /** Number of a subject, made if there is none. The caller adds a message to it at once. */
  intern(subject: string): number {
    if (subject === this.#lastSubject && this.#lastId !== NO_SUBJECT) return this.#lastId;
    let node = ROOT;
    for (let start = 0; start <= subject.length; ) {
      let hash = startHash(node);
      let end = start;
      for (let c; end < subject.length && (c = subject.charCodeAt(end)) !== DOT; end++) hash = Math.imul(hash ^ c, 0x01000193);
      hash = mix(hash);
      let child = this.#child(node, subject, start, end, hash);
      if (child === 0) child = this.#make(node, subject, start, end, hash);
      node = child;
      start = end + 1;
    }
    this.#lastSubject = subject;
    this.#lastId = node;
    return node;
  }

  /** The subject of a number, as a byte string. */
  name(id: number): string {
    const slot = id & (NAMES - 1);
    const known = this.#names[slot];
    if (known !== undefined && this.#nameIds[slot] === id) return known;
    if (this.#nameIds === NO_NAMES) this.#nameIds = new Uint32Array(NAMES);
    // In one piece: put together of tokens it would keep all of them in memory, and cost as much.
    const length = this.nameLength(id);
    if (length > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(length * 2);
    this.putName(id, this.#scratch, length);
    const name = this.#scratch.latin1Slice(0, length);
    this.#names[slot] = name;
    this.#nameIds[slot] = id;
    return name;
  }

  // Names as bytes

  nameLength(id: number): number {
    let length = -1;
    for (let node = id; node !== ROOT; node = this.#word(node, PARENT)) length += this.#word(node, TOKEN_LENGTH) + 1;
    return length;
  }

  /** Writes the subject of a number so that it ends before `end`. */
  putName(id: number, into: Uint8Array, end: number): void {
    for (let node = id, at = end; node !== ROOT; ) {
      const page = this.#pages[node >>> PAGE_BITS];
      const word = (node & PAGE_MASK) * STRIDE;
      const length = page[word + TOKEN_LENGTH];
      at -= length;
      this.#tokens.copy(page[word + TOKEN], length, into, at);
      node = page[word + PARENT];
      if (node !== ROOT) into[--at] = DOT;
    }
  }

  /** Adds the last token of a node to a list, with its dot if it is for what is below the node. */
  putToken(node: number, into: KeyList, withDot: boolean, weight: number): void {
    const length = this.#word(node, TOKEN_LENGTH);
    into.add(withDot ? length + 1 : length, weight, (bytes, at) => {
      this.#tokens.copy(this.#word(node, TOKEN), length, bytes, at);
      if (withDot) bytes[at + length] = DOT;
    });
  }

  /** Whether a number, any number, is that of a subject with messages whose name is `bytes[start, end)`. */
  isName(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (id <= ROOT || id >= this.#made || this.messages(id) === 0) return false;
    for (let node = id, at = end; ; at--) {
      const page = this.#pages[node >>> PAGE_BITS];
      const word = (node & PAGE_MASK) * STRIDE;
      const length = page[word + TOKEN_LENGTH];
      at -= length;
      if (at < start || !this.#tokens.equalsBytes(page[word + TOKEN], length, bytes, at)) return false;
      node = page[word + PARENT];
      if (node === ROOT) return at === start;
      if (at === start || bytes[at - 1] !== DOT) return false;
    }
  }

  // Figures

  messages(id: number): number {
    return this.#pages[id >>> PAGE_BITS][(id & PAGE_MASK) * STRIDE + MESSAGES];
  }

  /** Not above the first sequence of the subject, and exactly it unless `firstIsStale`. */
  first(id: number): number {
    const page = this.#pages[id >>> PAGE_BITS];
    const at = (id & PAGE_MASK) * STRIDE;
    return (page[at + FIRST_HIGH] & HIGH_MASK) * WORD + page[at + FIRST_LOW];
  }

  firstIsStale(id: number): boolean {
    return this.#pages[id >>> PAGE_BITS][(id & PAGE_MASK) * STRIDE + FIRST_HIGH] >= STALE;
  }

  setFirst(id: number, seq: number, stale: boolean): void {
    const page = this.#pages[id >>> PAGE_BITS];
    const at = (id & PAGE_MASK) * STRIDE;
    page[at + FIRST_LOW] = seq;
    page[at + FIRST_HIGH] = Math.floor(seq / WORD) + (stale ? STALE : 0);
  }

  /** Not below the last sequence of the subject, and exactly it unless `lastIsStale`. */
  last(id: number): number {
    const page = this.#pages[id >>> PAGE_BITS];
    const at = (id & PAGE_MASK) * STRIDE;
    return (page[at + LAST_HIGH] & HIGH_MASK) * WORD + page[at + LAST_LOW];
  }

  lastIsStale(id: number): boolean {
    return this.#pages[id >>> PAGE_BITS][(id & PAGE_MASK) * STRIDE + LAST_HIGH] >= STALE;
  }

  setLast(id: number, seq: number, stale: boolean): void {
    const page = this.#pages[id >>> PAGE_BITS];
    const at = (id & PAGE_MASK) * STRIDE;
    page[at + LAST_LOW] = seq;
    page[at + LAST_HIGH] = Math.floor(seq / WORD) + (stale ? STALE : 0);
  }

  /** One more message, behind all others of the subject. */
  add(id: number, seq: number): void {
    const page = this.#pages[id >>> PAGE_BITS];
    const at = (id & PAGE_MASK) * STRIDE;
    page[at + LAST_LOW] = seq;
    page[at + LAST_HIGH] = Math.floor(seq / WORD);
    const isFirst = page[at + MESSAGES]++ === 0;
    if (isFirst) this.setFirst(id, seq, false);
    this.#count(id, 1, isFirst ? 1 : 0);
  }

  /** Messages of a whole segment, behind all others of the subject. */
  addMany(id: number, messages: number, first: number, last: number): void {
    const page = this.#pages[id >>> PAGE_BITS];
    const at = (id & PAGE_MASK) * STRIDE;
    const isFirst = page[at + MESSAGES] === 0;
    page[at + MESSAGES] += messages;
    if (isFirst) this.setFirst(id, first, false);
    this.setLast(id, last, false);
    this.#count(id, messages, isFirst ? 1 : 0);
  }

  /** One message less. The subject may be gone afterwards. */
  subtract(id: number, seq: number): void {
    const page = this.#pages[id >>> PAGE_BITS];
    const at = (id & PAGE_MASK) * STRIDE;
    const left = --page[at + MESSAGES];
    if (left === 0) {
      this.#count(id, -1, -1);
      this.#prune(id);
      return;
    }
    this.#count(id, -1, 0);
    const first = this.first(id);
    const last = this.last(id);
    if (seq === first) this.setFirst(id, seq + 1, true);
    else if (seq === last) this.setLast(id, seq - 1, true);
    if (left !== 1) return;
    if (!this.lastIsStale(id)) this.setFirst(id, this.last(id), false);
    else if (!this.firstIsStale(id)) this.setLast(id, this.first(id), false);
  }

  #count(id: number, messages: number, subjects: number): void {
    let page = this.#pages[id >>> PAGE_BITS];
    let at = (id & PAGE_MASK) * STRIDE;
    page[at + TREE_MESSAGES] += messages;
    page[at + TREE_SUBJECTS] += subjects;
    let node = page[at + PARENT];
    this.#pages[node >>> PAGE_BITS][(node & PAGE_MASK) * STRIDE + CHILD_MESSAGES] += messages;
    while (node !== 0) {
      page = this.#pages[node >>> PAGE_BITS];
      at = (node & PAGE_MASK) * STRIDE;
      page[at + TREE_MESSAGES] += messages;
      page[at + TREE_SUBJECTS] += subjects;
      node = page[at + PARENT];
    }
  }

  clear(): void {
    for (const walk of [...this.#walks]) walk.close();
    this.#pages = [new Uint32Array(FIRST_PAGE_NODES * STRIDE)];
    this.#made = 2;
    this.#free = 0;
    this.#nodes = 0;
    this.#tables = [new Uint32Array(TABLE_FIRST_WORDS)];
    this.#filled = [0];
    this.#tokens = new TokenArena();
    this.#forget();
    this.#names = [];
  }

  #forget(): void {
    this.epoch++;
    this.#lastSubject = "";
    this.#lastId = NO_SUBJECT;
  }

  // Filters

  /** Whether the subject of a number matches. */
  matches(id: number, pattern: Pattern): boolean {
    const { tokens } = pattern;
    let page = this.#pages[id >>> PAGE_BITS];
    let at = (id & PAGE_MASK) * STRIDE;
    let depth = page[at + DEPTH];
    let wanted = tokens.length;
    if (pattern.isOpen) {
      if (depth < wanted) return false;
      wanted--;
    } else if (depth !== wanted) return false;
    for (;;) {
      if (depth <= wanted) {
        if (depth === 0) return true;
        const token = tokens[depth - 1];
        if (token !== STAR && !this.#tokens.equals(page[at + TOKEN], page[at + TOKEN_LENGTH], token, 0, token.length)) return false;
      }
      const parent = page[at + PARENT];
      page = this.#pages[parent >>> PAGE_BITS];
      at = (parent & PAGE_MASK) * STRIDE;
      depth--;
    }
  }

  /**
   * Calls `visit` for each subject that matches until it returns false; returns whether it never did. Nothing may change meanwhile. When `nodes` places were not
   * enough, false, too.
   */
  each(pattern: Pattern, visit: (id: number) => boolean, nodes = Number.POSITIVE_INFINITY): boolean {
    this.#nodesLeft = nodes;
    return this.#walk(ROOT, pattern.tokens, 0, visit);
  }

  #walk(node: number, tokens: readonly string[], level: number, visit: (id: number) => boolean): boolean {
    if (--this.#nodesLeft < 0) return false;
    if (level === tokens.length) return this.messages(node) === 0 || visit(node);
    const token = tokens[level];
    if (token === REST) return this.#below(node, visit);
    if (token !== STAR) {
      const child = this.childByToken(node, token);
      return child === 0 || this.#walk(child, tokens, level + 1, visit);
    }
    for (let child = this.#word(node, CHILD); child !== 0; child = this.#word(child, NEXT)) if (!this.#walk(child, tokens, level + 1, visit)) return false;
    return true;
  }

  #below(node: number, visit: (id: number) => boolean): boolean {
    for (let child = this.#word(node, CHILD); child !== 0; child = this.#word(child, NEXT)) {
      if (--this.#nodesLeft < 0) return false;
      if (this.messages(child) > 0 && !visit(child)) return false;
      if (this.#word(child, CHILD) !== 0 && !this.#below(child, visit)) return false;
    }
    return true;
  }

  /** As `each`, in steps between which messages may come and go. */
  walk(pattern: Pattern, from = ROOT, shown: Shown = "subjects"): SubjectWalk {
    const walk = new SubjectWalk(this, pattern, from, shown);
    this.#walks.push(walk);
    return walk;
  }

  ended(walk: SubjectWalk): void {
    this.#walks = this.#walks.filter((other) => other !== walk);
  }

  /**
   * Messages and subjects under all that match, without looking at each subject below a last `>` or, unless there are others below those, `*`. Undefined
   * when `nodes` places were not enough.
   */
  total(pattern: Pattern, nodes = Number.POSITIVE_INFINITY): { readonly messages: number; readonly subjects: number } | undefined {
    this.#nodesLeft = nodes;
    const sum = { messages: 0, subjects: 0 };
    const below = (node: number): void => {
      sum.messages += this.messagesBelow(node);
      sum.subjects += this.subjectsBelow(node);
    };
    const add = (node: number, level: number): void => {
      if (--this.#nodesLeft < 0) return;
      const token = pattern.tokens[level];
      if (token === undefined) {
        const messages = this.messages(node);
        sum.messages += messages;
        if (messages > 0) sum.subjects++;
      } else if (token === REST) {
        below(node);
      } else if (token === STAR) {
        if (level === pattern.tokens.length - 1 && this.hasNoGrandchildren(node)) return below(node);
        for (let child = this.#word(node, CHILD); child !== 0 && this.#nodesLeft >= 0; child = this.#word(child, NEXT)) add(child, level + 1);
      } else {
        const child = this.childByToken(node, token);
        if (child !== 0) add(child, level + 1);
      }
    };
    add(ROOT, 0);
    return this.#nodesLeft < 0 ? undefined : sum;
  }

  /** Whether all messages below a node are those of its children. */
  hasNoGrandchildren(node: number): boolean {
    return this.messagesBelow(node) === this.messagesOfChildren(node);
  }

  messagesOfChildren(node: number): number {
    return this.#word(node, CHILD_MESSAGES);
  }

  messagesBelow(node: number): number {
    return this.#word(node, TREE_MESSAGES) - this.messages(node);
  }

  subjectsBelow(node: number): number {
    return this.#word(node, TREE_SUBJECTS) - (this.messages(node) > 0 ? 1 : 0);
  }

  // Nodes

  parentOf(node: number): number {
    return this.#word(node, PARENT);
  }

  firstChildOf(node: number): number {
    return this.#word(node, CHILD);
  }

  nextSiblingOf(node: number): number {
    return this.#word(node, NEXT);
  }

  #word(id: number, field: number): number {
    return this.#pages[id >>> PAGE_BITS][(id & PAGE_MASK) * STRIDE + field];
  }

  #set(id: number, field: number, value: number): void {
    this.#pages[id >>> PAGE_BITS][(id & PAGE_MASK) * STRIDE + field] = value;
  }

  childByToken(node: number, token: string): number {
    let hash = startHash(node);
    for (let i = 0; i < token.length; i++) hash = Math.imul(hash ^ token.charCodeAt(i), 0x01000193);
    return this.#child(node, token, 0, token.length, mix(hash));
  }

  #child(parent: number, text: string, start: number, end: number, hash: number): number {
    const table = this.#tables.length === 1 ? this.#tables[0] : this.#tables[hash >>> 24];
    const mask = table.length - 1;
    for (let slot = (hash * ENTRY_WORDS) & mask; ; slot = (slot + ENTRY_WORDS) & mask) {
      const id = table[slot];
      if (id === 0) return 0;
      if (table[slot + 1] !== hash) continue;
      const page = this.#pages[id >>> PAGE_BITS];
      const at = (id & PAGE_MASK) * STRIDE;
      if (page[at + PARENT] === parent && this.#tokens.equals(page[at + TOKEN], page[at + TOKEN_LENGTH], text, start, end)) return id;
    }
  }

  #make(parent: number, text: string, start: number, end: number, hash: number): number {
    let id = this.#free;
    if (id !== 0) this.#free = this.#word(id, CHILD);
    else {
      id = this.#made++;
      this.#room(id);
    }
    const page = this.#pages[id >>> PAGE_BITS];
    const at = (id & PAGE_MASK) * STRIDE;
    page.fill(0, at, at + STRIDE);
    const sibling = this.#word(parent, CHILD);
    page[at + PARENT] = parent;
    page[at + NEXT] = sibling;
    page[at + TOKEN] = this.#tokens.add(text, start, end);
    page[at + TOKEN_LENGTH] = end - start;
    page[at + DEPTH] = this.#word(parent, DEPTH) + 1;
    page[at + HASH] = hash;
    if (sibling !== 0) this.#set(sibling, PREVIOUS, id);
    this.#set(parent, CHILD, id);
    this.#nodes++;
    this.#enter(id, hash);
    return id;
  }

  #room(id: number): void {
    const index = id >>> PAGE_BITS;
    const page = this.#pages[index];
    if (page === undefined) this.#pages[index] = new Uint32Array(PAGE_NODES * STRIDE);
    else if ((id & PAGE_MASK) * STRIDE >= page.length) {
      const larger = new Uint32Array(page.length * 2);
      larger.set(page);
      this.#pages[index] = larger;
    }
  }

  /** Frees a node without messages, and those above it that only existed for it. */
  #prune(id: number): void {
    this.#forget();
    for (let node = id; node !== ROOT && this.#word(node, TREE_MESSAGES) === 0; ) {
      const page = this.#pages[node >>> PAGE_BITS];
      const at = (node & PAGE_MASK) * STRIDE;
      const parent = page[at + PARENT];
      const next = page[at + NEXT];
      const previous = page[at + PREVIOUS];
      if (this.#walks.length > 0) for (const walk of [...this.#walks]) walk.freed(node, next, parent);
      if (previous === 0) this.#set(parent, CHILD, next);
      else this.#set(previous, NEXT, next);
      if (next !== 0) this.#set(next, PREVIOUS, previous);
      this.#leave(node, page[at + HASH]);
      this.#tokens.remove(page[at + TOKEN], page[at + TOKEN_LENGTH]);
      this.#names[node & (NAMES - 1)] = undefined;
      page[at + CHILD] = this.#free;
      this.#free = node;
      this.#nodes--;
      node = parent;
    }
    // A store whose subjects are all gone gives their memory back.
    if (this.#nodes === 0 && this.#made > PAGE_NODES) this.clear();
  }

  // Tables

  #enter(id: number, hash: number): void {
    if (this.#tables.length === 1 && this.#nodes > SPLIT_AT) this.#split();
    const index = this.#tables.length === 1 ? 0 : hash >>> 24;
    let table = this.#tables[index];
    if (++this.#filled[index] * ENTRY_WORDS * 4 > table.length * 3) {
      const larger = new Uint32Array(table.length * 2);
      for (let slot = 0; slot < table.length; slot += ENTRY_WORDS) if (table[slot] !== 0) place(larger, table[slot], table[slot + 1]);
      this.#tables[index] = table = larger;
    }
    place(table, id, hash);
  }

  #split(): void {
    const [old] = this.#tables;
    this.#tables = Array.from({ length: SPLIT_TABLES }, () => new Uint32Array(64 * ENTRY_WORDS));
    this.#filled = new Array<number>(SPLIT_TABLES).fill(0);
    for (let slot = 0; slot < old.length; slot += ENTRY_WORDS) if (old[slot] !== 0) this.#enter(old[slot], old[slot + 1]);
  }

  #leave(id: number, hash: number): void {
    const index = this.#tables.length === 1 ? 0 : hash >>> 24;
    const table = this.#tables[index];
    const mask = table.length - 1;
    let hole = (hash * ENTRY_WORDS) & mask;
    while (table[hole] !== id) hole = (hole + ENTRY_WORDS) & mask;
    this.#filled[index]--;
    // Entries behind the hole that would not be found across it move into it.
    for (let slot = (hole + ENTRY_WORDS) & mask; table[slot] !== 0; slot = (slot + ENTRY_WORDS) & mask) {
      const home = (table[slot + 1] * ENTRY_WORDS) & mask;
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        table[hole] = table[slot];
        table[hole + 1] = table[slot + 1];
        hole = slot;
      }
    }
    table[hole] = 0;
  }
}

function place(table: Uint32Array, id: number, hash: number): void {
  const mask = table.length - 1;
  let slot = (hash * ENTRY_WORDS) & mask;
  while (table[slot] !== 0) slot = (slot + ENTRY_WORDS) & mask;
  table[slot] = id;
  table[slot + 1] = hash;
}

function startHash(parent: number): number {
  return Math.imul(parent, 0x9e3779b1) ^ 0x811c9dc5;
}

/** FNV leaves the upper bits poor; tables are chosen by them. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

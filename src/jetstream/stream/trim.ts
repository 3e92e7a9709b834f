/**
 * What a stored message pushes out: the oldest of a full stream, the oldest of a full subject, everything that a roll-up replaces.
 *
 * It goes once the message itself is written, so that a full disk never costs the old message and the new one. The removals are written with the next turn's
 * messages (or a little later, when none come); a crash in between leaves a few messages too many, which the recovery removes again. Where new messages are
 * refused instead, room has to show at once, and removals are not put off.
 */
import { StoredMessage } from "../store/index.ts";
import { Mark, Rollup } from "./judgement.ts";
import type { Sliced } from "../slices.ts";
import type { Stream } from "./stream.ts";
import type { Sweep } from "./sweep.ts";

/** How far back the recovery looks for removals that were not written. More than a turn can store. */
const TAIL_MESSAGES = 10_000;
/** So many of the oldest may go in one turn, and at least twice of what came since the last; the rest has to wait for the next. */
const TURN_REMOVALS = 8_192;
const SWEEPING_REMOVALS = 64;
const view = new StoredMessage();

export class Trimmer {
  readonly #stream: Stream;
  /** Messages whose subject may have too many by now, or that replace others. */
  #sequences: number[] = [];
  #subjects: string[] = [];
  #rollups: Rollup[] = [];
  #grown = false;
  #immediate = false;
  #maxMsgs = -1;
  #maxBytes = -1;
  #maxPerSubject = -1;
  /** What was there when the last turn had removed its part. */
  #settledMessages = 0;
  #settledBytes = 0;
  /** Subjects are being brought within a lowered limit. */
  #isSweeping = false;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.configure();
  }

  configure(): void {
    const { config } = this.#stream;
    // Where new messages are refused the old ones stay, also when there are more than a lowered limit allows.
    const removesOld = config.discard === "old";
    this.#maxMsgs = removesOld ? config.max_msgs : -1;
    this.#maxBytes = removesOld ? config.max_bytes : -1;
    this.#maxPerSubject = config.max_msgs_per_subject;
    this.#immediate = config.discard === "new" && (config.max_msgs > 0 || config.max_bytes > 0 || config.discard_new_per_subject === true);
  }

  appended(seq: number, subject: string, rollup: Rollup): void {
    this.#grown = true;
    if (this.#maxPerSubject > 0 || rollup !== Rollup.None) {
      this.#sequences.push(seq);
      this.#subjects.push(subject);
      this.#rollups.push(rollup);
    }
    if (this.#immediate) this.run();
  }

  /** Messages from `firstSeq` on are not stored after all. */
  takeBack(firstSeq: number): void {
    while (this.#sequences.length > 0 && this.#sequences[this.#sequences.length - 1] >= firstSeq) {
      this.#sequences.pop();
      this.#subjects.pop();
      this.#rollups.pop();
    }
  }

  /** Removes what has to go; says whether anything went. */
  run(): boolean {
    if (!this.#grown) return false;
    this.#grown = false;
    let removed = false;
    if (this.#sequences.length > 0) {
      const [sequences, subjects, rollups] = [this.#sequences, this.#subjects, this.#rollups];
      this.#sequences = [];
      this.#subjects = [];
      this.#rollups = [];
      const bytesAfter = this.#bytesAfter(sequences, rollups);
      for (let i = 0; i < sequences.length; i++) {
        // The limits hold before a roll-up makes room, as if its message had come alone.
        if (rollups[i] !== Rollup.None && this.#trimAsOf(sequences[i], bytesAfter[i] ?? 0)) removed = true;
        if (this.#maxPerSubject > 0 && this.trimSubject(subjects[i])) removed = true;
        if (rollups[i] !== Rollup.None && this.#rollUp(sequences[i], subjects[i], rollups[i])) removed = true;
      }
    }
    return this.trimStream() || removed;
  }

  /** The oldest go until the stream is within its limits; when that is too much for one turn, in several. */
  trimStream(): boolean {
    const { state } = this.#stream.store;
    const most = Math.max(TURN_REMOVALS, 2 * (state.messages - this.#settledMessages));
    const until = state.messages - most;
    const bytesUntil = state.bytes - 2 * Math.max(0, state.bytes - this.#settledBytes);
    const { messages } = state;
    while (this.#isOver()) {
      if (state.messages <= until && state.bytes <= bytesUntil) {
        this.#grown = true;
        this.#stream.touch();
        break;
      }
      if (!this.#removeOldest()) break;
    }
    this.#settledMessages = state.messages;
    this.#settledBytes = state.bytes;
    return state.messages < messages;
  }

  /** For each of these messages the bytes of those behind it, as far as anybody will ask: where a limit of bytes meets roll-ups. */
  #bytesAfter(sequences: readonly number[], rollups: readonly Rollup[]): readonly number[] {
    const first = rollups.findIndex((rollup) => rollup !== Rollup.None);
    if (first < 0 || this.#maxBytes <= 0) return [];
    const sums: number[] = [];
    let sum = 0;
    let at = this.#stream.lastSeq;
    for (let i = sequences.length - 1; i >= first; i--) {
      for (; at > sequences[i]; at--) sum += this.#stream.storedSize(at);
      sums[i] = sum;
    }
    return sums;
  }

  /** The oldest go until what there is up to `seq`, the messages behind it left out, is within the limits. */
  #trimAsOf(seq: number, bytesAfter: number): boolean {
    let removed = false;
    while (this.#isOver(this.#stream.lastSeq - seq, bytesAfter) && this.#removeOldest()) removed = true;
    return removed;
  }

  #isOver(messagesAside = 0, bytesAside = 0): boolean {
    const { state } = this.#stream.store;
    const [messages, bytes] = [state.messages - messagesAside, state.bytes - bytesAside];
    return (this.#maxMsgs > 0 && messages > this.#maxMsgs) || (this.#maxBytes > 0 && bytes > this.#maxBytes);
  }

  #removeOldest(): boolean {
    const { store } = this.#stream;
    const oldest = store.next(ALL, 1, undefined);
    return oldest !== 0 && this.#stream.removeMessage(oldest, false) !== undefined;
  }

  /** The oldest of one subject go. While a sweep is coming for them anyway, only a few. */
  trimSubject(subject: string): boolean {
    const stream = this.#stream;
    const most = this.#isSweeping ? SWEEPING_REMOVALS : Number.POSITIVE_INFINITY;
    for (let removed = 0; ; removed++) {
      if (removed === most || stream.store.messagesOf(subject) <= this.#maxPerSubject) return removed > 0;
      const state = stream.store.subjectState(subject);
      if (state === undefined || stream.removeMessage(state.first, false) === undefined) return removed > 0;
    }
  }

  #rollUp(seq: number, subject: string, rollup: Rollup): boolean {
    // For consumers this is a purge: they go on behind what was replaced.
    this.#stream.purger.removeBelow(seq, rollup === Rollup.All ? undefined : subject);
    return true;
  }

  /** Brings everything within changed limits, in slices. A promise: until then. */
  trimAll(): number | Promise<number> {
    return this.#stream.sweeps.run("limits", this.#trimAll());
  }

  *#trimAll(): Sweep {
    let removed = this.#maxPerSubject > 0 ? yield* this.#trimSubjects() : 0;
    while (this.#isOver() && this.#removeOldest()) yield ++removed;
    return removed;
  }

  /** In the order of the stream, what lies together goes together: a message goes if its subject still has too many, so it is the oldest that go. */
  *#trimSubjects(): Sweep {
    const { store } = this.#stream;
    this.#isSweeping = true;
    try {
      let removed = 0;
      for (let seq = store.next(ALL, 1, undefined); seq > 0; seq = store.next(ALL, seq + 1, undefined)) {
        if (store.crowdOf(seq) > this.#maxPerSubject && this.#stream.removeMessage(seq, false) !== undefined) removed++;
        yield removed;
      }
      return removed;
    } finally {
      this.#isSweeping = false;
    }
  }

  /** Repeats what a crash may have lost of the last turn's removals. */
  *recover(): Sliced<void> {
    const stream = this.#stream;
    const { store } = stream;
    const { lastSeq, firstSeq } = store.state;
    const from = Math.max(firstSeq, lastSeq - TAIL_MESSAGES);
    for (let seq = store.nextMarked(Mark.Rollup, from); seq > 0; seq = store.nextMarked(Mark.Rollup, seq + 1)) {
      if (!store.load(seq, view) || (view.marks & Mark.Rollup) === 0) continue;
      const rollup = rollupOf(view.buffer.latin1Slice(view.headerStart, view.bodyStart));
      if (rollup !== Rollup.None) this.#rollUp(seq, view.subject, rollup);
      yield;
    }
    if (this.#maxPerSubject > 0) yield* this.#recoverSubjects(from);
    this.trimStream();
  }

  *#recoverSubjects(from: number): Sliced<void> {
    const { store } = this.#stream;
    const subjects = new Set<string>();
    for (let seq = store.next(ALL, from, undefined); seq > 0; seq = store.next(ALL, seq + 1, undefined)) {
      subjects.add(store.subjectOf(seq) ?? "");
      yield;
    }
    for (const subject of subjects) {
      this.trimSubject(subject);
      yield;
    }
  }
}

/** No filter: every subject. */
export const ALL: readonly string[] = [];

function rollupOf(block: string): Rollup {
  const value = /\r\nNats-Rollup: *([^\r]*)/.exec(block)?.[1]?.toLowerCase();
  if (value === "all") return Rollup.All;
  return value === "sub" ? Rollup.Subject : Rollup.None;
}

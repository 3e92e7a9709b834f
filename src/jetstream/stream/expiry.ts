/**
 * Messages that grow too old: `max_age` of the stream, `Nats-TTL` of a message. One timer per stream, for whichever is due first. Where the configuration asks for it, the last message of
 * a subject leaves a marker. Spec: streams, sections 4.5 and 5.6.
 *
 * Due times of TTLs are in memory; they are found again after a restart by the messages' marks. An entry is only a hint: what is due is read back and decides.
 */
import type { Timer } from "../../platform/index.ts";
import { formatDuration } from "../../util/duration.ts";
import type { Sliced } from "../slices.ts";
import { StoredMessage } from "../store/index.ts";
import { Deadlines } from "./deadlines.ts";
import { H, headerOf } from "./headers.ts";
import { Mark, Rollup, TTL_NEVER } from "./judgement.ts";
import type { Stream } from "./stream.ts";
import { ALL } from "./trim.ts";
import { parseTtl } from "./ttl.ts";

/** Shortest wait between two looks. */
const INTERVAL_MIN_MS = 250;
/** Work of one turn. */
const SLICE_MS = 4;

const view = new StoredMessage();

export class Expiry {
  readonly #stream: Stream;
  readonly #deadlines = new Deadlines();
  #maxAgeMs = 0;
  #timer: Timer | undefined = undefined;
  /** When the timer fires. */
  #armedForMs = Number.POSITIVE_INFINITY;
  /** Everything below lives for ever, or is gone. */
  #ageFloor = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** Takes up the configuration. */
  configure(): void {
    this.#maxAgeMs = this.#stream.config.max_age / 1e6;
    this.#ageFloor = 0;
    this.#rearm();
  }

  /** Finds every TTL again, in slices; what is overdue goes. */
  *recover(): Sliced<void> {
    this.#maxAgeMs = this.#stream.config.max_age / 1e6;
    this.#deadlines.clear();
    const { store, config } = this.#stream;
    if (config.allow_msg_ttl) {
      for (let seq = store.nextMarked(Mark.Ttl, 0); seq > 0; seq = store.nextMarked(Mark.Ttl, seq + 1)) {
        if (!store.load(seq, view)) continue;
        const ttl = ttlOf(view);
        if (ttl > 0) this.#deadlines.add(timeMs(view) + ttl * 1000, seq);
        yield;
      }
    }
    // Markers are kept when somebody is interested in them: that is not known yet.
    if (config.retention !== "interest") while (!this.#expire(SLICE_MS)) yield;
  }

  /** Goes on with what is due; the stream is complete. */
  start(): void {
    this.#fire();
  }

  /** A message was stored that expires at `atMs`. */
  add(seq: number, atMs: number): void {
    this.#deadlines.add(atMs, seq);
    this.#arm(atMs);
  }

  /** A message was stored. Cheap: comes for every one. */
  appended(nowMs: number): void {
    if (this.#maxAgeMs > 0 && this.#timer === undefined) this.#arm(nowMs + this.#maxAgeMs);
  }

  get watchesAge(): boolean {
    return this.#maxAgeMs > 0;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
  }

  #arm(atMs: number): void {
    if (atMs >= this.#armedForMs) return;
    this.#timer?.cancel();
    const { clock } = this.#stream.account.context;
    const delayMs = Math.max(INTERVAL_MIN_MS, atMs - clock.nowMs());
    this.#armedForMs = atMs;
    this.#timer = clock.after(delayMs, () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
    if (this.#expire(SLICE_MS)) return this.#rearm();
    // Not done: others get their share of the loop first.
    this.#timer = this.#stream.account.context.clock.after(1, () => this.#fire());
    this.#armedForMs = 0;
  }

  #rearm(): void {
    this.stop();
    const next = Math.min(this.#deadlines.nextMs ?? Number.POSITIVE_INFINITY, this.#nextAgeMs());
    if (next !== Number.POSITIVE_INFINITY) this.#arm(next);
  }

  #nextAgeMs(): number {
    if (this.#maxAgeMs === 0) return Number.POSITIVE_INFINITY;
    const first = this.#stream.store.next(ALL, this.#ageFloor, view);
    return first === 0 ? Number.POSITIVE_INFINITY : timeMs(view) + this.#maxAgeMs;
  }

  /** Removes what is due, for at most `budgetMs`; says whether all of it went. */
  #expire(budgetMs: number): boolean {
    const { clock } = this.#stream.account.context;
    const until = clock.monotonicMs() + budgetMs;
    const nowMs = clock.nowMs();
    for (let seq = this.#deadlines.take(nowMs); seq > 0; seq = this.#deadlines.take(nowMs)) {
      this.#expireTtl(seq, nowMs);
      if (clock.monotonicMs() > until) return false;
    }
    return this.#expireAges(nowMs, until);
  }

  #expireTtl(seq: number, nowMs: number): void {
    if (!this.#stream.store.load(seq, view) || (view.marks & Mark.Ttl) === 0) return;
    const ttl = ttlOf(view);
    if (ttl <= 0) return;
    const dueMs = timeMs(view) + ttl * 1000;
    // The sequence was given to another message after a failed write.
    if (dueMs > nowMs) this.#deadlines.add(dueMs, seq);
    else this.#end(seq);
  }

  #expireAges(nowMs: number, until: number): boolean {
    if (this.#maxAgeMs === 0) return true;
    const { store, consumers, config } = this.#stream;
    const { clock } = this.#stream.account.context;
    const bound = nowMs - this.#maxAgeMs;
    if (consumers.count === 0 && !config.allow_msg_ttl) return this.#expireAllBelow(bound);
    for (;;) {
      const seq = store.next(ALL, this.#ageFloor, view);
      if (seq === 0 || timeMs(view) > bound) return true;
      this.#ageFloor = seq + 1;
      if ((view.marks & Mark.Ttl) !== 0 && ttlOf(view) === TTL_NEVER) continue;
      this.#end(seq);
      if (clock.monotonicMs() > until) return false;
    }
  }

  /** Nothing has to be told or kept: whole segments at once. */
  #expireAllBelow(boundMs: number): boolean {
    const { store } = this.#stream;
    const seconds = Math.floor(boundMs / 1000);
    const keep = store.seqAtTime(seconds, Math.floor((boundMs - seconds * 1000) * 1e6) + 1);
    this.#stream.purger.removeBelow(keep, undefined);
    return true;
  }

  /** The message in `view` has reached its end. */
  #end(seq: number): void {
    const stream = this.#stream;
    const markerNs = stream.config.subject_delete_marker_ttl ?? 0;
    const isLast = markerNs > 0 && stream.store.subjectState(view.subject)?.messages === 1;
    if (isLast && !isMarker(view)) {
      const text = formatDuration(BigInt(markerNs));
      const header = `NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: ${text}\r\nNats-Rollup: sub\r\n\r\n`;
      stream.ingest.placeOwn(view.subject, header, NO_BODY, Rollup.Subject, Math.floor(markerNs / 1e9));
    } else stream.removeMessage(seq, false);
    stream.touch();
  }
}

const NO_BODY = Buffer.alloc(0);

function timeMs({ seconds, nanos }: StoredMessage): number {
  return seconds * 1000 + nanos / 1e6;
}

function ttlOf(message: StoredMessage): number {
  return parseTtl(headerOf(message.buffer, message.headerStart, message.bodyStart, H.Ttl) ?? "") ?? 0;
}

/** Says that its subject was removed already. */
function isMarker({ buffer, headerStart, bodyStart }: StoredMessage): boolean {
  return headerOf(buffer, headerStart, bodyStart, H.MarkerReason) !== undefined || headerOf(buffer, headerStart, bodyStart, H.KvOperation) === "PURGE";
}

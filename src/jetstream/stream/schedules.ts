/**
 * Messages that make messages: each is stored under its own subject, one per subject, and fires by its pattern. When each fires next is in memory and, so that a restart neither
 * repeats nor forgets one, in a small file that is written at most once a second. Spec: streams, section 5.8.
 */
import type { Timer } from "../../platform/index.ts";
import { timestamp } from "../../util/timestamp.ts";
import { StoredMessage } from "../store/index.ts";
import { Deadlines } from "./deadlines.ts";
import { H, headerOf, withHeaders, withoutHeaders } from "./headers.ts";
import { Mark, Rollup } from "./judgement.ts";
import { parseSchedule, type SchedulePattern } from "./schedulepattern.ts";
import type { Stream } from "./stream.ts";
import { parseTtl } from "./ttl.ts";

const INTERVAL_MIN_MS = 250;
const SAVE_AFTER_MS = 1000;
const view = new StoredMessage();
const sourceView = new StoredMessage();

interface Schedule {
  readonly seq: number;
  readonly pattern: SchedulePattern;
  nextMs: number;
}

/** Not passed on to what a schedule makes. */
function isOwnHeader(name: string): boolean {
  return name.startsWith("Nats-Schedule") || name.startsWith("Nats-Expected-") || name === "Nats-Msg-Id" || name === "Nats-TTL" || name === "Nats-Rollup";
}

export class Schedules {
  readonly #stream: Stream;
  /** By subject. */
  readonly #schedules = new Map<string, Schedule>();
  readonly #deadlines = new Deadlines();
  #timer: Timer | undefined = undefined;
  #armedForMs = Number.POSITIVE_INFINITY;
  #saving: Timer | undefined = undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  get isOn(): boolean {
    return this.#stream.config.allow_msg_schedules === true;
  }

  configure(): void {
    if (this.isOn && this.#schedules.size === 0) this.recover();
  }

  /** A schedule was stored; it takes the place of an earlier one of its subject. */
  add(seq: number, subject: string): void {
    if (this.#stream.store.load(seq, view)) this.#enter(subject, seq, undefined);
  }

  /** Another message was stored under the subject: its schedule is over. */
  replaced(subject: string): void {
    if (this.#schedules.size > 0) this.#schedules.delete(subject);
  }

  removed(seq: number, subject: string): void {
    if (this.#schedules.size > 0 && this.#schedules.get(subject)?.seq === seq) this.#schedules.delete(subject);
  }

  /** Many messages left: the schedules among them are over. */
  purged(): void {
    for (const [subject, { seq }] of this.#schedules) if (this.#stream.store.subjectState(subject)?.last !== seq) this.#schedules.delete(subject);
  }

  /** Message `seq` ends the schedule of that subject. */
  purge(subject: string, seq: number): void {
    this.#schedules.delete(subject);
    this.#stream.purger.removeBelow(seq, subject);
  }

  /** Finds every schedule again, and when each fires next. */
  recover(): void {
    this.#schedules.clear();
    this.#deadlines.clear();
    if (!this.isOn) return;
    const { store } = this.#stream;
    const known = savedTimes(this.#stream);
    for (let seq = store.nextMarked(Mark.Schedule, 0); seq > 0; seq = store.nextMarked(Mark.Schedule, seq + 1)) {
      if (store.load(seq, view) && store.subjectState(view.subject)?.last === seq) this.#enter(view.subject, seq, known.get(seq));
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#saving?.cancel();
  }

  /** Writes down when schedules fire next. */
  save(): void {
    this.#saving?.cancel();
    this.#saving = undefined;
    if (!this.isOn) return;
    this.#stream.folder.writeSchedules([...this.#schedules.values()].map(({ seq, nextMs }) => [seq, nextMs]));
  }

  #saveSoon(): void {
    this.#saving ??= this.#stream.account.context.clock.after(SAVE_AFTER_MS, () => this.save());
  }

  /** The schedule is in `view`. */
  #enter(subject: string, seq: number, knownMs: number | undefined): void {
    const pattern = patternOf(view);
    const nextMs = knownMs ?? pattern?.next(view.seconds * 1000 + view.nanos / 1e6);
    if (pattern === undefined || nextMs === undefined) return;
    this.#schedules.set(subject, { seq, pattern, nextMs });
    this.#deadlines.add(nextMs, seq);
    this.#arm(nextMs);
    if (!pattern.isSingle) this.#saveSoon();
  }

  #arm(atMs: number): void {
    if (atMs >= this.#armedForMs || this.#stream.isClosed) return;
    this.#timer?.cancel();
    const { clock } = this.#stream.account.context;
    this.#armedForMs = atMs;
    this.#timer = clock.after(Math.max(INTERVAL_MIN_MS, atMs - clock.nowMs()), () => this.#fireDue());
  }

  #fireDue(): void {
    this.#timer = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#stream.account.context.clock.nowMs();
    for (let seq = this.#deadlines.take(nowMs); seq > 0; seq = this.#deadlines.take(nowMs)) this.#fire(seq, nowMs);
    const next = this.#deadlines.nextMs;
    if (next !== undefined) this.#arm(next);
  }

  #fire(seq: number, nowMs: number): void {
    const stream = this.#stream;
    if (!stream.store.load(seq, view)) return;
    const { subject } = view;
    const schedule = this.#schedules.get(subject);
    // Replaced since, or entered anew with another time.
    if (schedule === undefined || schedule.seq !== seq || schedule.nextMs > nowMs) return;
    const { pattern } = schedule;
    const nextMs = pattern.isSingle ? undefined : pattern.next(nowMs);
    const product = this.#product(subject, nextMs);
    if (nextMs === undefined) this.#schedules.delete(subject);
    else {
      schedule.nextMs = nextMs;
      this.#deadlines.add(nextMs, seq);
      this.#saveSoon();
    }
    const made = stream.ingest.placeOwn(product.target, product.header, product.body, product.rollup, product.ttl);
    if (nextMs === undefined) this.purge(subject, made);
  }

  /** What the schedule in `view` makes. */
  #product(subject: string, nextMs: number | undefined) {
    const { store, config } = this.#stream;
    const value = (place: H): string => headerOf(view.buffer, view.headerStart, view.bodyStart, place) ?? "";
    const target = value(H.ScheduleTarget);
    const source = value(H.ScheduleSource);
    const ttl = value(H.ScheduleTtl);
    const rollup = value(H.ScheduleRollup);
    const last = source === "" ? undefined : store.subjectState(source)?.last;
    const content = last !== undefined && store.load(last, sourceView) ? sourceView : view;
    const block = withoutHeaders(content.buffer.latin1Slice(content.headerStart, content.bodyStart), isOwnHeader);
    const next = nextMs === undefined ? "purge" : timestamp(BigInt(Math.round(nextMs)) * 1_000_000n);
    const added: [string, string][] = [
      ["Nats-Scheduler", subject],
      ["Nats-Schedule-Next", next],
    ];
    if (ttl !== "") added.push(["Nats-TTL", ttl]);
    if (rollup !== "") added.push(["Nats-Rollup", rollup]);
    return {
      target,
      header: withHeaders(block, added),
      // A copy: storing may overwrite what the store lent.
      body: Buffer.from(content.buffer.subarray(content.bodyStart, content.end)),
      rollup: rollup === "" ? Rollup.None : Rollup.Subject,
      ttl: config.allow_msg_ttl ? (parseTtl(ttl) ?? 0) : 0,
    };
  }
}

function patternOf({ buffer, headerStart, bodyStart }: StoredMessage): SchedulePattern | undefined {
  const pattern = parseSchedule(headerOf(buffer, headerStart, bodyStart, H.Schedule) ?? "", headerOf(buffer, headerStart, bodyStart, H.ScheduleTimeZone));
  return typeof pattern === "string" ? undefined : pattern;
}

/** Times by sequence, as they were written last. */
function savedTimes(stream: Stream): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  const saved = stream.folder.readSchedules();
  if (!Array.isArray(saved)) return times;
  for (const entry of saved as unknown[]) {
    if (Array.isArray(entry) && typeof entry[0] === "number" && typeof entry[1] === "number") times.set(entry[0], entry[1]);
  }
  return times;
}

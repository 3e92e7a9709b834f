/**
 * Reading a store back at its start: segment after segment, oldest first, each from its index or its records; then what the log says was removed is taken
 * out.
 */
import type { Sliced } from "../../slices.ts";
import type { LiveState } from "../log/live-state.ts";
import { Members } from "../log/members.ts";
import { NO_SUBJECT, type SubjectTable } from "../log/subjects.ts";
import type { Search } from "../log/search.ts";
import type { SegmentList } from "../log/segment.ts";
import type { FileSegment } from "./file-segment.ts";
import type { LocalIndex } from "./index-file.ts";
import { recoverSegment } from "./recover-segment.ts";
import type { StoreFolder } from "./store-folder.ts";

/** How often a recovery says how far it is. */
const PROGRESS_MS = 2000;
/** Removals that are taken up at a time. */
const REMOVALS = 256;

/** The parts of a store that are filled. */
export interface RecoveryHost {
  readonly folder: StoreFolder;
  readonly state: LiveState;
  readonly list: SegmentList<FileSegment>;
  readonly subjects: SubjectTable;
  readonly search: Search<FileSegment>;
  /** Takes one message out of index, subjects and state. */
  takeOut(segment: FileSegment, slot: number, seq: number): void;
}

export interface Recovered {
  readonly last: FileSegment | undefined;
  readonly lastLocal: LocalIndex | undefined;
  readonly nextId: number;
  /** The floor that the log tells, and the segment that tells it. */
  readonly floor: number;
  readonly floorSegment: number;
}

/** In slices of a segment. Throws when no key opens one. `segmentRecordsMax` bounds how many messages a gap behind a torn segment can have been. */
export function* recoverStore(host: RecoveryHost, segmentRecordsMax: number): Sliced<Recovered> {
  const { folder, state } = host;
  const { segments } = host.list;
  let nextId = 1;
  let floorSegment = 0;
  const { clock, log } = folder.context;
  const ids = folder.segments();
  const startMs = clock.monotonicMs();
  let saidMs = startMs;
  const removed: number[] = [];
  let floor = 0;
  let coveredTo = 0;
  let wasTorn: FileSegment | undefined;
  let lastLocal: LocalIndex | undefined;
  for (const [done, id] of ids.entries()) {
    nextId = id + 1;
    const isLast = done === ids.length - 1;
    yield;
    const recovered = recoverSegment(folder, id, isLast);
    if (recovered === undefined) continue;
    const { segment, local, lost, isOpenEnded } = recovered;
    segment.file.closeHandle();
    // What a merge left behind: its messages are in the segment before.
    if (local.first <= coveredTo && local.last <= coveredTo) {
      folder.removeSegment(id);
      continue;
    }
    if (segment.file.header.rewritten) coveredTo = local.last;
    for (const seq of lost.sequences) host.state.lose(seq, 0);
    if (lost.bytes > 0) host.state.loseBytes(lost.bytes);
    if (wasTorn !== undefined) for (let seq = wasTorn.last + 1; seq < local.first && seq - wasTorn.last <= segmentRecordsMax; seq++) host.state.lose(seq, 0);
    wasTorn = isOpenEnded ? segment : undefined;
    if (local.floor > floor) {
      floor = local.floor;
      floorSegment = id;
    }
    for (const seq of local.removed) removed.push(seq);
    for (const seq of local.removed) segment.notes.push(seq);
    fold(host, segment, local);
    segments.push(segment);
    lastLocal = local;
    if (!segment.isIndexSaved && !isLast && !segment.isDamaged) {
      folder.writeIndex(segment.file, local);
      segment.isIndexSaved = true;
    }
    if (clock.monotonicMs() - saidMs >= PROGRESS_MS) {
      saidMs = clock.monotonicMs();
      const perSecond = Math.round(((done + 1) * 1000) / (saidMs - startMs));
      log.info(`  Recovering stream '${folder.title}': ${done + 1} of ${ids.length} segments, ${ids.length - done - 1} remaining, ${perSecond}/s`);
    }
  }
  const last = segments.at(-1);
  if (last === undefined) {
    state.lastSeq = Math.max(state.lastSeq, floor - 1);
    state.first = state.lastSeq + 1;
  } else {
    // In a new store the first sequence is the configuration's; later it is what the log says.
    state.lastSeq = Math.max(last.last, floor - 1);
    state.lastSeconds = last.lastSeconds;
    state.lastNanos = last.lastNanos;
    state.first = state.messages === 0 ? state.lastSeq + 1 : (segments.find(({ live }) => live > 0)?.first ?? state.lastSeq + 1);
    if (state.messages > 0) state.first = host.search.nextAny(1);
    yield* applyRemovals(host, floor, removed);
  }
  return { last, lastLocal, nextId, floor, floorSegment };
}

/** Adds a segment's messages to subjects and state. */
function fold(host: RecoveryHost, segment: FileSegment, local: LocalIndex): void {
  const { index, subjects } = local;
  const counts = new Uint32Array(subjects.count + 1);
  const firsts = new Uint32Array(subjects.count + 1);
  const lasts = new Uint32Array(subjects.count + 1);
  let bytes = 0;
  for (let slot = 0; slot < index.count; slot++) {
    const number = index.ids[slot];
    if (number === 0) continue;
    if (counts[number]++ === 0) firsts[number] = slot;
    lasts[number] = slot;
    bytes += index.sizes[slot];
  }
  const ids = new Uint32Array(subjects.count + 1);
  for (let number = 1; number <= subjects.count; number++) {
    if (counts[number] === 0) continue;
    ids[number] = host.subjects.intern(subjects.name(number));
    host.subjects.addMany(ids[number], counts[number], index.seqOf(firsts[number]), index.seqOf(lasts[number]));
    segment.live += counts[number];
  }
  segment.liveBytes = bytes;
  segment.deadBytes = Math.max(0, segment.end - bytes - segment.live * 10);
  segment.index = undefined;
  segment.members = new Members(ids, ids.length);
  host.state.messages += segment.live;
  host.state.bytes += bytes;
}

function* applyRemovals(host: RecoveryHost, floor: number, removed: readonly number[]): Sliced<void> {
  const { state } = host;
  const { segments } = host.list;
  const takeOut = (segment: FileSegment, slot: number, seq: number): void => {
    segment.markRemoved(host.list.indexOf(segment).offsets[slot]);
    segment.deadBytes += host.list.indexOf(segment).sizes[slot];
    host.takeOut(segment, slot, seq);
  };
  for (const segment of segments) {
    if (segment.first >= floor) break;
    yield;
    if (segment.live === 0) continue;
    const index = host.list.indexOf(segment);
    for (let slot = index.nextLive(0); slot >= 0 && index.seqOf(slot) < floor; slot = index.nextLive(slot + 1)) takeOut(segment, slot, index.seqOf(slot));
  }
  for (const [done, seq] of removed.entries()) {
    if (done % REMOVALS === 0) yield;
    const segment = segments[host.list.place(seq)];
    if (seq > segment.last || seq < floor) continue;
    const index = host.list.indexOf(segment);
    const slot = index.slotFrom(seq);
    if (slot === index.count || index.seqOf(slot) !== seq) continue;
    // Its index may know already; the log still has to go on telling.
    if (index.ids[slot] === NO_SUBJECT) segment.markRemoved(index.offsets[slot]);
    else takeOut(segment, slot, seq);
    segment.notedIn = Math.min(segment.notedIn, segment.id + 1);
  }
  state.first = state.messages === 0 ? state.lastSeq + 1 : host.search.nextAny(1);
}

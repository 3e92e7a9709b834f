/**
 * Rewriting a full segment: without the messages that are gone, compressed, encrypted with the present key, together with neighbours that are small. The new
 * file is written beside, synced, and renamed over the first of the old ones; a crash before that leaves the old ones, a crash after it a neighbour whose
 * messages the new file has, which recovery removes.
 *
 * What happens to the messages meanwhile goes on in the old segment, and is carried over in the moment of the change.
 */
import { compress } from "snappyjs";
import type { StorageFile } from "../../../platform/index.ts";
import { lengthAt } from "../log/record.ts";
import { SegmentIndex } from "../log/segment-index.ts";
import { NO_SUBJECT } from "../log/subjects.ts";
import { ByteWindow } from "../log/window.ts";
import type { Job } from "./background.ts";
import { FileSegment } from "./file-segment.ts";
import { FRAME_BYTES } from "./format.ts";
import type { StoreFolder } from "./store-folder.ts";

/** Gathered before it is written: more would take longer than a slice. */
const CHUNK_BYTES = FRAME_BYTES;
/** Neighbours go together when that leaves the segment not fuller than this. */
const MERGED_SHARE = 0.5;
const SPAN_MAX = 2 ** 31;

export interface RewriteHost {
  readonly folder: StoreFolder;
  readonly compresses: boolean;
  readonly segmentBytes: number;
  readonly segments: readonly FileSegment[];
  indexOf(segment: FileSegment): SegmentIndex;
  isActive(segment: FileSegment): boolean;
  recordAt(segment: FileSegment, slot: number): { readonly window: ByteWindow; readonly at: number } | undefined;
  carryNotes(segment: FileSegment): void;
  sync(): Promise<void>;
  replace(sources: readonly FileSegment[], fresh: FileSegment): void;
  scramble(handle: StorageFile): Generator<undefined, void, void>;
}

export function* rewriteJob(host: RewriteHost, segment: FileSegment): Job {
  const sources = withNeighbours(host, segment);
  for (const source of sources) source.isQueued = true;
  try {
    if (sources.length > 0) yield* rewrite(host, sources);
  } finally {
    for (const source of sources) source.isQueued = false;
    segment.isQueued = false;
  }
}

function withNeighbours(host: RewriteHost, segment: FileSegment): FileSegment[] {
  const { segments } = host;
  const at = segments.indexOf(segment);
  if (at < 0 || segment.writtenEnd < segment.end) return [];
  const left = (one: FileSegment): number => one.end - Math.min(one.end, one.deadBytes);
  const room = host.segmentBytes * MERGED_SHARE;
  const fits = (one: FileSegment | undefined): one is FileSegment =>
    one !== undefined && !host.isActive(one) && !one.isQueued && !one.isDamaged && !one.mustErase && one.live > 0 && one.writtenEnd === one.end && left(one) <= room / 2;
  const sources = [segment];
  let sum = left(segment);
  const before = segments[at - 1];
  if (fits(before) && sum + left(before) <= room && segment.last - before.first < SPAN_MAX) {
    sources.unshift(before);
    sum += left(before);
  }
  const behind = segments[at + 1];
  if (fits(behind) && sum + left(behind) <= room && behind.last - sources[0].first < SPAN_MAX) sources.push(behind);
  return sources;
}

function* rewrite(host: RewriteHost, sources: readonly FileSegment[]): Job {
  const { folder } = host;
  const [first] = sources;
  const last = sources[sources.length - 1];
  const pack = host.compresses ? compress : undefined;
  const header = { id: first.id, compressed: pack !== undefined, rewritten: true, first: first.first, last: last.last, floor: 0, seconds: last.lastSeconds, nanos: last.lastNanos };
  const file = folder.newFile(header, true);
  const fresh = new FileSegment(first.first, file);
  let isDone = false;
  try {
    file.create();
    const origins: { readonly source: FileSegment; readonly slots: number[] }[] = [];
    const counts = sources.map(({ slots }) => slots);
    const index = (fresh.index = new SegmentIndex(first.first));
    const chunk = new ByteWindow(CHUNK_BYTES);
    const write = (): void => {
      if (chunk.length === 0) return;
      file.append(chunk, chunk.start, pack);
      chunk.start = fresh.end;
      chunk.length = 0;
    };
    for (const source of sources) {
      const slots: number[] = [];
      origins.push({ source, slots });
      let sinceYield = 0;
      for (let slot = 0; ; slot++) {
        // It may have been let go and loaded again since the last slice.
        const old = host.indexOf(source);
        slot = old.nextLive(slot);
        if (slot < 0) break;
        const record = host.recordAt(source, slot);
        if (record === undefined) throw new Error(`${source.file.path} is damaged`);
        const { window, at } = record;
        const length = lengthAt(window, at);
        if (chunk.length > 0 && chunk.length + length > CHUNK_BYTES) {
          write();
          yield;
          if (!host.segments.includes(source)) return;
          // Found again: others read meanwhile, into the same window.
          slot--;
          continue;
        }
        chunk.reserve(length);
        window.buffer.copy(chunk.buffer, chunk.length, at, at + length);
        index.push(old.seqOf(slot), old.ids[slot], fresh.end, old.sizes[slot], old.marks?.[slot] ?? 0);
        slots.push(slot);
        chunk.length += length;
        fresh.end += length;
        if (++sinceYield % 1024 === 0) yield;
        if (!host.segments.includes(source)) return;
      }
    }
    write();
    fresh.writtenEnd = fresh.committedEnd = fresh.end;
    yield file.handle.sync();
    // What the old files tell of others has to be told elsewhere before they go.
    for (const source of sources) if (host.segments.includes(source)) host.carryNotes(source);
    yield host.sync();
    // One of them was dropped, or shortened by a failed sync.
    if (!sources.every((source, i) => host.segments.includes(source) && source.slots === counts[i])) return;
    takeOver(host, fresh, origins);
    // Its handle keeps the old file reachable when the name belongs to the new one.
    const old = first.mustErase ? first.file.handle : undefined;
    file.closeHandle();
    folder.removeIndex(first.id);
    folder.takePlace(file, first.id);
    isDone = true;
    host.replace(sources, fresh);
    if (old !== undefined) yield* host.scramble(old);
    first.file.closeHandle();
  } finally {
    if (!isDone) {
      file.closeHandle();
      folder.removeRewrite(first.id);
    }
  }
}

/** What became of the messages since they were copied. */
function takeOver(host: RewriteHost, fresh: FileSegment, origins: readonly { readonly source: FileSegment; readonly slots: readonly number[] }[]): void {
  const { index } = fresh;
  if (index === undefined) return;
  let slot = 0;
  for (const { source, slots } of origins) {
    const old = host.indexOf(source);
    for (const from of slots) {
      // Numbers of subjects may have changed hands, never those of a message that is there.
      index.ids[slot] = old.ids[from];
      if (old.ids[from] === NO_SUBJECT) {
        fresh.markRemoved(index.offsets[slot]);
        fresh.deadBytes += index.sizes[slot] + 8;
      }
      slot++;
    }
    fresh.live += source.live;
    fresh.liveBytes += source.liveBytes;
    fresh.marksUnion |= source.marksUnion;
    fresh.notedIn = Math.min(fresh.notedIn, source.notedIn);
  }
  const [{ source: first }] = origins;
  const { source: last } = origins[origins.length - 1];
  fresh.slots = index.count;
  fresh.last = last.last;
  fresh.isSealed = true;
  fresh.isCreated = true;
  fresh.firstSeconds = first.firstSeconds;
  fresh.firstNanos = first.firstNanos;
  fresh.lastSeconds = last.lastSeconds;
  fresh.lastNanos = last.lastNanos;
}

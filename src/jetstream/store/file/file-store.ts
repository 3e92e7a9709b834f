/**
 * Messages in files (see the README of this room). Appending writes into the tail, a window at the end of the active segment; `flush` hands the tail to the
 * kernel in one write per segment, with a note of what was removed and of where the store begins now. What comes after (syncs, indexes, rewrites, removal of
 * files) happens beside.
 */
import type { Sliced } from "../../slices.ts";
import type { NewMessage, StoreEvents, StoreOptions } from "../message-store.ts";
import { KIND_ERASED, KIND_SKIP, kindAt } from "../log/record.ts";
import type { SegmentIndex } from "../log/segment-index.ts";
import { SegmentedStore } from "../log/segmented-store.ts";
import type { ByteWindow } from "../log/window.ts";
import type { StorageFile, Timer } from "../../../platform/index.ts";
import { Background, type Job } from "./background.ts";
import { ColdIndexes } from "./cold-indexes.ts";
import { Commits, endAt, type Mark } from "./commits.ts";
import { type EraseHost, Erasures } from "./erase.ts";
import type { FileSegment } from "./file-segment.ts";
import { discardFolder } from "./leftovers.ts";
import { Idle, type Resting } from "./idle.ts";
import { localNow, toGlobal } from "./local-index.ts";
import { LogWriter, type LogWriterHost, SEGMENT_RECORDS_MAX } from "./log-writer.ts";
import { Notes } from "./notes.ts";
import { fileSize } from "./recover-segment.ts";
import { RecordReader } from "./record-reader.ts";
import { type Recovered, recoverStore } from "./recover-store.ts";
import { Removal } from "./removal.ts";
import { type RewriteHost, rewriteJob } from "./rewrite.ts";
import { saveJob, type SaveHost } from "./save-index.ts";
import { scanSegment } from "./scan.ts";
import type { StoreFolder } from "./store-folder.ts";
import { Syncs } from "./syncs.ts";
import { Windows } from "./windows.ts";

const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;
const SEGMENT_BYTES_MIN = 64 * 1024;
/** A stream with a limit of bytes is cut into about so many segments, so that what is dropped goes in small portions. */
const SEGMENTS_PER_LIMIT = 8;
/** Indexes of full segments are saved after so long, or when so many wait: what a kill leaves without one has to be read through at the start, 64 MiB at most. */
const SAVE_AFTER_MS = 1000;
const UNSAVED_MAX = 8;
/** A segment with fewer dead bytes is not rewritten. */
const DEAD_BYTES_MIN = 16 * 1024;

function segmentBytesFor(maxBytes: number | undefined): number {
  if (maxBytes === undefined) return SEGMENT_BYTES_MAX;
  return Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, Math.ceil(maxBytes / SEGMENTS_PER_LIMIT)));
}

export class FileStore extends SegmentedStore<FileSegment> implements RewriteHost, SaveHost, EraseHost, Resting {
  readonly kind = "file";
  committedSeq: number;
  /** Where the log goes on and what it tells is known once it was read back: nobody but `open` has the store before. */
  #writer!: LogWriter;
  #notes!: Notes;
  readonly #commits: Commits;
  readonly #windows = new Windows();
  readonly #reader: RecordReader;
  readonly background: Background;
  readonly #syncs: Syncs<Mark>;
  readonly #removal: Removal;
  readonly #cold = new ColdIndexes(() => !this.#syncs.isRunning);
  #syncTimer: Timer | undefined;
  /** Full segments whose index is to be saved, and when. */
  readonly #toSave: FileSegment[] = [];
  #saveTimer: Timer | undefined;
  readonly #idle: Idle;
  #isClosed = false;
  readonly #erasures: Erasures;

  private constructor(
    readonly folder: StoreFolder,
    private options: StoreOptions,
    private readonly events: StoreEvents,
    firstSeq: number,
  ) {
    super(firstSeq);
    this.#reader = new RecordReader(folder, this.#windows);
    this.#commits = new Commits(this.state);
    this.background = new Background(folder.context, folder.title);
    this.#syncs = new Syncs(folder.context, folder.path, { onSynced: (mark) => this.#onSynced(mark), onSyncFailed: (error) => this.#onSyncFailed(error) });
    this.#idle = new Idle(folder.context.clock, this);
    this.#erasures = new Erasures(this, folder.context.random);
    this.#removal = new Removal(folder, this.background, this.#syncs);
    this.committedSeq = 0;
  }

  /** A store with what is in the folder, read back in slices. Throws `DiskError`, or an `Error` when no key at hand opens the files. */
  static *open(folder: StoreFolder, options: StoreOptions, maxBytes: number | undefined, events: StoreEvents, firstSeq: number): Sliced<FileStore> {
    const store = new FileStore(folder, options, events, firstSeq);
    yield* store.#recover(segmentBytesFor(maxBytes));
    return store;
  }

  get uncommittedBytes(): number {
    return this.#commits.uncommittedBytes;
  }

  sizeOf(subjectLength: number, headerLength: number, payloadLength: number): number {
    return fileSize(subjectLength, headerLength, payloadLength);
  }

  // Recovery

  *#recover(segmentBytes: number): Sliced<void> {
    const { folder, state, list, search } = this;
    const recovered = yield* recoverStore({ folder, state, list, subjects: this.subjectTable, search, takeOut: (segment, slot, seq) => this.takeOut(segment, slot, seq) }, SEGMENT_RECORDS_MAX);
    this.#notes = new Notes(state, list, recovered);
    this.#writer = new LogWriter(this.#writerHost(), segmentBytes, recovered.nextId, this.#reopened(recovered, segmentBytes));
    this.#afterRecovery();
    this.committedSeq = state.lastSeq;
    this.#commits.begin(this.#writer.active);
  }

  /** The last segment, if it can be written on. */
  #reopened({ last, lastLocal }: Recovered, segmentBytes: number): FileSegment | undefined {
    const { current } = this.folder.keys;
    if (last === undefined || lastLocal === undefined || last.file.header.rewritten || last.file.assetKey !== current || last.end >= segmentBytes || last.isDamaged || last.slots >= SEGMENT_RECORDS_MAX) return undefined;
    this.list.indexOf(last);
    this.#cold.forget(last);
    last.isSealed = false;
    last.members = undefined;
    last.isIndexSaved = false;
    this.folder.removeIndex(last.id);
    return last;
  }

  #afterRecovery(): void {
    const { current } = this.folder.keys;
    for (const segment of [...this.list.segments]) {
      if (segment === this.#writer.active) continue;
      if (segment.live === 0) this.drop(segment);
      else if (segment.file.assetKey !== current) this.#rewrite(segment);
      else if (!segment.isIndexSaved && !segment.isDamaged) this.#saveLater(segment);
    }
    if (this.#removal.isWaiting) this.flushLater();
    const old = this.#underOldKeys();
    if (old === 0) return;
    this.folder.context.log.warn(`${old} files of stream '${this.folder.title}' are not encrypted as configured yet: a previous key is needed until they are`);
    this.background.add("tell of the keys", this.#tellOfKeys());
  }

  /** Segments that the present key does not open. */
  #underOldKeys(): number {
    return this.list.segments.filter(({ file, live }) => live > 0 && file.assetKey !== this.folder.keys.current).length;
  }

  /** Behind the jobs that rewrite them: an operator wants to know when the old key may go. */
  *#tellOfKeys(): Job {
    yield;
    const old = this.#underOldKeys();
    const { log } = this.folder.context;
    if (old === 0) log.info(`All files of stream '${this.folder.title}' are encrypted as configured`);
    else log.warn(`${old} files of stream '${this.folder.title}' could not be rewritten: a previous key is still needed`);
  }

  // Appending

  #writerHost(): LogWriterHost {
    return {
      folder: this.folder,
      state: this.state,
      list: this.list,
      commits: this.#commits,
      syncs: this.#syncs,
      waitsForDevice: () => this.#waitsForDevice,
      onFull: (segment) => this.#settle(segment),
      onEmpty: (segment) => this.drop(segment),
    };
  }

  protected segmentFor(recordBytes: number, seq: number): FileSegment {
    return this.#writer.segmentFor(recordBytes, seq);
  }

  protected write(segment: FileSegment, seq: number, message: NewMessage): number {
    return this.#writer.write(segment, seq, message);
  }

  protected onSkipped(): void {
    const { state } = this;
    const writer = this.#writer;
    if (writer.isBeyond(state.lastSeq)) writer.roll(state.lastSeq + 1);
    else writer.putNote(KIND_SKIP, state.lastSeq, []);
    const { active } = writer;
    active.last = Math.max(active.last, state.lastSeq);
    active.lastSeconds = state.lastSeconds;
    active.lastNanos = state.lastNanos;
  }

  // Writing

  flush(): void {
    if (this.#isClosed) return;
    const { state, options } = this;
    this.#notes.put(this.#writer);
    if (options.async) this.#announce(state.lastSeq);
    if (!this.#writeAll()) return;
    this.#commits.wroteAll(this.#writer.active, this.#notes.written(this.#writer.active));
    this.#writer.turn();
    const { written } = this.#commits;
    if (this.#removal.isWaiting && this.#removal.bury()) this.#syncs.begin(written);
    if (this.#erasures.isWaiting) {
      this.#erasures.run();
      if (this.#removal.isWaiting) this.flushLater();
    }
    this.#idle.stayAwake();
    if (this.#waitsForDevice) this.#syncs.commit(written);
    else {
      this.#commits.settle(written);
      if (!options.async) this.#announce(state.lastSeq);
      this.#armSync();
    }
  }

  get #waitsForDevice(): boolean {
    return this.options.syncIntervalMs === "always" && !this.options.async;
  }

  /** False when it failed, and everything unwritten was taken back. */
  #writeAll(): boolean {
    try {
      this.#writer.writeAll();
      return true;
    } catch (error) {
      this.#fail(this.#commits.written, error, false);
      return false;
    }
  }

  /** A segment is full and written. */
  #settle(segment: FileSegment): void {
    this.#attempt(() => segment.file.trim());
    this.#cold.addFull(segment);
    this.#saveLater(segment);
    if (this.options.compression === "s2") this.#rewrite(segment);
    this.#cold.limit();
  }

  #announce(seq: number): void {
    this.committedSeq = seq;
    this.events.onCommitted(seq);
  }

  /** Takes back everything from `to` on: what was not written, or, after a failed sync, what was not committed. */
  #fail(to: Mark, error: unknown, isSync: boolean): void {
    const { segments } = this.list;
    const firstSeq = to.seq + 1;
    this.takeBack(firstSeq, to.seconds, to.nanos);
    this.#notes.takeBack(firstSeq, isSync ? this.#commits.takeRemovals() : []);
    this.#writer.tails.forget();
    this.#windows.clear();
    const cut = new Set([...this.#writer.unwritten, ...(isSync ? this.#commits.segments : [])]);
    while (segments.length > 1 && segments[segments.length - 1].first > firstSeq) {
      const segment = segments[segments.length - 1];
      segments.pop();
      this.#forget(segment);
      this.#syncs.forget(segment);
      cut.delete(segment);
      this.#writer.forget(segment);
      if (segment.isCreated) this.#attempt(() => this.#removal.now(segment));
    }
    for (const segment of cut) this.#cut(segment, isSync ? segment.committedEnd : endAt(to, segment));
    this.#writer.goBack(firstSeq);
    this.#notes.goBack(this.#writer.active);
    this.committedSeq = Math.min(this.committedSeq, this.state.lastSeq);
    this.#commits.takeBack(to, this.#writer.active);
    this.events.onFailed(firstSeq, error instanceof Error ? error : new Error(String(error)));
    this.#armSync();
  }

  /** What was written of it still counts, until it is removed. */
  #forget(segment: FileSegment): void {
    this.#commits.forget(segment);
    this.#windows.forget(segment);
    this.#cold.forget(segment);
  }

  /** Ends a segment at a place; where the file cannot be cut now, the next write goes over what is too much. */
  #cut(segment: FileSegment, place: number): void {
    segment.end = segment.writtenEnd = place;
    segment.committedEnd = Math.min(segment.committedEnd, place);
    segment.slots = this.list.indexOf(segment).count;
    if (segment.isIndexSaved) this.#attempt(() => this.folder.removeIndex(segment.id));
    segment.isIndexSaved = false;
    segment.notes = segment.notes.filter((seq) => seq <= this.state.lastSeq);
    const { tail } = segment;
    if (tail !== undefined && place >= tail.start) tail.length = place - tail.start;
    else segment.tail = undefined;
    if (segment.isCreated) this.#attempt(() => segment.file.cut(place));
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.folder.context.log.error(`JetStream could not tidy up after a failed write of stream '${this.folder.title}': ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  // Syncing

  #armSync(): void {
    const { syncIntervalMs } = this.options;
    if (this.#syncTimer !== undefined || this.#isClosed || syncIntervalMs === "always") return;
    this.#syncTimer = this.folder.context.clock.after(syncIntervalMs, () => {
      this.#syncTimer = undefined;
      if (this.#notes.hasRemovals) this.flush();
      this.#syncs.begin(this.#commits.written);
    });
  }

  #onSynced(mark: Mark): void {
    // After a failure the log is shorter than it was when the sync began.
    if (!this.#waitsForDevice || mark.seq < this.#commits.committed.seq || mark.seq > this.#commits.written.seq) return;
    this.#commits.settle(mark);
    this.#announce(mark.seq);
  }

  #onSyncFailed(error: unknown): void {
    if (this.#waitsForDevice) return this.#fail(this.#commits.committed, error, true);
    this.folder.context.log.error(`JetStream could not sync stream '${this.folder.title}': ${error instanceof Error ? error.message : String(error)}`);
    this.#armSync();
  }

  sync(): Promise<void> {
    this.flush();
    return this.#syncs.wait(this.#commits.written);
  }

  configure(options: StoreOptions): void {
    this.options = options;
    this.#syncTimer?.cancel();
    this.#syncTimer = undefined;
    if (!this.#syncs.isClean) this.#armSync();
  }

  // Removing

  protected onRemoved(segment: FileSegment, slot: number, seq: number, erase: boolean): void {
    const index = this.list.indexOf(segment);
    const place = index.offsets[slot];
    segment.deadBytes += index.sizes[slot] + 8;
    if (seq >= this.state.first || erase) {
      this.#notes.removed(seq);
      segment.markRemoved(place);
    }
    if (erase) this.#erasures.add(segment, place, seq);
    if (erase && segment.live === 0) segment.mustErase = true;
    if (segment.live === 0) {
      if (segment === this.#writer.active) this.#writer.rollEmpty();
      else this.drop(segment);
    } else if (seq > this.state.first && segment.isSealed && segment.deadBytes >= DEAD_BYTES_MIN && segment.deadBytes * 2 > segment.end) this.#rewrite(segment);
  }

  hasSegment(segment: FileSegment): boolean {
    return this.list.segments.includes(segment);
  }

  forgetCopies(segment: FileSegment): void {
    this.#windows.forget(segment);
    this.#writer.tails.forgetOf(segment);
  }

  rewriteErased(segment: FileSegment): void {
    segment.mustErase = true;
    if (segment === this.#writer.active) this.#writer.roll(this.state.lastSeq + 1);
    this.#rewrite(segment);
  }

  onEraseFailed(seq: number, error: unknown): void {
    this.folder.context.log.error(`JetStream could not erase message ${seq} of stream '${this.folder.title}': ${error instanceof Error ? error.message : String(error)}`);
  }

  protected onFloor(): void {
    const { segments } = this.list;
    while (segments[0] !== this.#writer.active && segments[0].live === 0) this.drop(segments[0]);
    for (const segment of segments.slice(0, -1)) if (segment.live === 0) this.drop(segment);
    this.#writer.rollEmpty();
  }

  protected onCleared(): void {
    const old = this.list.segments.splice(0);
    this.#notes.clear();
    this.#cold.clear();
    this.#writer.tails.forget();
    this.#writer.restart();
    for (const segment of old) {
      segment.live = 0;
      segment.liveBytes = 0;
      this.#doom(segment);
    }
  }

  /** Lets go of a segment without messages. What it tells of others is told again. */
  drop(segment: FileSegment): void {
    this.list.remove(segment);
    this.#writer.forget(segment);
    this.#notes.carry(segment);
    this.#doom(segment);
  }

  carryNotes(segment: FileSegment): void {
    this.#notes.carry(segment);
  }

  #doom(segment: FileSegment): void {
    this.#forget(segment);
    this.#removal.doom(segment);
  }

  scramble(handle: StorageFile): Generator<undefined, void, void> {
    return this.#removal.scramble(handle);
  }

  // Reading

  protected loadIndex(segment: FileSegment): SegmentIndex {
    const { folder } = this;
    let local = folder.readIndex(segment.file);
    if (local === undefined) local = scanSegment(segment.file).local;
    segment.file.frames = local.frames;
    segment.index = toGlobal(local, this.subjectTable, segment, this.state.first);
    segment.isUsed = true;
    this.#cold.add(segment);
    this.#cold.limit();
    this.#idle.stayAwake();
    return segment.index;
  }

  protected locate(segment: FileSegment, slot: number): boolean {
    segment.isUsed = true;
    this.#idle.used();
    this.isErased = false;
    const index = this.list.indexOf(segment);
    const place = index.offsets[slot];
    const tail = this.#writer.tails.at(segment, place);
    if (tail !== undefined) return this.#show(tail, place);
    const window = this.#reader.at(segment, place, index.seqOf(slot));
    if (window === undefined) return false;
    this.isErased = kindAt(window, place - window.start) === KIND_ERASED;
    return !this.isErased && this.#show(window, place);
  }

  #show(window: ByteWindow, place: number): boolean {
    this.view = window;
    this.viewAt = place - window.start;
    return true;
  }

  /** For the rewrite: a record's bytes, or undefined when it cannot be read. */
  recordAt(segment: FileSegment, slot: number): { readonly window: ByteWindow; readonly at: number } | undefined {
    return this.locate(segment, slot) && this.view !== undefined ? { window: this.view, at: this.viewAt } : undefined;
  }

  protected onDamaged(segment: FileSegment, slot: number, seq: number): void {
    const place = this.list.indexOf(segment).offsets[slot];
    segment.markRemoved(place);
    if (this.isErased) return;
    segment.isDamaged = true;
    this.folder.context.log.error(`Message ${seq} of stream '${this.folder.title}' is damaged, in ${segment.file.path} at offset ${segment.file.placeInFile(place)}`);
    if (segment.isIndexSaved) this.#attempt(() => this.folder.removeIndex(segment.id));
    segment.isIndexSaved = false;
  }

  // Beside

  /** Flushes at the end of a turn, for what was noted outside of one. */
  flushLater(): void {
    this.background.add("write", this.#flushJob());
  }

  *#flushJob(): Generator<undefined, void, void> {
    this.flush();
    yield;
  }

  #rewrite(segment: FileSegment): void {
    if (segment.isQueued || segment.isDamaged) return;
    segment.isQueued = true;
    this.background.add("rewrite a segment", rewriteJob(this, segment));
  }

  get compresses(): boolean {
    return this.options.compression === "s2";
  }

  get segmentBytes(): number {
    return this.#writer.segmentBytes;
  }

  get segments(): readonly FileSegment[] {
    return this.list.segments;
  }

  indexOf(segment: FileSegment): SegmentIndex {
    return this.list.indexOf(segment);
  }

  isActive(segment: FileSegment): boolean {
    return segment === this.#writer.active;
  }

  /** Puts a rewritten segment where its sources were; the files of all but the first are removed. */
  replace(sources: readonly FileSegment[], fresh: FileSegment): void {
    const { segments } = this.list;
    const at = segments.indexOf(sources[0]);
    segments.splice(at, sources.length, fresh);
    for (const source of sources) {
      this.#forget(source);
      this.#syncs.forget(source);
    }
    this.#writer.tails.forget();
    this.#cold.add(fresh);
    this.#syncs.folderChanged();
    this.#saveLater(fresh);
    const others = sources.slice(1);
    if (others.length > 0) this.#removal.later(others);
    if (fresh.live === 0) this.drop(fresh);
    if (this.#removal.isWaiting) this.flushLater();
  }

  /** Not at once: who stores much in one go is not to share the device with it. */
  #saveLater(segment: FileSegment): void {
    this.#toSave.push(segment);
    if (this.#toSave.length > UNSAVED_MAX) this.#save(this.#toSave.splice(0, 1));
    this.#saveTimer ??= this.folder.context.clock.after(SAVE_AFTER_MS, () => {
      this.#saveTimer = undefined;
      this.#save(this.#toSave.splice(0));
    });
  }

  #save(segments: readonly FileSegment[]): void {
    for (const segment of segments) this.background.add("save an index", saveJob(this, segment));
  }

  get toldFloor(): number {
    return this.#notes.floor;
  }

  onIndexSaved(segment: FileSegment): void {
    this.#cold.saved(segment);
  }

  letGoUnused(): boolean {
    return this.#cold.rest();
  }

  letGoAll(): void {
    this.#windows.clear();
    this.#writer.tails.rest(this.#writer.active);
  }

  // End

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#end();
    this.background.stop();
    this.#attempt(() => {
      this.#writer.active.file.trim();
      this.#syncs.syncNow();
      for (const segment of this.list.segments) {
        const { index } = segment;
        if (segment.isIndexSaved || segment.isDamaged || !segment.isCreated || index === undefined || segment.writtenEnd < segment.end) continue;
        this.folder.writeIndex(segment.file, localNow(segment, index, this.subjectTable, this.#notes.floor));
      }
    });
    this.#syncs.close(() => this.#closeHandles());
  }

  #end(): void {
    this.#isClosed = true;
    this.#syncTimer?.cancel();
    this.#saveTimer?.cancel();
    this.#idle.stop();
  }

  #closeHandles(): void {
    for (const segment of this.list.segments) segment.file.closeHandle();
    this.#removal.closeHandles();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#end();
    this.background.stop();
    this.#syncs.close(() => this.#closeHandles());
    discardFolder(this.folder.context, this.folder.path);
  }
}

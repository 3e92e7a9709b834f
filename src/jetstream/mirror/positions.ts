/**
 * Where the sources of a stream stand after a restart: what was written last, brought up to date by the messages that were stored since. Without a file that
 * can be trusted the stream is read from its end until every source was seen. That is done in slices, and told to the log when it takes long.
 */
import { decodeJson, JsonError, list, object, text, uint64 } from "../json/index.ts";
import { DamagedFileError, type SourcedStream } from "../seams.ts";
import { StoredMessage } from "../store/index.ts";
import type { StreamSource } from "../wire.ts";
import { headerValue } from "./feed.ts";
import { parseSourceHeader, type SourcePosition, sourceIndex } from "./names.ts";

const SLICE_MS = 4;
const TELL_EVERY_MS = 2_000;
const SOURCE_HEADER = "Nats-Stream-Source";
const HEADER_BYTES = Buffer.from(`\r\n${SOURCE_HEADER}:`);

const fileShape = object({ last_seq: uint64, positions: list(object({ index: text, seq: uint64, identity: text })) });

interface Saved {
  /** What the stream held when this was written. */
  readonly lastSeq: number;
  readonly positions: ReadonlyMap<string, SourcePosition>;
}

export function writePositions({ files, positionsFile }: SourcedStream, body: string): void {
  if (positionsFile !== undefined) files.write(positionsFile, Buffer.from(body));
}

function readPositions({ files, positionsFile, account, config }: SourcedStream): Saved | undefined {
  if (positionsFile === undefined) return undefined;
  try {
    const bytes = files.read(positionsFile);
    if (bytes === undefined) return undefined;
    const { last_seq = 0, positions = [] } = decodeJson(bytes.toString("utf8"), fileShape, false);
    return { lastSeq: last_seq, positions: new Map(positions.map(({ index = "", seq = 0, identity = "" }) => [index, { seq, identity }])) };
  } catch (error) {
    if (!(error instanceof DamagedFileError) && !(error instanceof JsonError)) throw error;
    account.context.log.warn(`JetStream stream '${account.name} > ${config.name}' positions of sources can not be read and are searched for: ${error.message}`);
    return undefined;
  }
}

export class PositionSearch {
  readonly #wanted: ReadonlyMap<string, StreamSource>;
  readonly #found = new Map<string, SourcePosition>();
  readonly #view = new StoredMessage();
  /** Messages at or below are covered by the file. */
  #floor = 0;
  #saved: ReadonlyMap<string, SourcePosition> = new Map();
  #next = 0;
  #stopped = false;
  #tellAtMs = 0;

  constructor(
    private readonly stream: SourcedStream,
    sources: readonly StreamSource[],
    private readonly done: (positions: ReadonlyMap<string, SourcePosition>) => void,
  ) {
    this.#wanted = new Map(sources.map((source) => [sourceIndex(source), source]));
  }

  /** Calls `done`, at once when there is nothing to read. */
  start(): void {
    const { store, account } = this.stream;
    const { lastSeq } = store.state;
    const saved = readPositions(this.stream);
    // A stream that holds less than the file knows lost its end; sources must not go on beyond that.
    if (saved !== undefined && saved.lastSeq <= lastSeq) {
      this.#floor = saved.lastSeq;
      this.#saved = saved.positions;
    }
    this.#next = lastSeq;
    this.#tellAtMs = account.context.clock.monotonicMs() + TELL_EVERY_MS;
    this.flush();
  }

  stop(): void {
    this.#stopped = true;
  }

  isFor(source: StreamSource): boolean {
    return this.#wanted.has(sourceIndex(source));
  }

  /** One slice; goes on after the next turn. */
  flush(): void {
    if (this.#stopped) return;
    const { context, name } = this.stream.account;
    const until = context.clock.monotonicMs() + SLICE_MS;
    while (this.#next > this.#floor && this.#found.size < this.#wanted.size) {
      this.#next = this.stream.store.previous([], this.#next, this.#view) - 1;
      if (this.#next < this.#floor) break;
      this.#read();
      if (context.clock.monotonicMs() >= until) {
        this.#tell(`JetStream stream '${name} > ${this.stream.config.name}' searches for positions of sources: ${this.#next - this.#floor} messages left`);
        context.afterTurn(this);
        return;
      }
    }
    for (const [index, position] of this.#saved) if (!this.#found.has(index)) this.#found.set(index, position);
    this.done(this.#found);
  }

  #tell(line: string): void {
    const nowMs = this.stream.account.context.clock.monotonicMs();
    if (nowMs < this.#tellAtMs) return;
    this.#tellAtMs = nowMs + TELL_EVERY_MS;
    this.stream.account.context.log.info(line);
  }

  #read(): void {
    const { buffer, headerStart, bodyStart } = this.#view;
    if (bodyStart === headerStart) return;
    const block = buffer.subarray(headerStart, bodyStart);
    if (block.indexOf(HEADER_BYTES) < 0) return;
    const parsed = parseSourceHeader(headerValue(block.latin1Slice(), SOURCE_HEADER));
    if (parsed === undefined) return;
    for (const [index, source] of this.#wanted) {
      const isIt = parsed.isNameOnly ? parsed.index === source.name : parsed.index === index;
      if (isIt && !this.#found.has(index)) this.#found.set(index, { seq: parsed.seq, identity: parsed.identity });
    }
  }
}
